// Makes docs/pictures: each worked trace of docs/alerts.md as the replay answers it, and the phases of an alert.
// `npm run pictures`; a test holds what is committed against what this makes.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PICTURES, pictures } from './pictures.js';

mkdirSync(PICTURES, { recursive: true });
const made = pictures();
for (const file of readdirSync(PICTURES))
  if (file.endsWith('.svg') && !made.has(file)) rmSync(join(PICTURES, file));
for (const [file, text] of made) writeFileSync(join(PICTURES, file), text);
process.stdout.write(`${made.size} pictures in ${PICTURES}\n`);
