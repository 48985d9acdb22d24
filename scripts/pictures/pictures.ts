import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { statesPicture } from './states-picture.js';
import { tell } from './told.js';
import { tracePicture } from './trace-picture.js';

const ROOT = join(import.meta.dirname, '../..');
const TRACES = join(ROOT, 'test/replay/traces');
export const PICTURES = join(ROOT, 'docs/pictures');

/** Every picture by its file name. */
export function pictures(): Map<string, string> {
  const names = readdirSync(TRACES).flatMap((file) => (file.endsWith('.csv') ? [file.slice(0, -4)] : []));
  const traces = names
    .sort()
    .map((name): [string, string] => [`${name}.svg`, tracePicture(tell(TRACES, name))]);
  return new Map([['states.svg', statesPicture()], ...traces]);
}
