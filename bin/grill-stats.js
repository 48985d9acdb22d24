#!/usr/bin/env node
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeVersionProblem } from './node-version.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = join(root, 'dist/cli/index.js');
const source = join(root, 'src/cli/index.ts');

/** The built program if it is there and not older than the source, else the source through tsx. */
async function loadProgram() {
  if (existsSync(built) && statSync(built).mtimeMs >= newestMtimeMs(join(root, 'src'))) return import(built);
  if (!existsSync(source)) throw new Error('there is no program here: run `npm ci` and `npm run build`');
  const tsx = await import('tsx/esm/api').catch(() => undefined);
  if (!tsx)
    throw new Error('the program is not built, and tsx is not installed: run `npm ci`, or `npm run build`');
  // Named, since tsx would look for it where the command was typed, and without it decorators mean something else.
  tsx.register({ tsconfig: join(root, 'tsconfig.json') });
  return import(source);
}

function newestMtimeMs(folder) {
  if (!existsSync(folder)) return 0;
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, name)).mtimeMs);
  return Math.max(0, ...times);
}

/** Ends when all that was written has been taken: to a pipe, writing is asynchronous. */
function exit(code) {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

process.stdout.on('error', () => process.exit(0)); // the reader, such as `head`, has seen enough
process.setSourceMapsEnabled(true);
try {
  const problem = nodeVersionProblem();
  if (problem) throw new Error(problem);
  const { runCli } = await loadProgram();
  exit(await runCli(process.argv.slice(2), process.env));
} catch (error) {
  process.stderr.write(`grill-stats: ${error.message}\n`);
  exit(1);
}
