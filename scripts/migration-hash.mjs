import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Adds the SHA-256 of migrations that have none yet; a merged migration never changes.
const root = fileURLToPath(new URL('..', import.meta.url));
const list = `${root}test/migrations/hashes.json`;
const hashes = JSON.parse(readFileSync(list, 'utf8'));
const changed = [];
for (const name of readdirSync(`${root}src/migrations`).sort()) {
  const hash = createHash('sha256')
    .update(readFileSync(`${root}src/migrations/${name}`))
    .digest('hex');
  if (hashes[name] === undefined) {
    hashes[name] = hash;
    process.stdout.write(`${name} ${hash}\n`);
  } else if (hashes[name] !== hash) changed.push(name);
}
writeFileSync(list, `${JSON.stringify(hashes, null, 2)}\n`);
if (changed.length > 0) {
  process.stderr.write(
    `changed since they were merged: ${changed.join(', ')}. Take the change back and write a new migration. ` +
      '(One that never left this branch: delete its line from test/migrations/hashes.json and run this again.)\n',
  );
  process.exit(1);
}
