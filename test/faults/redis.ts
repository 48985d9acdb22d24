import { expect } from 'chai';
import { Redis } from 'ioredis';
import { createLogger } from '../../src/logger.js';
import { openQueues, type Queues } from '../../src/queues/backend.js';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import { goOn } from './oracle.js';
import type { World } from './world.js';

const WAIT = { timeoutMs: 120_000, everyMs: 100 };
/** Whatever Redis suffered: this long after it is well again readings go through the queue as before. */
const HEALED = { timeoutMs: 60_000, everyMs: 100 };
const logger = createLogger({ level: 'error', format: 'pretty' });

/** The Redis of the world past its proxy: as an administrator sees it, and as BullMQ does. */
async function look<T>(world: World, work: (redis: Redis, queues: Queues) => Promise<T>): Promise<T> {
  const backend = { kind: 'redis' as const, url: world.redis.url, queuePrefix: 'grill-stats', logger };
  const { queues, close } = await openQueues(backend);
  const redis = new Redis(world.redis.url);
  redis.on('error', () => undefined); // said by the call that meets it
  try {
    return await work(redis, queues);
  } finally {
    await close();
    redis.disconnect();
  }
}

async function count(world: World, from: string): Promise<number> {
  const [row] = await world.db.query(`SELECT count(*)::integer AS n FROM ${from}`);
  return row.n;
}

/** Waits until so many more readings are stored, by whichever way. */
async function stored(world: World, more: number): Promise<void> {
  const before = await count(world, 'readings');
  const isMore = async () => (await count(world, 'readings')) >= before + more;
  await waitFor(isMore, { ...WAIT, what: `${more} more readings` });
}

/** Waits until a job of readings is done that was made now or later. @returns seconds that it took */
async function throughQueue(world: World): Promise<number> {
  const since = Date.now();
  await look(world, async (_, { readings }) => {
    const isDone = async () => ((await readings.getCompleted(0, 0))[0]?.timestamp ?? 0) >= since;
    await waitFor(isDone, { ...HEALED, what: 'a job of readings that goes through the queue' });
  });
  return Math.round((Date.now() - since) / 1000);
}

/** Readings are stored past a queue that is not there, for so long at least. */
async function without(world: World, seconds: number): Promise<string> {
  const until = Date.now() + seconds * 1000;
  const before = await count(world, 'readings');
  do await stored(world, 3);
  while (Date.now() < until);
  return `${(await count(world, 'readings')) - before} stored directly`;
}

/** What {@link without} says, and how long after the end of it the queue is used again. */
async function lasting(world: World, seconds: number, heal: () => unknown): Promise<string> {
  const directly = await without(world, seconds).finally(heal);
  return `${directly}, through the queue again after ${await throughQueue(world)} s`;
}

/**
 * Connections that were lost are made again, and then stay: they are not lost again by what the first loss left behind.
 * (BullMQ itself renews some of those for its blocking reads once more, six seconds later.)
 * @returns how many were made again before all stayed for 20 s
 */
async function staysConnected({ proxies: { redis } }: World, connections: number): Promise<number> {
  const before = redis.opened();
  let opened = 0;
  let since = 0;
  const isCalm = () => {
    if (redis.opened() !== opened || redis.connections() !== connections) since = performance.now();
    opened = redis.opened();
    return performance.now() - since > 20_000;
  };
  await waitFor(isCalm, { ...WAIT, what: `${connections} connections that stay` });
  expect(opened - before, 'connections lost again').to.be.below(connections);
  return opened - before;
}

/** With the cloud's clock standing still nothing that is only queued is overwritten. */
async function standStill(world: World): Promise<void> {
  await world.swings.pause();
  await world.cloud.post('/_control/clock', { speed: 0 });
}

/** Something new of each user's device, so that each account's next poll makes a job. */
async function showNews(world: World): Promise<void> {
  for (const [index, { deviceId }] of world.users.entries()) {
    const device = (await world.cloud.devices(index)).find(({ id }) => id === deviceId);
    const news = { device_id: deviceId, probe_id: device?.probes[0], manual: true };
    await world.cloud.post('/_control/clock', { advance_seconds: 1 });
    await world.cloud.post('/_control/readings', { ...news, readings: [{ value: 215 }] });
  }
}

/** So much that the cloud itself forgets what it showed before; in the queue when this resolves. */
async function showMore(world: World, readings: Queues['readings']): Promise<void> {
  const shown = () => world.cloud.simulator.ledger().length;
  const before = shown();
  const jobs = new Set((await readings.getJobs()).map(({ id }) => id));
  await world.cloud.post('/_control/clock', { advance_seconds: 900 });
  await waitFor(() => shown() >= before + 10, { ...WAIT, what: 'readings that overwrite others' });
  const isQueued = async () => (await readings.getJobs()).some(({ id }) => !jobs.has(id));
  await waitFor(isQueued, { ...WAIT, what: 'another job' });
}

/** Wipes queues that hold readings and notifications. */
async function flush(world: World, { overwrite = false } = {}): Promise<string> {
  return look(world, async (redis, { readings, notifications }) => {
    await notifications.pause();
    const isTold = async () => (await notifications.count()) > 0;
    await waitFor(isTold, { ...WAIT, what: 'a notification in the queue' });
    await standStill(world);
    await readings.pause();
    await showNews(world);
    const isQueued = async () => (await readings.count()) >= world.users.length;
    await waitFor(isQueued, { ...WAIT, what: 'readings in the queue' });
    for (let times = 0; overwrite && times < 3; times++) await showMore(world, readings);
    const jobs = (await readings.count()) + (await notifications.count());
    const [{ at }] = await world.db.query('SELECT clock_timestamp() AS at');
    await redis.flushall();
    const waiting = `notifications WHERE status = 'pending' AND created_at < '${at.toISOString()}'`;
    await waitFor(async () => (await count(world, waiting)) === 0, {
      ...HEALED,
      what: 'relayed notifications',
    });
    await goOn(world);
    await throughQueue(world);
    return `${jobs} jobs wiped`;
  });
}

async function figures(redis: Redis): Promise<{ used: number; limit: number; refused: number }> {
  const info = `${await redis.info('memory')}${await redis.info('errorstats')}`;
  const value = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
  return {
    used: value(/^used_memory:(\d+)/m),
    limit: value(/^maxmemory:(\d+)/m),
    refused: value(/^errorstat_OOM:count=(\d+)/m),
  };
}

/** Keys of somebody else and a limit near to them, until the work is done. @param limitOf used bytes to the limit */
async function nearLimit<T>(
  redis: Redis,
  { readings }: Queues,
  limitOf: (used: number) => number,
  work: () => Promise<T>,
): Promise<T> {
  await readings.clean(0, 0, 'completed');
  try {
    for (let index = 0; index < 400; index++) await redis.set(`foreign:${index}`, 'x'.repeat(60_000));
    await redis.config('RESETSTAT');
    await redis.config('SET', 'maxmemory', limitOf((await figures(redis)).used));
    return await work();
  } finally {
    await redis.config('SET', 'maxmemory', 0);
    await redis.del(await redis.keys('foreign:*'));
    await readings.resume();
  }
}

/** Jobs of readings that nobody takes, until {@link nearLimit} is over or they are resumed. */
async function makeBacklog({ readings }: Queues): Promise<void> {
  await readings.pause();
  await waitFor(async () => (await readings.count()) >= 3, { ...WAIT, what: 'readings in the queue' });
}

/** A backlog that nobody takes comes to the limit: nothing is refused, for workers need room to take jobs. */
async function fillByBacklog(world: World, limitOf: (used: number) => number): Promise<string> {
  return look(world, async (redis, queues) => {
    const { readings } = queues;
    await makeBacklog(queues);
    const figure = await nearLimit(redis, queues, limitOf, async () => {
      const before = await count(world, 'readings');
      const isFull = async () => {
        // Buffers that are given back meanwhile make no room.
        const { used, limit } = await figures(redis);
        await redis.config('SET', 'maxmemory', Math.min(limit, limitOf(used)));
        // With nobody at the queue they can only be stored directly.
        return (await count(world, 'readings')) >= before + 10;
      };
      await waitFor(isFull, { ...WAIT, what: 'readings that are stored directly' });
      const [{ used, limit }, backlog] = [await figures(redis), await readings.count()];
      await stored(world, 10);
      await readings.resume();
      const isTaken = async () => (await readings.count()) === 0;
      await waitFor(isTaken, { ...HEALED, what: 'the backlog to be taken from the full server' });
      expect((await figures(redis)).refused, 'writes that the full server refused').to.equal(0);
      return `${backlog} jobs waited at ${Math.round((used / limit) * 100)} %`;
    });
    return `${figure}, through the queue again after ${await throughQueue(world)} s`;
  });
}

/** Keys of somebody else are more than the limit: workers that start look for jobs and are not given those that are there. */
async function fillByOthers(world: World): Promise<string> {
  return look(world, async (redis, queues) => {
    const written = world.processes.map((one) => one.output().length);
    await makeBacklog(queues);
    const limitOf = (used: number) => used - 2_000_000;
    const figure = await nearLimit(redis, queues, limitOf, async () => {
      await queues.readings.resume();
      await world.kill(world.process(1));
      const isRefused = async () => (await figures(redis)).refused > 0;
      await waitFor(isRefused, { ...WAIT, what: 'a worker to be refused' });
      await redis.config('RESETSTAT');
      const startedAt = performance.now();
      const directly = await without(world, 20);
      const refused = ((await figures(redis)).refused * 1000) / (performance.now() - startedAt);
      expect(refused, 'refused commands a second').to.be.below(100);
      return `${directly}, ${Math.round(refused)} commands a second refused`;
    });
    const lines = world.processes
      .flatMap((one, index) => one.output().slice(written[index]).split('\n'))
      .filter((line) => line.includes('OOM'));
    expect(lines.length, 'lines in the log').to.be.below(20 * world.processes.length);
    return `${figure}, through the queue again after ${await throughQueue(world)} s`;
  });
}

/** What can happen to Redis, which holds nothing that is not a row or shown by the cloud. */
export const redisFaults: readonly Fault[] = [
  {
    name: 'Redis wiped',
    promise: 'G2',
    run: (world) => flush(world),
  },
  {
    name: 'Redis refuses, then takes connections again',
    promise: 'G10',
    quick: true,
    async run(world) {
      await world.proxies.redis.set({ kind: 'refuse' });
      return lasting(world, 0, () => world.proxies.redis.set({ kind: 'pass' }));
    },
  },
  {
    name: 'Redis near its memory limit, nobody takes jobs',
    promise: 'G10',
    run: (world) => fillByBacklog(world, (used) => Math.round(used / 0.85)),
  },
  {
    name: 'Redis filled by a backlog',
    promise: 'G10',
    async run(world) {
      await world.cloud.post('/_control/clock', { speed: 30 });
      return fillByBacklog(world, (used) => Math.round((used + 120_000) / 0.75));
    },
  },
  {
    name: 'Redis filled by somebody else',
    promise: 'G10',
    run: fillByOthers,
  },
  {
    name: 'Redis paused for 10 s',
    promise: 'G10',
    async run(world) {
      process.kill(world.redis.pid, 'SIGSTOP');
      return lasting(world, 10, () => process.kill(world.redis.pid, 'SIGCONT'));
    },
  },
  {
    name: 'Redis half-open for 30 s',
    promise: 'G10',
    async run(world) {
      await world.proxies.redis.set({ kind: 'swallow' });
      return lasting(world, 30, () => world.proxies.redis.set({ kind: 'pass' }));
    },
  },
  {
    name: 'connections to Redis cut and refused',
    promise: 'G10',
    async run(world) {
      const connections = world.proxies.redis.connections();
      await world.proxies.redis.set({ kind: 'refuse' });
      const figure = await lasting(world, 2, () => world.proxies.redis.set({ kind: 'pass' }));
      return `${figure}, ${await staysConnected(world, connections)} connections lost again`;
    },
  },
  {
    name: 'Redis down for a minute',
    promise: 'G2, G10',
    async run(world) {
      await world.redis.stop();
      return lasting(world, 60, () => world.redis.start());
    },
  },
  // The last one: what it loses stays lost.
  {
    name: 'Redis wiped three times, readings overwritten meanwhile',
    promise: 'G2, G3',
    mayLose: true,
    async run(world) {
      for (let times = 0; times < 2; times++) await flush(world);
      return flush(world, { overwrite: true });
    },
  },
];
