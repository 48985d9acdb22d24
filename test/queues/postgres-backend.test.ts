import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest } from '../../src/ingest/ingest.js';
import { openQueues } from '../../src/queues/backend.js';
import { chooseBackend } from '../../src/queues/choose-backend.js';
import { bury } from '../../src/queues/dead-letters.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import { createBatcher } from '../../src/worker/batcher.js';
import { startStage } from '../../src/worker/stage.js';
import { addHome, job, openDatabase, readingsOf, T0 } from '../ingest/household.js';
import { captureLog } from '../support/captured-log.js';
import { testQueuePrefix, testRedisUrl } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';

const ID = '0199a1c2-0000-7000-8000-000000000000';

describe('the queues in PostgreSQL', () => {
  let db: DataSource;
  let url: string;
  let closeDatabase: () => Promise<void>;

  before(async () => {
    ({ db, url, close: closeDatabase } = await openDatabase());
  });
  after(() => closeDatabase());

  it('are the last rung: a reading becomes a row, a delayed notification runs, and nothing stays open', async () => {
    const { logger, entries } = captureLog();
    const chosen = await chooseBackend({ databaseUrl: url, queuePrefix: testQueuePrefix(), logger });
    const { backend } = chosen;
    expect(backend.kind).to.equal('postgres');
    expect(entries.map(({ message }) => message)).to.deep.equal([
      'no Redis on this machine: the queues are kept in PostgreSQL',
    ]);
    const { queues, close } = await openQueues(backend);
    const { add } = createBatcher({ ingest: createIngest({ dataSource: db }), onCommit: () => undefined });
    const notified: string[] = [];
    const shared = { backend, concurrency: 5, logger, bury: bury(db) };
    const stages = [
      startStage('readings', add, shared),
      startStage('notifications', async ({ notificationId }) => void notified.push(notificationId), shared),
      startStage('maintenance', async () => undefined, shared),
    ];
    const enqueue = createEnqueue({ queues, logger });
    const home = await addHome(db);
    await enqueue.readings(job(home, [[T0, 203.2]]), () => Promise.reject(new Error('the queue is there')));
    await enqueue.notification(ID, { delayMs: 500 });
    expect(await queues.notifications.getDelayedCount()).to.equal(1);
    await waitFor(async () => (await readingsOf(db)).length === 1);
    await waitFor(() => notified.length === 1);
    expect(await queues.readings.getFailedCount()).to.equal(0);

    for (const stage of stages) await stage.close();
    await close();
    await chosen.close();
    // The server sees a connection's end a moment later; an idle one would end by itself, after 10 s.
    const isClosed = async () => {
      const [row] = await db.query<{ others: number }[]>(
        `SELECT count(*)::integer AS others FROM pg_stat_activity
         WHERE datname = current_database() AND application_name <> 'grill-stats' AND backend_type = 'client backend'`,
      );
      return row?.others === 0;
    };
    await waitFor(isClosed, { timeoutMs: 9_000 });
    expect(entries.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('are not asked for where there is a Redis', async () => {
    const { logger, entries } = captureLog();
    const redisUrl = await testRedisUrl();
    const { backend, close } = await chooseBackend({ redisUrl, databaseUrl: url, queuePrefix: 'q', logger });
    expect([backend.kind, entries]).to.deep.equal(['redis', []]);
    await close();
  });
});
