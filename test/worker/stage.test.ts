import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { DeadLetter } from '../../src/entities/dead-letter.js';
import { PermanentError } from '../../src/errors.js';
import { createIngest } from '../../src/ingest/ingest.js';
import type { Job, QueueBackend, Queues } from '../../src/queues/backend.js';
import { bury, sweepFailedJobs } from '../../src/queues/dead-letters.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { createBatcher } from '../../src/worker/batcher.js';
import { type Stage, startStage } from '../../src/worker/stage.js';
import { addHome, type Home, job, MINUTE, openDatabase, readingsOf, T0 } from '../ingest/household.js';
import { addForeign, openTestQueues } from '../queues/queues.js';
import { testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

describe('stage', () => {
  let db: DataSource;
  let closeDatabase: () => Promise<void>;
  let proxy: TcpProxy;
  let proxied: DataSource;
  let backend: QueueBackend;
  let queues: Queues;
  let entries: Record<string, unknown>[];
  let closeQueues: () => Promise<void>;
  let stages: Stage[];
  let home: Home;

  before(async () => {
    const opened = await openDatabase();
    ({ db, close: closeDatabase } = opened);
    proxy = await startTcpProxy(opened.url);
    proxied = await opened.connect(proxy.through(opened.url));
    home = await addHome(db);
  });
  beforeEach(async () => {
    stages = [];
    await db.query('TRUNCATE readings, dead_letters');
    ({ backend, queues, entries, close: closeQueues } = await openTestQueues());
  });
  afterEach(async () => {
    await proxy.set({ kind: 'pass' });
    for (const stage of stages) await stage.close();
    await closeQueues();
  });
  after(async () => {
    await closeDatabase();
    await proxy.close();
  });

  function startReadings(
    processor: (data: ReadingsJob, job: Job<ReadingsJob, void>) => Promise<void>,
    dataSource = db,
  ): Stage {
    const { logger } = backend;
    const stage = startStage('readings', processor, {
      backend,
      concurrency: 50,
      logger,
      bury: bury(dataSource),
    });
    stages.push(stage);
    return stage;
  }
  function startWorker(dataSource = db): Stage {
    const { add } = createBatcher({ ingest: createIngest({ dataSource }), onCommit: () => undefined });
    return startReadings(add, dataSource);
  }
  const letters = () => db.manager.find(DeadLetter, { order: { jobId: 'ASC' } });
  const add = (minute: number, options: { attempts?: number; delayMs?: number } = {}) =>
    queues.readings.add('readings', job(home, [[T0 + minute * MINUTE, 100]]), {
      jobId: `minute-${minute}`,
      ...(options.attempts !== undefined && { attempts: options.attempts }),
      backoff: { type: 'fixed', delay: 20 },
    });
  const fate = async (jobId: string) => (await queues.readings.getJob(jobId))?.getState();

  it('does the jobs, and gives those that fail five attempts with exponential back-off', async () => {
    startWorker();
    const enqueue = createEnqueue({ queues, logger: backend.logger });
    const one = job(home, [[T0, 100]]);
    await enqueue.readings(one, () => Promise.reject(new Error('the queue is there')));
    await waitFor(async () => (await queues.readings.getCompletedCount()) === 1);
    const [done] = await queues.readings.getCompleted();
    expect(done?.opts).to.deep.include({
      attempts: 5,
      backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
      removeOnComplete: { count: 1000, age: 3600 },
      removeOnFail: { age: 7 * 24 * 3600 },
    });
    expect(await readingsOf(db)).to.have.lengthOf(1);
  });

  it('buries data that do not fit the schema, at once, with the reason and the data as they are', async () => {
    startWorker();
    const [probe] = job(home, [[T0, 100]]).probes;
    const foreign: [string, unknown][] = [
      ['a-null', null],
      ['b-text', 'readings'],
      ['c-version', { ...job(home, [[T0, 1]]), version: 2 }],
      ['d-value', { ...job(home, []), probes: [{ ...probe, samples: [[T0, '36.9', 'F', 0]] }] }],
      ['e-nul', { label: 'a\0b', half: 'x\ud800', backslash: 'C:\\u0000' }],
    ];
    for (const [jobId, data] of foreign) await addForeign(queues.readings, data, { jobId });
    const buried = await waitFor(async () => {
      const rows = await letters();
      return rows.length === foreign.length && rows;
    });
    await waitFor(async () => (await queues.readings.getFailedCount()) === foreign.length);
    expect(buried.map(({ jobId, attempts }) => [jobId, attempts])).to.deep.equal(
      foreign.map(([jobId]) => [jobId, 1]),
    );
    for (const { reason, queue } of buried)
      expect([reason.startsWith('job data: '), queue]).to.deep.equal([true, 'readings']);
    expect(buried.slice(0, 4).map(({ data }) => data)).to.deep.equal(
      foreign.slice(0, 4).map(([, data]) => data),
    );
    expect(buried[4]?.data).to.deep.equal({ label: 'a\ufffdb', half: 'x\ufffd', backslash: 'C:\\u0000' });
    expect(await readingsOf(db)).to.deep.equal([]);
  });

  it('buries what can never succeed at the first attempt, and its cause with it', async () => {
    startReadings(() =>
      Promise.reject(new PermanentError('cannot be stored', { cause: new Error('too large') })),
    );
    await add(0, { attempts: 3 });
    const [letter] = await waitFor(async () => (await letters()).length === 1 && letters());
    expect(letter).to.include({ jobId: 'minute-0', attempts: 1, reason: 'cannot be stored: too large' });
    await waitFor(async () => (await fate('minute-0')) === 'failed');
  });

  it('tries others again, and buries them after their last attempt', async () => {
    let calls = 0;
    startReadings(async (_, { id }) => {
      calls += 1;
      if (id === 'minute-1' && calls > 2) return;
      throw new Error('not now');
    });
    await add(1, { attempts: 3 });
    await waitFor(async () => (await fate('minute-1')) === 'completed');
    expect(calls).to.equal(3);
    expect(await letters()).to.deep.equal([]);
    calls = 0;
    await add(2, { attempts: 3 });
    const [letter] = await waitFor(async () => (await letters()).length === 1 && letters());
    expect(letter).to.include({ jobId: 'minute-2', attempts: 3, reason: 'not now' });
    await waitFor(async () => (await fate('minute-2')) === 'failed');
    expect(calls).to.equal(3);
    const said = entries.map(({ message, jobId }) => `${message} ${jobId}`);
    expect(said.filter((line) => line === 'job failed, will retry minute-2')).to.have.lengthOf(2);
    expect(said.filter((line) => line === 'job failed for good minute-2')).to.have.lengthOf(1);
  });

  it('waits without using up attempts while the database is gone, however long, and then does the job', async () => {
    startWorker(proxied);
    await proxy.set({ kind: 'refuse' });
    await add(0, { attempts: 1 });
    const waiting = await waitFor(async () => {
      const one = await queues.readings.getJob('minute-0');
      return (await one?.isDelayed()) && one;
    });
    expect([waiting.attemptsMade, waiting.attemptsStarted]).to.deep.equal([0, 1]);
    // As if it had been so for hours.
    const redis = new Redis(await testRedisUrl());
    await redis.hset(queues.readings.toKey('minute-0'), 'ats', 5_000);
    redis.disconnect();
    await proxy.set({ kind: 'pass' });
    await waiting.promote();
    await waitFor(async () => (await fate('minute-0')) === 'completed');
    expect(await letters()).to.deep.equal([]);
    expect(await readingsOf(db)).to.have.lengthOf(1);
    expect(entries.filter(({ message }) => message === 'jobs wait for the database')).to.have.lengthOf(1);
  });

  it('loses no job to connections that are ended again and again', async () => {
    startWorker(proxied);
    const jobs = Array.from({ length: 60 }, (_, minute) => minute);
    const kill = () =>
      db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    for (const minute of jobs) {
      await add(minute, { attempts: 1 });
      if (minute % 6 === 5) await kill();
    }
    await waitFor(async () => {
      for (const delayed of await queues.readings.getDelayed())
        await delayed.promote().catch(() => undefined);
      return (await queues.readings.getCompletedCount()) === jobs.length;
    });
    expect(await letters()).to.deep.equal([]);
    expect(await readingsOf(db)).to.have.lengthOf(jobs.length);
  });

  it('keeps a failed job for the sweep when it cannot be buried', async () => {
    startReadings(() => Promise.reject(new PermanentError('no')), proxied);
    await proxy.set({ kind: 'refuse' });
    await add(0, { attempts: 1 });
    await waitFor(async () => (await fate('minute-0')) === 'failed');
    expect(await letters()).to.deep.equal([]);
    await sweepFailedJobs({ queues, dataSource: db });
    await sweepFailedJobs({ queues, dataSource: db });
    expect((await letters()).map(({ jobId, attempts }) => [jobId, attempts])).to.deep.equal([
      ['minute-0', 1],
    ]);
  });

  it('finishes what is under way when it closes, and takes no more then', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stage = startReadings(() => held);
    await add(0);
    await waitFor(async () => (await fate('minute-0')) === 'active');
    const closed = stage.close();
    release();
    await closed;
    await add(1);
    expect([await fate('minute-0'), await fate('minute-1')]).to.deep.equal(['completed', 'waiting']);
  });

  it('closes while its blocking connection is just being made again', async () => {
    const admin = new Redis(await testRedisUrl());
    const stage = startReadings(async () => undefined);
    const blocked = async () =>
      String(await admin.client('LIST'))
        .split('\n')
        .find((line) => line.includes(backend.queuePrefix) && line.includes('cmd=bzpopmin'));
    const line = await waitFor(blocked, { what: 'a worker that waits for jobs' });
    await admin.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '');
    await waitFor(async () => (await blocked()) === undefined, { everyMs: 1, what: 'its end' });
    await stage.close();
    admin.disconnect();
  });
});
