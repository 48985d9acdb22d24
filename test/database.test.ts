import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { Client } from 'pg';
import type { PoolSettings } from '../src/config.js';
import { createDatabase, type Database } from '../src/database.js';
import { POOL_TIMING, type PoolTiming } from '../src/database-pool.js';
import { copyReadings } from '../src/readings/copy-readings.js';
import { isOutage } from '../src/worker/outage.js';
import { captureLog } from './support/captured-log.js';
import { TEST_POOL } from './support/pool-settings.js';
import { createEmptyDatabase } from './support/servers.js';
import { startTcpProxy, type TcpProxy } from './support/tcp-proxy.js';
import { waitFor } from './support/wait-for.js';

describe('database', () => {
  let empty: Awaited<ReturnType<typeof createEmptyDatabase>>;
  let admin: Client;
  const databases: Database[] = [];
  const proxies: TcpProxy[] = [];
  let opened = 0;

  before(async () => {
    empty = await createEmptyDatabase();
    admin = new Client({ connectionString: empty.url });
    await admin.connect();
  });
  after(async () => {
    await admin.end();
    await empty.drop();
  });
  afterEach(async () => {
    for (const { dataSource } of databases.splice(0)) await dataSource.destroy();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  async function open({
    url = empty.url,
    pool = {},
    timing = {},
  }: {
    url?: string;
    pool?: Partial<PoolSettings>;
    timing?: Partial<PoolTiming>;
  } = {}) {
    const { logger, entries } = captureLog();
    const applicationName = `pool under test ${++opened}`;
    const database = createDatabase({
      url,
      pool: { ...TEST_POOL, ...pool },
      timing: { ...POOL_TIMING, ...timing },
      applicationName,
      logger,
    });
    await database.dataSource.initialize();
    databases.push(database);
    const said = (message: string) => entries.filter((entry) => entry.message === message);
    return { ...database, said, applicationName };
  }

  async function openThroughProxy(options: { pool?: Partial<PoolSettings>; timing?: Partial<PoolTiming> }) {
    const proxy = await startTcpProxy(empty.url);
    proxies.push(proxy);
    return { proxy, ...(await open({ ...options, url: proxy.through(empty.url) })) };
  }

  const terminateAll = ({ applicationName }: { applicationName: string }) =>
    admin.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1', [
      applicationName,
    ]);
  const pidOf = async ({ dataSource }: Database): Promise<number> => {
    const [row] = await dataSource.query<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
    return row?.pid ?? 0;
  };
  /** Takes `count` connections and gives them back only when told. */
  async function hold({ dataSource }: Database, count: number) {
    const runners = Array.from({ length: count }, () => dataSource.createQueryRunner());
    await Promise.all(runners.map((runner) => runner.connect()));
    return { runners, release: () => Promise.all(runners.map((runner) => runner.release())) };
  }

  describe('sessions', () => {
    const limits = async ({ dataSource }: Database) => {
      const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
      const [row] = await dataSource.query<Record<string, string>[]>(
        `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`,
      );
      return row;
    };

    it('give up a statement, a lock and an idle transaction', async () => {
      expect(await limits(await open())).to.deep.equal({
        statement_timeout: '30s',
        lock_timeout: '2s',
        idle_in_transaction_session_timeout: '15s',
      });
    });

    it('wait for ever with DB_STATEMENT_TIMEOUT 0', async () => {
      expect(await limits(await open({ pool: { statementTimeoutMs: 0 } }))).to.deep.equal({
        statement_timeout: '0',
        lock_timeout: '0',
        idle_in_transaction_session_timeout: '0',
      });
    });

    it('show the text of queries only with DB_LOG_QUERIES, and never what is put in', async () => {
      const quiet = await open();
      await quiet.dataSource.query('SELECT $1::text', ['hush']);
      const talking = await open({ pool: { logQueries: true } });
      await talking.dataSource.query('SELECT $1::text', ['hush']);
      expect(quiet.said('query')).to.deep.equal([]);
      expect(talking.said('query').map(({ query }) => query)).to.include('SELECT $1::text');
      expect(JSON.stringify(talking.said('query'))).not.to.include('hush');
    });
  });

  describe('check-out and check-in', () => {
    it('are said at DEBUG, with the held time and the figures of the pool', async () => {
      const database = await open();
      const before = database.said('connection checked in').length;
      const { release } = await hold(database, 1);
      expect(database.said('connection checked out').at(-1)).to.include({
        level: 'debug',
        size: 1,
        checkedOut: 1,
        idle: 0,
        waiting: 0,
      });
      expect(database.said('connection checked in')).to.have.length(before);
      await release();
      const [line] = database.said('connection checked in').slice(before);
      expect(line).to.include({ level: 'debug', size: 1, checkedOut: 0, idle: 1, waiting: 0 });
      expect(line?.heldMs).to.be.a('number').that.is.at.least(0);
    });

    it('warn of one held for over 30 s, once, and of none that came back', async () => {
      expect(POOL_TIMING.longHoldMs).to.equal(30_000);
      const database = await open({ timing: { longHoldMs: 20 } });
      const { release } = await hold(database, 1);
      await waitFor(() => database.said('connection held for long').length > 0);
      expect(database.said('connection held for long')).to.have.length(1);
      expect(database.said('connection held for long')[0]).to.include({
        level: 'warn',
        heldMs: 20,
        checkedOut: 1,
      });
      await release();
    });
  });

  describe('limits', () => {
    it('an exhausted pool lets wait DB_POOL_TIMEOUT and says so', async () => {
      const database = await open({ pool: { size: 1, maxOverflow: 1, timeoutSeconds: 0.2 } });
      const { release } = await hold(database, 2);
      const refused = database.dataSource.query('SELECT 1').catch((error: Error) => error.message);
      await waitFor(() => database.pool().waiting === 1);
      expect(await refused).to.equal(
        'timeout exceeded when trying to connect: no connection came free within 0.2 s (DB_POOL_TIMEOUT), 2 of 2 are in use',
      );
      expect(database.pool()).to.deep.equal({ size: 2, checkedOut: 2, idle: 0, waiting: 0 });
      await release();
      expect(await database.dataSource.query('SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    });

    it('connections beyond DB_POOL_SIZE are closed after 10 s of rest, the others kept', async () => {
      expect(POOL_TIMING.idleTimeoutMs).to.equal(10_000);
      const database = await open({ pool: { size: 2, maxOverflow: 3 }, timing: { idleTimeoutMs: 30 } });
      const { release } = await hold(database, 5);
      expect(database.pool()).to.deep.equal({ size: 5, checkedOut: 5, idle: 0, waiting: 0 });
      await release();
      await waitFor(() => database.pool().size === 2);
      const kept = await hold(database, 2);
      await kept.release();
      expect(database.pool()).to.deep.equal({ size: 2, checkedOut: 0, idle: 2, waiting: 0 });
    });

    it('a connection is replaced after DB_POOL_RECYCLE', async () => {
      const database = await open({ pool: { recycleSeconds: 0.05 } });
      const first = await pidOf(database);
      await waitFor(async () => (await pidOf(database)) !== first);
    });
  });

  describe('faults', () => {
    it('a query that the server refuses costs no connection', async () => {
      const database = await open();
      const first = await pidOf(database);
      for (let attempt = 0; attempt < 20; attempt++) {
        await database.dataSource.query('SELECT 1 / $1::int', [0]).catch(() => undefined);
        await database.dataSource.query('SELECT nonsense').catch(() => undefined);
      }
      expect(await pidOf(database)).to.equal(first);
    });

    it('a connection returned in the middle of a query is closed, not handed to the next', async () => {
      const database = await open();
      const { runners, release } = await hold(database, 1);
      const abandoned = runners[0]?.query('SELECT pg_sleep(60)').catch((error: Error) => error.message);
      await new Promise(setImmediate); // now it is sent
      await release();
      expect(database.pool().size).to.equal(0);
      expect(await database.dataSource.query('SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      expect(await abandoned).to.match(/Connection terminated/);
    });

    it('terminating every connection leaves the data source usable', async () => {
      const database = await open({ pool: { size: 3 }, timing: { pingAfterIdleMs: 0 } });
      const idle = await hold(database, 3);
      await idle.release();
      const running = database.dataSource.query('SELECT pg_sleep(60)').catch((error: Error) => error.message);
      await waitFor(async () => {
        const { rows } = await admin.query(
          "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name = $1",
          [database.applicationName],
        );
        return rows.length === 1;
      });
      const { rows } = await terminateAll(database);
      expect(rows).to.have.length(3);
      const answers = await Promise.all(
        [1, 2, 3, 4].map((number) => database.dataSource.query('SELECT $1::int AS number', [number])),
      );
      expect(answers).to.deep.equal([1, 2, 3, 4].map((number) => [{ number }]));
      expect(await running).to.match(/terminating connection|Connection terminated/);
    });

    it('a connection that died at rest is replaced before it is handed out', async () => {
      const database = await openThroughProxy({ timing: { pingAfterIdleMs: 0, pingTimeoutMs: 200 } });
      const first = await pidOf(database);
      await database.proxy.set({ kind: 'swallow' });
      await terminateAll(database); // nobody hears of it
      await waitFor(() => database.proxy.swallowedBytes() > 0);
      await database.proxy.set({ kind: 'pass' });
      expect(database.pool()).to.include({ size: 1, idle: 1 });
      expect(await pidOf(database)).not.to.equal(first);
      expect(database.pool()).to.deep.equal({ size: 1, checkedOut: 0, idle: 1, waiting: 0 });
    });

    it('one that did not answer casts doubt on all that rested with it', async () => {
      const database = await openThroughProxy({
        pool: { size: 4 },
        timing: { pingAfterIdleMs: 0, pingTimeoutMs: 200 },
      });
      const idle = await hold(database, 4);
      await idle.release();
      const lost = database.proxy.swallowedBytes();
      await database.proxy.set({ kind: 'swallow' });
      const next = pidOf(database);
      await waitFor(() => database.proxy.swallowedBytes() > lost);
      await database.proxy.set({ kind: 'pass' });
      const asked = database.proxy.swallowedBytes();
      await next;
      expect(database.proxy.swallowedBytes(), 'no other one was asked').to.equal(asked);
      expect(database.pool()).to.deep.equal({ size: 1, checkedOut: 0, idle: 1, waiting: 0 });
    });

    it('one that is cut while it is asked for a sign of life is replaced, too', async () => {
      const database = await openThroughProxy({ timing: { pingAfterIdleMs: 0, pingTimeoutMs: 10_000 } });
      const first = await pidOf(database);
      const lost = database.proxy.swallowedBytes();
      await database.proxy.set({ kind: 'swallow' });
      const next = pidOf(database);
      await waitFor(() => database.proxy.swallowedBytes() > lost);
      await database.proxy.set({ kind: 'reset' });
      await database.proxy.set({ kind: 'pass' });
      expect(await next.catch(() => pidOf(database))).not.to.equal(first);
    });

    it('without DB_POOL_PRE_PING nothing is asked', async () => {
      const database = await openThroughProxy({
        pool: { prePing: false, statementTimeoutMs: 200 },
        timing: { pingAfterIdleMs: 0, answerGraceMs: 100 },
      });
      await database.proxy.set({ kind: 'swallow' });
      const message = await database.dataSource.query('SELECT 1').catch((error: Error) => error.message);
      expect(message).to.equal('Query read timeout');
    });

    it('a query without an answer ends with its socket', async () => {
      const database = await openThroughProxy({
        pool: { statementTimeoutMs: 200 },
        timing: { answerGraceMs: 100 },
      });
      const first = await pidOf(database);
      await database.proxy.set({ kind: 'swallow' });
      const message = await database.dataSource.query('SELECT 1').catch((error: Error) => error.message);
      expect(message).to.equal('Query read timeout');
      expect(database.pool()).to.deep.equal({ size: 0, checkedOut: 0, idle: 0, waiting: 0 });
      await waitFor(() => database.proxy.connections() === 0);
      await database.proxy.set({ kind: 'pass' });
      expect(await pidOf(database)).not.to.equal(first);
    });

    it('a copy without an answer ends with its socket, too', async () => {
      const database = await openThroughProxy({
        pool: { statementTimeoutMs: 200 },
        timing: { answerGraceMs: 100 },
      });
      const row = { probeId: 1, measuredAtMs: 0, value: 1, unit: 'F', flags: 0 } as const;
      const failure = await database.dataSource
        .transaction(async (tx) => {
          await database.proxy.set({ kind: 'swallow' });
          await copyReadings(tx, [row]);
        })
        .catch((error: unknown) => error);
      expect(failure).to.have.property('message', 'Query read timeout');
      expect(isOutage(failure)).to.equal(true);
      await waitFor(() => database.proxy.connections() === 0);
      expect(database.pool().size).to.equal(0);
    });

    it('a transaction whose query got no answer does not wait for its rollback', async () => {
      const database = await openThroughProxy({
        pool: { statementTimeoutMs: 200 },
        timing: { answerGraceMs: 100 },
      });
      const runner = database.dataSource.createQueryRunner();
      await runner.startTransaction();
      await database.proxy.set({ kind: 'swallow' });
      const first = await runner.query('SELECT 1').catch((error: Error) => error.message);
      const second = await runner.query('ROLLBACK').catch((error: Error) => error.message);
      expect([first, second]).to.deep.equal(['Query read timeout', 'Client was closed and is not queryable']);
      await runner.release();
      expect(database.pool().size).to.equal(0);
    });
  });

  it('survives a connection that the server ends in the very packet that opens it', async () => {
    const greeting = Buffer.concat([packet('R', int32(0)), packet('Z', Buffer.from('I'))]);
    const farewell = packet('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([greeting, farewell])));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { dataSource } = createDatabase({ url: `postgres://u@127.0.0.1:${port}/x`, pool: TEST_POOL });
    const failure = await dataSource.initialize().catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error);
    server.close();
  });
});

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** A message of PostgreSQL's protocol. */
function packet(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}
