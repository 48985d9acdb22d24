import { expect } from 'chai';
import type { Queues } from '../../src/queues/backend.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import { readingsJobId } from '../../src/queues/jobs.js';
import { job, T0 } from '../ingest/household.js';
import { testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { openTestQueues } from './queues.js';

const JOB = job({ userId: 1, device: 10, deviceId: 'M1', probes: [100] }, [[T0, 203.2]]);
const ID = '0199a1c2-0000-7000-8000-000000000000';

describe('enqueue', () => {
  let proxy: TcpProxy;
  let queues: Queues;
  let close: () => Promise<void>;
  let entries: Record<string, unknown>[];
  let enqueue: ReturnType<typeof createEnqueue>;
  let direct: number;

  beforeEach(async () => {
    const url = await testRedisUrl();
    proxy = await startTcpProxy(url);
    const opened = await openTestQueues(proxy.through(url));
    ({ queues, close, entries } = opened);
    enqueue = createEnqueue({ queues, logger: opened.backend.logger });
    direct = 0;
  });
  afterEach(async () => {
    await proxy.set({ kind: 'pass' });
    await close();
    await proxy.close();
  });

  const directly = async () => {
    direct += 1;
  };

  it('puts the same news into the queue once', async () => {
    await enqueue.readings(JOB, directly);
    await enqueue.readings(structuredClone(JOB), directly);
    expect((await queues.readings.getJobs()).map(({ id }) => id)).to.deep.equal([readingsJobId(JOB)]);
    expect(direct).to.equal(0);
  });

  it('refuses data that are not as agreed before anything is done', async () => {
    const error = await enqueue.readings({ ...JOB, probes: [] }, directly).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
    expect([await queues.readings.count(), direct]).to.deep.equal([0, 0]);
  });

  it('takes the direct way when the queue is down, and lets its failure be known', async () => {
    await proxy.set({ kind: 'refuse' });
    await enqueue.readings(JOB, directly);
    expect(direct).to.equal(1);
    const failure = new Error('nor there');
    const error = await enqueue
      .readings(JOB, () => Promise.reject(failure))
      .catch((reason: unknown) => reason);
    expect(error).to.equal(failure);
    expect(entries.filter(({ message }) => message === 'enqueueing failed')).to.have.lengthOf(1);
  });

  it('takes the direct way when the queue does not answer', async () => {
    await proxy.set({ kind: 'swallow' });
    await enqueue.readings(JOB, directly);
    expect(direct).to.equal(1);
  });

  it('never fails for notifications and maintenance: their rows are swept', async () => {
    await enqueue.notifications([ID]);
    await enqueue.notification(ID, { delayMs: 60_000 });
    await enqueue.notifications([]);
    expect(await queues.notifications.getJobCounts('waiting', 'delayed')).to.deep.equal({
      waiting: 1,
      delayed: 1,
    });
    await proxy.set({ kind: 'refuse' });
    await enqueue.notifications([ID]);
    await enqueue.notification(ID, { delayMs: 1 });
    await enqueue.maintenance(new Date(T0));
  });

  it('asks for maintenance once an hour, whoever asks', async () => {
    for (const minutes of [0, 7, 59]) await enqueue.maintenance(new Date(T0 + minutes * 60_000));
    await enqueue.maintenance(new Date(T0 + 3600_000));
    const jobs = await queues.maintenance.getJobs();
    expect(jobs.map(({ id, data }) => [id, data.tick]).sort()).to.deep.equal([
      ['maintain-2026-11-21T12', '2026-11-21T12:00:00.000Z'],
      ['maintain-2026-11-21T13', '2026-11-21T13:00:00.000Z'],
    ]);
  });
});
