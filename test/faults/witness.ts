import type { DataSource } from 'typeorm';
import { createLogger } from '../../src/logger.js';
import { openQueues, type Queues } from '../../src/queues/backend.js';
import { waitFor } from '../support/wait-for.js';
import type { Supervised } from './processes.js';
import type { World } from './world.js';

/** What is taken for a time by a process: an account by a poller, a notification by a notifier. */
type Leased = 'thermoworks_credentials' | 'notifications';

const userOf = (process: number) => `process_${process}`;

/** A database user for each process, so that the server tells which of them does what. @returns its URL */
export async function addUserOf(process: number, db: DataSource, databaseUrl: string): Promise<string> {
  const url = new URL(databaseUrl);
  url.username = userOf(process);
  await db.query(`CREATE ROLE ${url.username} SUPERUSER LOGIN PASSWORD '${url.password}'`);
  return url.toString();
}

/** From now on the database writes down who takes what. */
export async function watchLeases(db: DataSource): Promise<void> {
  await db.query(
    `CREATE TABLE lease_holders (kind text, id text, holder text, PRIMARY KEY (kind, id));
     CREATE FUNCTION note_holder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO lease_holders VALUES (TG_TABLE_NAME, NEW.id::text, session_user)
         ON CONFLICT (kind, id) DO UPDATE SET holder = excluded.holder;
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_holder AFTER UPDATE OF lease_until ON thermoworks_credentials
       FOR EACH ROW WHEN (NEW.lease_until IS NOT NULL) EXECUTE FUNCTION note_holder();
     CREATE TRIGGER note_holder AFTER UPDATE OF lease_until ON notifications
       FOR EACH ROW WHEN (NEW.lease_until IS NOT NULL) EXECUTE FUNCTION note_holder();`,
  );
}

/** Rows under a lease of this process that has not ended. */
export async function leasesOf(world: World, process: Supervised, kind: Leased): Promise<string[]> {
  const rows: { id: string }[] = await world.db.query(
    `SELECT h.id FROM lease_holders h JOIN ${kind} t ON t.id::text = h.id
     WHERE h.kind = $1 AND h.holder = $2 AND t.lease_until > now()`,
    [kind, userOf(world.processes.indexOf(process))],
  );
  return rows.map(({ id }) => id);
}

/** Which process took it last. */
export async function holderOf(world: World, kind: Leased, id: string): Promise<Supervised> {
  const [row] = await world.db.query('SELECT holder FROM lease_holders WHERE kind = $1 AND id = $2', [
    kind,
    id,
  ]);
  return processOf(world, row?.holder);
}

/** A connection of one of our processes that waits for a lock. */
export interface Waiter {
  process: Supervised;
  backend: number;
  /** Of its transaction, once that has written something. */
  xid: string | null;
}

/** Waits for a process whose statement, LIKE this, waits for a lock. */
export async function untilWaiting(world: World, statement: string, by?: Supervised): Promise<Waiter> {
  const found = await waitFor(
    async () => (await waiting(world, statement)).find(({ process }) => !by || process === by),
    { timeoutMs: 60_000, everyMs: 10, what: `a process that waits in ${statement}` },
  );
  return found;
}

export async function isStillWaiting(world: World, statement: string, { backend }: Waiter): Promise<boolean> {
  return (await waiting(world, statement)).some((one) => one.backend === backend);
}

async function waiting(world: World, statement: string): Promise<Waiter[]> {
  const rows: { backend: number; usename: string; xid: string | null }[] = await world.db.query(
    `SELECT pid AS backend, usename, backend_xid::text AS xid FROM pg_stat_activity
     WHERE wait_event_type = 'Lock' AND usename LIKE 'process%' AND query LIKE $1`,
    [statement],
  );
  return rows.map(({ usename, ...row }) => ({ ...row, process: processOf(world, usename) }));
}

function processOf(world: World, user: unknown): Supervised {
  return world.process(Number(String(user).split('_')[1]));
}

/** Ends the connection of a process that was killed, before its statement gets what it waits for and is committed. */
export async function terminate({ db }: World, { backend }: Waiter): Promise<void> {
  // A server that was killed has ended it.
  await db.query('SELECT pg_terminate_backend($1)', [backend]).catch(() => undefined);
}

/** A transaction of the test that holds a lock until it is let go. */
export interface Hold {
  letGo(): Promise<void>;
}

/** @param statement that takes the lock */
export async function hold({ db }: World, statement: string, values: unknown[] = []): Promise<Hold> {
  const runner = db.createQueryRunner();
  await runner.startTransaction();
  for (const timeout of ['lock_timeout', 'idle_in_transaction_session_timeout'])
    await runner.query(`SET LOCAL ${timeout} = 0`);
  await runner.query(statement, values);
  return {
    async letGo() {
      // With a server that was killed the transaction is gone anyway.
      await runner.rollbackTransaction().catch(() => undefined);
      await runner.release().catch(() => undefined);
    },
  };
}

const logger = createLogger({ level: 'error', format: 'pretty' });

/** Asks the queues, past the proxy. */
export async function withQueues<T>({ redis }: World, ask: (queues: Queues) => Promise<T>): Promise<T> {
  const { queues, close } = await openQueues({
    kind: 'redis',
    url: redis.url,
    queuePrefix: 'grill-stats',
    logger,
  });
  try {
    return await ask(queues);
  } finally {
    await close();
  }
}
