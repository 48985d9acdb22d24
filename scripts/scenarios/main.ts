// Makes docs/scenarios.md with its pictures and test/scenarios/*.csv. `npm run scenarios`; a test holds what is
// committed against what this makes.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { files, PICTURES, TRACES } from './files.js';

const made = files();
for (const folder of [PICTURES, TRACES]) {
  mkdirSync(folder, { recursive: true });
  const old = readdirSync(folder).map((file) => join(folder, file));
  for (const file of old) if (/\.(csv|svg)$/.test(file) && !made.has(file)) rmSync(file);
}
for (const [file, text] of made) writeFileSync(file, text);
process.stdout.write(`${made.size} files\n`);
