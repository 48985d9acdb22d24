import type { QueueName } from '../../src/queues/jobs.js';
import { items, at as pathOf } from '../simulator/cloud.js';
import { waitFor } from '../support/wait-for.js';
import type { Supervised } from './processes.js';
import {
  hold,
  holderOf,
  isStillWaiting,
  leasesOf,
  terminate,
  untilWaiting,
  type Waiter,
  withQueues,
} from './witness.js';
import type { World } from './world.js';

/** A process that was seen in the middle of something. */
interface Caught {
  process: Supervised;
  /** Whether what it leaves behind proves that it was busy when it was killed. */
  wasBusy(): Promise<boolean>;
  /** Ends what the test did to catch it. */
  heal(): Promise<unknown>;
}

export type Stage = (world: World) => Promise<Caught>;

const LONG_MS = 60_000;
const ACCOUNTS = 'thermoworks_credentials';

/** Delays a request of an account's poll, and waits for it. @returns the account's row and who polls it */
async function asked(world: World, route: string, delayMs: number) {
  const [account] = world.users.slice(world.kills % world.users.length);
  await world.cloud.post('/_control/faults', {
    route,
    account: account?.account,
    delay_ms: delayMs,
    times: 1,
  });
  const isHit = async () =>
    items((await world.cloud.request('/_control/faults')).json).some((one) => pathOf(one, 'hits'));
  await waitFor(isHit, { timeoutMs: LONG_MS, everyMs: 10, what: `a request of ${route}` });
  const [row] = await world.db.query(
    `SELECT c.id::text FROM ${ACCOUNTS} c JOIN users u ON u.id = c.user_id WHERE u.email = $1`,
    [account?.email],
  );
  const id = String(row?.id);
  return { id, process: await holderOf(world, ACCOUNTS, id) };
}

const calm = (world: World) => world.cloud.request('/_control/faults', { method: 'DELETE' });

export const beforeFetch: Stage = async (world) => {
  const { id, process } = await asked(world, 'query', 20_000);
  return {
    process,
    wasBusy: async () => (await leasesOf(world, process, ACCOUNTS)).includes(id),
    heal: () => calm(world),
  };
};

export const afterFetch: Stage = async (world) => {
  const { process } = await asked(world, 'batchGet', 2_000);
  const lock = await hold(world, 'LOCK TABLE devices IN SHARE MODE');
  const statement = 'INSERT INTO devices%';
  const waiter = await untilWaiting(world, statement, process);
  return {
    process,
    wasBusy: () => isStillWaiting(world, statement, waiter),
    heal: () => Promise.all([lock.letGo(), calm(world)]),
  };
};

export const afterEnqueue: Stage = async (world) => {
  const since = Date.now();
  const { id, process } = await asked(world, 'batchGet', 2_000);
  const lock = await hold(world, `SELECT FROM ${ACCOUNTS} WHERE id = $1 FOR NO KEY UPDATE`, [id]);
  const statement = '%last_polled_at = now()%';
  const waiter = await untilWaiting(world, statement, process);
  const isEnqueued = () =>
    withQueues(world, async ({ readings }) => {
      const jobs = await readings.getJobs(['waiting', 'active', 'delayed', 'completed']);
      return jobs.some(({ id: job, timestamp }) => job?.startsWith(`ing-${id}-`) && timestamp >= since);
    });
  return {
    process,
    wasBusy: async () => (await isStillWaiting(world, statement, waiter)) && (await isEnqueued()),
    async heal() {
      await terminate(world, waiter);
      await lock.letGo();
      await calm(world);
    },
  };
};

/** In a transaction that waits for a table to be written; the server hears of the death first. */
const inIngest =
  (table: string, statement: string): Stage =>
  async (world) => {
    const lock = await hold(world, `LOCK TABLE ${table} IN SHARE MODE`);
    const waiter = await untilWaiting(world, statement);
    return {
      process: waiter.process,
      wasBusy: async () =>
        (await isStillWaiting(world, statement, waiter)) && (await activeJobs(world)).length > 0,
      async heal() {
        await terminate(world, waiter);
        await lock.letGo();
      },
    };
  };

/** Readings that are surely new go in by COPY. */
export const beforeInsert = inIngest('readings', 'COPY readings%');
/** Roll-ups are written after the readings, in the same transaction. */
const ROLL_UP = '%INSERT INTO session_probe_stats%';
export const beforeCommit = inIngest('session_probe_stats', ROLL_UP);

export const afterCommit: Stage = async (world) => {
  const lock = await hold(world, 'LOCK TABLE session_probe_stats IN SHARE MODE');
  const waiter = await untilWaiting(world, ROLL_UP);
  await world.proxies.redis.set({ kind: 'latency', delayMs: 2_500 });
  await lock.letGo();
  const isStored = () => hasStored(world, waiter);
  // If it gave up in this very moment there is nothing to see, and the kill does not count.
  await waitFor(isStored, { timeoutMs: 5_000, everyMs: 10 }).catch(() => undefined);
  return {
    process: waiter.process,
    wasBusy: async () => (await isStored()) && (await activeJobs(world)).length > 0,
    heal: () => world.proxies.redis.set({ kind: 'pass' }),
  };
};

async function hasStored({ db }: World, { xid }: Waiter): Promise<boolean> {
  return (await db.query('SELECT FROM readings WHERE xmin::text = $1 LIMIT 1', [xid])).length > 0;
}

export const beforeAnswer: Stage = async (world) => {
  const { receiver } = world;
  const { answer } = receiver;
  const held: { id: string; end(): void }[] = [];
  receiver.answer = (response, { headers }) =>
    held.push({ id: headers['webhook-id'] ?? '', end: () => response.writeHead(204).end() });
  const { id } = await waitFor(() => held[0], { timeoutMs: LONG_MS, everyMs: 10, what: 'a notification' });
  const process = await holderOf(world, 'notifications', id);
  return {
    process,
    wasBusy: async () => (await leasesOf(world, process, 'notifications')).includes(id),
    async heal() {
      receiver.answer = answer;
      for (const { end } of held) end();
    },
  };
};

export const afterAnswer: Stage = async (world) => {
  const { receiver } = world;
  const { answer } = receiver;
  let lock: ReturnType<typeof hold> | undefined;
  receiver.answer = async (response, request) => {
    const id = request.headers['webhook-id'];
    const isFirst = lock === undefined;
    lock ??= hold(world, 'SELECT FROM notifications WHERE id = $1 FOR NO KEY UPDATE', [id]);
    if (isFirst) await lock;
    await answer(response, request);
  };
  const statement = '%INSERT INTO notification_attempts%';
  const waiter = await untilWaiting(world, statement);
  return {
    process: waiter.process,
    wasBusy: () => isStillWaiting(world, statement, waiter),
    async heal() {
      receiver.answer = answer;
      await terminate(world, waiter);
      await (await lock)?.letGo();
    },
  };
};

/** A job that was in the hands of a process at that time. */
export interface ActiveJob {
  queue: QueueName;
  id: string;
}

export const activeJobs = (world: World): Promise<ActiveJob[]> =>
  withQueues(world, async ({ readings, notifications }) => {
    const [first, second] = await Promise.all([readings.getActive(), notifications.getActive()]);
    return [
      ...first.map(({ id = '' }) => ({ queue: 'readings' as const, id })),
      ...second.map(({ id = '' }) => ({ queue: 'notifications' as const, id })),
    ];
  });
