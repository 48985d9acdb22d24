import { join } from 'node:path';
import { expect } from 'chai';
import { migrateUp, migrationStates } from '../../src/migrate.js';
import { runApart } from '../support/other-process.js';
import { onEachServer } from './each-server.js';

onEachServer('migrating at once', (place) => {
  it('applies each migration in exactly one of three processes', async () => {
    const { url, target } = place();
    const answers = await Promise.all(
      [1, 2, 3].map(
        async () => (await runApart(join(import.meta.dirname, 'other-process.ts'), [url])).answer,
      ),
    );
    const names = (await migrationStates(target)).map(({ name }) => name);
    expect(answers.flat()).to.deep.equal(names);
    expect(answers).to.deep.include.members([[], []]);
  });

  it('waits for whoever is at it', async () => {
    const { client, target } = place();
    const lock = "hashtext('grill_stats_migrations')";
    await client.query(`SELECT pg_advisory_lock(${lock})`);
    let isDone = false;
    const steps = migrateUp(target).finally(() => {
      isDone = true;
    });
    await client.query('CREATE TABLE organisations ()');
    await client.query('DROP TABLE organisations');
    expect(isDone).to.equal(false);
    await client.query(`SELECT pg_advisory_unlock(${lock})`);
    expect(await steps).to.have.length.above(0);
  });
});
