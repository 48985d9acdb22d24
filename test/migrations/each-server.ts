import { Client } from 'pg';
import { findToolOrSay } from '../../scripts/tools.js';
import { TEST_POOL } from '../support/pool-settings.js';
import { createEmptyDatabase, debianPostgresUrl } from '../support/servers.js';

const isDebianThere = (await findToolOrSay('postgresql-15')) !== undefined;

/** An empty database of its own for each test. */
export interface Place {
  url: string;
  client: Client;
  /** What `migrateUp` and its kin want. */
  target: { url: string; pool: typeof TEST_POOL };
}

/** The same tests on the PostgreSQL of this test run and on Debian's 15. `place()` is the running test's. */
export function onEachServer(what: string, define: (place: () => Place) => void): void {
  const servers: Record<string, () => Promise<string | undefined>> = {
    'the PostgreSQL of this test run': async () => undefined,
    ...(isDebianThere && { "Debian's PostgreSQL 15": debianPostgresUrl }),
  };
  for (const [name, url] of Object.entries(servers))
    describe(`${what} on ${name}`, () => {
      let place: Place | undefined;
      let drop: () => Promise<void> = async () => undefined;

      beforeEach(async () => {
        const database = await createEmptyDatabase(await url());
        drop = database.drop;
        const client = new Client({ connectionString: database.url });
        await client.connect();
        place = { url: database.url, client, target: { url: database.url, pool: TEST_POOL } };
      });
      define(() => {
        if (!place) throw new Error('unreachable: beforeEach made it');
        return place;
      });
      // Last, after what the tests themselves clean up.
      afterEach(async () => {
        await place?.client.end();
        await drop();
      });
    });
}
