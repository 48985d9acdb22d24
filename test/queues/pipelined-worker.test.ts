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
    await proxy.set({ kind: 'pass' });
    for (const close of closers) await close();
    await closeQueues();
  });
  after(() => proxy.close());

  const throughProxy = (): QueueBackend => ({
    kind: 'redis',
    url: proxy.through(redisUrl),
    queuePrefix: backend.queuePrefix,
    logger: backend.logger,
  });
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

  /** Resolves when so many have been fetched: the 20th with eleven asked for ahead, the 31st with none. */
  const fetched = (worker: ReturnType<typeof start>, count: number) =>
    new Promise<void>((resolve) => {
      let soFar = 0;
      worker.on('active', () => {
        soFar += 1;
        if (soFar === count) resolve();
      });
    });
  const cases = [
    { what: 'has come', count: 20 },
    { what: 'is on its way', count: 31 },
  ];
  for (const { what, count } of cases)
    it(`gives back, at its head, what it asked for and ${what} when it closes`, async () => {
      await addJobs(700);
      const begun: string[] = [];
      const work = async (id: string) => void begun.push(id);
      await proxy.set({ kind: 'latency', delayMs: 20 });
      const first = start(100, work, throughProxy());
      await fetched(first, count);
      // The next requests are sent in this turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      await first.close();
      await proxy.set({ kind: 'pass' });
      const { active, waiting, completed } = await counts();
      expect({ active, completed }).to.deep.equal({ active: 0, completed: begun.length });
      expect(begun).to.have.length.within(count, 99);
      expect(waiting).to.equal(700 - begun.length);
      start(100, work);
      await waitFor(async () => (await counts()).completed === 700);
      expect(begun).to.deep.equal(Array.from({ length: 700 }, (_, index) => idOf(index)));
    });

  it('closes without its server while it asks', async () => {
    await addJobs(700);
    await proxy.set({ kind: 'latency', delayMs: 20 });
    const { worker, isThere, disconnect } = createWorker(
      'maintenance',
      async () => undefined,
      throughProxy(),
      { concurrency: 100 },
    );
    worker.on('error', () => undefined);
    const ended = worker.run();
    await fetched(worker, 31);
    await proxy.set({ kind: 'refuse' });
    await waitFor(() => !isThere());
    // Whatever rejects here, unhandled, fails the test.
    await worker.close(true);
    disconnect();
    await ended;
    await proxy.set({ kind: 'pass' });
    const { active = 0, waiting = 0, completed = 0 } = await counts();
    expect(active + waiting + completed).to.equal(700);
  });

  it('runs each once when its connection is cut while it asks', async () => {
    await addJobs(700);
    const times = new Map<string, number>();
    const worker = start(100, async (id) => void times.set(id, (times.get(id) ?? 0) + 1), throughProxy());
    await fetched(worker, 20);
    await proxy.set({ kind: 'reset' });
    await proxy.set({ kind: 'pass' });
    await waitFor(async () => (await counts()).completed === 700, { timeoutMs: 60_000 });
    expect([...times.values()]).to.deep.equal(Array(700).fill(1));
    expect(proxy.opened(), 'connections, of which there are two').to.be.above(2);
  });
});
