import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

describe('merged migrations', () => {
  const folder = join(import.meta.dirname, '../../src/migrations');

  it('never change: a new one gets its hash by `npm run migration:hash`', () => {
    const known: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'hashes.json'), 'utf8'));
    const hash = (name: string) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex');
    const present = Object.fromEntries(
      readdirSync(folder)
        .sort()
        .map((name) => [name, hash(name)]),
    );
    expect(
      present,
      'run `npm run migration:hash` for a new migration; take back changes of an old one',
    ).to.deep.equal(known);
  });

  it('are one change a file, named as TypeORM wants it', () => {
    for (const name of readdirSync(folder)) {
      const [, timestamp, topic] = /^(\d{13})-([a-z-]+)\.ts$/.exec(name) ?? [];
      const className = topic?.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
      const text = readFileSync(join(folder, name), 'utf8');
      expect(text, name).to.match(
        new RegExp(`export class ${className}${timestamp} implements MigrationInterface`),
      );
      expect(text, name).to.include(`name = '${className}${timestamp}'`);
      expect(text, name).to.match(/^import type \{ MigrationInterface, QueryRunner \} from 'typeorm';$/m);
      expect(text.match(/^export /gm), name).to.have.length(1);
    }
  });
});
