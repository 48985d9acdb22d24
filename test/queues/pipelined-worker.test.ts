import { expect } from 'chai';
import { createWorker, type QueueBackend, type Queues } from '../../src/queues/backend.js';
import { testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { openTestQueues } from './queues.js';

const tick = new Date(0).toISOString();
const idOf = (index: number) => `job-${String(index).padStart(4, '0')}`;

describe('pipelined worker', () => {
  let backend: QueueBackend;
  let queues: Queues;
  let closeQueues: () => Promise<void>;
  let proxy: TcpProxy;
  let redisUrl: string;
  let closers: (() => Promise<unknown>)[];

  before(async () => {
    redisUrl = await testRedisUrl();
    proxy = await startTcpProxy(redisUrl);
  });
  beforeEach(async () => {
    closers = [];
    ({ backend, queues, close: closeQueues } = await openTestQueues());
  });
  afterEach(async () => {
    for (const close of closers) await close();
    await closeQueues();
  });
  after(() => proxy.close());

  const addJobs = (count: number) =>
    queues.maintenance.addBulk(
      Array.from({ length: count }, (_, index) => ({
        name: 'maintenance',
        data: { tick },
        opts: { jobId: idOf(index) },
      })),
    );
  function start(concurrency: number, work: (id: string) => Promise<void>, through = backend) {
    const { worker, disconnect } = createWorker('maintenance', ({ id = '' }) => work(id), through, {
      concurrency,
    });
    closers.push(async () => {
      await worker.close();
      disconnect();
    });
    worker.on('error', () => undefined);
    void worker.run();
    return worker;
  }
  const counts = () => queues.maintenance.getJobCounts('active', 'waiting', 'completed', 'failed');

  it('begins jobs in their order, each once, and never has more than it may', async () => {
    await addJobs(700);
    const begun: string[] = [];
    let goOn = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    start(100, async (id) => {
      begun.push(id);
      await gate;
    });
    await waitFor(() => begun.length === 100);
    const { active } = await counts();
    goOn();
    await waitFor(async () => (await counts()).completed === 700);
    expect(active).to.equal(100);
    expect(begun).to.deep.equal(Array.from({ length: 700 }, (_, index) => idOf(index)));
  });

  it('gives back, at its head, what it asked for and did not begin when it closes', async () => {
    await addJobs(700);
    const begun: string[] = [];
    const work = async (id: string) => void begun.push(id);
    const first = start(100, work);
    const closed = new Promise<void>((resolve, reject) => {
      let fetched = 0;
      first.on('active', () => {
        fetched += 1;
        if (fetched === 20) first.close().then(resolve, reject);
      });
    });
    await closed;
    const { active, waiting, completed } = await counts();
    expect({ active, completed }).to.deep.equal({ active: 0, completed: begun.length });
    expect(begun).to.have.length.within(20, 99);
    expect(waiting).to.equal(700 - begun.length);
    start(100, work);
    await waitFor(async () => (await counts()).completed === 700);
    expect(begun).to.deep.equal(Array.from({ length: 700 }, (_, index) => idOf(index)));
  });

  it('loses none when its connection is cut while it asks', async () => {
    await addJobs(700);
    const times = new Map<string, number>();
    const through = { ...backend, url: proxy.through(redisUrl) };
    let fetched = 0;
    const worker = start(100, async (id) => void times.set(id, (times.get(id) ?? 0) + 1), through);
    worker.on('active', () => {
      fetched += 1;
      if (fetched === 20) void proxy.set({ kind: 'reset' }).then(() => proxy.set({ kind: 'pass' }));
    });
    await waitFor(async () => (await counts()).completed === 700, { timeoutMs: 60_000 });
    expect(times.size).to.equal(700);
    expect(proxy.opened(), 'connections, of which there are two').to.be.above(2);
  });
});
