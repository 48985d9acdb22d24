import { expect } from 'chai';
import type { Client } from 'pg';
import { migrateDown, migrateUp, migrationStates, stampMigrations } from '../../src/migrate.js';
import { onEachServer } from './each-server.js';
import { countRows, dumpSchema } from './schema-dump.js';
import { SEEDS, topicOf } from './seed.js';

onEachServer('migrations', (place) => {
  const seed = (client: Client, migration: string) => client.query(SEEDS[topicOf(migration)] ?? 'no seed');
  const names = async () => (await migrationStates(place().target)).map(({ name }) => name);

  it('go all up, all down and up again', async () => {
    const { client, target } = place();
    const empty = await dumpSchema(client);
    const steps = await migrateUp(target);
    expect(steps.map(({ name }) => name)).to.deep.equal(await names());
    const full = await dumpSchema(client);
    const back = await migrateDown(target, steps.length);
    expect(back.map(({ name }) => name)).to.deep.equal((await names()).reverse());
    expect(await dumpSchema(client)).to.deep.equal(empty);
    await migrateUp(target);
    expect(await dumpSchema(client)).to.deep.equal(full);
  });

  it('go all down and up again with rows in every table', async () => {
    const { client, target } = place();
    const empty = await dumpSchema(client);
    for (const { name } of await migrateUp(target)) await seed(client, name);
    const counts = await countRows(client);
    expect(Object.entries(counts).filter(([, count]) => count === 0)).to.deep.equal([]);
    await migrateDown(target, Object.keys(SEEDS).length);
    expect(await dumpSchema(client)).to.deep.equal(empty);
    for (const { name } of await migrateUp(target)) await seed(client, name);
    expect(await countRows(client)).to.deep.equal(counts);
  });

  it('go up, down and up one by one with rows, and a down leaves what others made', async () => {
    const { client, target } = place();
    for (const name of await names()) {
      const before = { schema: await dumpSchema(client), rows: await countRows(client) };
      expect(await migrateUp(target, 1)).to.have.length(1);
      const after = await dumpSchema(client);
      expect(after).not.to.deep.equal(before.schema);
      await seed(client, name);
      const [step] = await migrateDown(target, 1);
      expect(step?.name).to.equal(name);
      expect({ schema: await dumpSchema(client), rows: await countRows(client) }, name).to.deep.equal(before);
      await migrateUp(target, 1);
      expect(await dumpSchema(client), name).to.deep.equal(after);
      await seed(client, name);
    }
  });

  it('say that nothing is left to do, and remember when each was applied', async () => {
    const { target } = place();
    expect((await migrationStates(target)).filter(({ applied }) => applied)).to.deep.equal([]);
    await migrateUp(target);
    expect(await migrateUp(target)).to.deep.equal([]);
    for (const { applied, appliedAt } of await migrationStates(target)) {
      expect(applied).to.equal(true);
      expect(appliedAt).to.be.a('date');
    }
  });

  it('can be stamped where the tables are there already', async () => {
    const { client, target } = place();
    const [first, second] = await names();
    await migrateUp(target, 2);
    await client.query('DROP TABLE typeorm_migrations');
    const refused = await migrateUp(target).catch((error: Error) => String(error.cause));
    expect(refused).to.match(/relation "organisations" already exists/);
    const states = await stampMigrations(target, second);
    expect(states.filter(({ applied }) => applied).map(({ name }) => name)).to.deep.equal([first, second]);
    const rest = await migrateUp(target);
    expect(rest).to.have.length(states.length - 2);
  });

  it('that fail in the middle keep nothing of it', async () => {
    const { client, target } = place();
    await client.query('CREATE TABLE devices ()');
    const message = await migrateUp(target).catch((error: Error) => error.message);
    expect(message).to.match(/^migration Devices\d+ up failed/);
    expect(Object.keys(await countRows(client))).to.deep.equal([
      'devices',
      'organisations',
      'thermoworks_credentials',
      'users',
    ]);
    await client.query('DROP TABLE devices');
    await migrateUp(target);
  });
});
