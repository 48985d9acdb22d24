import { expect } from 'chai';
import { startOpsServer } from '../../src/console/ops-server.js';
import { createMetrics } from '../../src/metrics.js';
import { freePort } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';
import { logger, openSources, type Sources } from './console.js';
import { insert } from './cook.js';

describe('health of a process', () => {
  let sources: Sources;
  let server: Awaited<ReturnType<typeof startOpsServer>>;
  let isReady = true;

  beforeEach(async () => {
    sources = await openSources();
    isReady = true;
    server = await startOpsServer({
      config: { host: '127.0.0.1', port: await freePort() },
      dataSource: sources.database.dataSource,
      pool: sources.database.pool,
      queues: sources.queues,
      isReady: () => isReady,
      metrics: createMetrics(),
      logger,
    });
  });
  afterEach(async () => {
    await server.close();
    await sources.close();
  });

  /** Fails where an answer takes as long as the time-outs of the database's own connections. */
  const get = async (path: string) => {
    const answer = await fetch(`${server.url}${path}`, { signal: AbortSignal.timeout(12_000) });
    return { status: answer.status, text: await answer.text() };
  };
  const statuses = async () => {
    const answers = await Promise.all([get('/health/live'), get('/health/ready')]);
    return answers.map(({ status }) => status);
  };

  it('is ready while database, queue and migrations are there', async () => {
    expect(await statuses()).to.deep.equal([200, 200]);
  });

  it('is alive but not ready while it starts or shuts down', async () => {
    isReady = false;
    expect(await statuses()).to.deep.equal([200, 503]);
  });

  it('is not ready while a migration is pending, and says how many', async () => {
    await sources.database.dataSource.query(
      'DELETE FROM typeorm_migrations WHERE id = (SELECT max(id) FROM typeorm_migrations)',
    );
    expect(await statuses()).to.deep.equal([200, 503]);
    expect(JSON.parse((await get('/health')).text).migrations).to.deep.equal({ ok: false, pending: 1 });
    await sources.database.dataSource.query('DROP TABLE typeorm_migrations');
    const { database, migrations } = JSON.parse((await get('/health')).text);
    expect([database.ok, migrations.pending > 1]).to.deep.equal([true, true]);
  });

  for (const fault of ['cut', 'freeze'] as const) {
    it(`answers "not ready" when the database is gone (${fault})`, async () => {
      await sources.databaseProxy[fault]();
      const [ready, health, metrics] = await Promise.all([statuses(), get('/health'), get('/metrics')]);
      expect([ready, health.status, metrics.status]).to.deep.equal([[200, 503], 503, 200]);
      expect(JSON.parse(health.text)).to.deep.include({
        status: 'unready',
        database: { ok: false, latency_ms: null },
        queue: { ok: true },
        accounts: null,
      });
    });

    it(`answers "not ready" when the queue is gone (${fault})`, async () => {
      await sources.redisProxy[fault]();
      const [ready, health] = await Promise.all([statuses(), get('/health')]);
      expect([ready, health.status]).to.deep.equal([[200, 503], 503]);
      expect(JSON.parse(health.text)).to.deep.include({ queue: { ok: false }, queues: {} });
    });
  }

  it('does not start a look again that still hangs', async () => {
    await sources.databaseProxy.freeze();
    await Promise.all(Array.from({ length: 30 }, () => get('/health/ready')));
    expect(sources.database.pool()).to.deep.include({ waiting: 0 });
  });

  it('tells of pool, queues, accounts and the newest reading', async () => {
    const db = sources.database.dataSource;
    const userId = await insert(db, 'users', { email: 'cook@example.com' });
    await insert(db, 'devices', { user_id: userId, device_id: 'M1' });
    await insert(db, 'thermoworks_credentials', {
      ...{
        user_id: userId,
        provider: 'eti',
        thermoworks_uid: 'u',
        refresh_token: 'sealed',
        status: 'degraded',
      },
    });
    const probe = { user_id: userId, device_id: 'M1', publicId: false };
    await insert(db, 'probes', {
      ...probe,
      probe_id: '1',
      last_measured_at: new Date(Date.now() - 3_600_000),
    });
    await insert(db, 'probes', {
      ...probe,
      probe_id: '2',
      last_measured_at: new Date(Date.now() - 7_200_000),
    });
    await sources.queues.maintenance.add(
      'old',
      { tick: new Date().toISOString() },
      { timestamp: Date.now() - 60_000 },
    );
    await sources.queues.maintenance.add('new', { tick: new Date().toISOString() });
    const { status, text } = await get('/health');
    const health = JSON.parse(text);
    expect(health.redis).to.have.all.keys('used_bytes', 'limit_bytes', 'flaws');
    expect(health.redis.used_bytes).to.be.above(0);
    expect([status, health.status, health.pool.size >= 1, health.pool.waiting]).to.deep.equal([
      200,
      'ready',
      true,
      0,
    ]);
    expect(health.accounts).to.deep.equal({ active: 0, degraded: 1, needs_reauth: 0, paused: 0 });
    expect(health.newest_reading_lag_seconds).to.be.within(3600, 3700);
    expect(health.queues.maintenance).to.deep.include({ waiting: 2, active: 0, delayed: 0, failed: 0 });
    expect(health.queues.maintenance.oldest_waiting_seconds).to.be.within(60, 160);
    expect(health.queues.readings.oldest_waiting_seconds).to.equal(null);
  });

  it('is ready again when the server is back', async () => {
    const { dataSource } = sources.database;
    await dataSource.query('ALTER TABLE typeorm_migrations RENAME TO elsewhere');
    expect((await get('/health/ready')).status).to.equal(503);
    await dataSource.query('ALTER TABLE elsewhere RENAME TO typeorm_migrations');
    await waitFor(async () => (await get('/health/ready')).status === 200);
  });
});
