import { expect } from 'chai';
import type { QueueName } from '../../src/queues/jobs.js';
import { items, at as pathOf } from '../simulator/cloud.js';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
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
import type { ServerOfOurs, World } from './world.js';

/** A process that was seen in the middle of something. */
interface Caught {
  process: Supervised;
  /** Whether what it leaves behind proves that it was busy when it was killed. */
  wasBusy(): Promise<boolean>;
  /** Ends what the test did to catch it. */
  heal(): Promise<unknown>;
}

type Stage = (world: World) => Promise<Caught>;

const LONG_MS = 60_000;
const POLLED_AGAIN_SECONDS = 15;
const RUN_AGAIN_SECONDS = 25;
const MOST_TRIES = 3;
const HITS = 20;

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

const beforeFetch: Stage = async (world) => {
  const { id, process } = await asked(world, 'query', 20_000);
  return {
    process,
    wasBusy: async () => (await leasesOf(world, process, ACCOUNTS)).includes(id),
    heal: () => calm(world),
  };
};

const afterFetch: Stage = async (world) => {
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

const afterEnqueue: Stage = async (world) => {
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
const beforeInsert = inIngest('readings', 'COPY readings%');
/** Roll-ups are written after the readings, in the same transaction. */
const ROLL_UP = '%INSERT INTO session_probe_stats%';
const beforeCommit = inIngest('session_probe_stats', ROLL_UP);

const afterCommit: Stage = async (world) => {
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

const beforeAnswer: Stage = async (world) => {
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

const afterAnswer: Stage = async (world) => {
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
interface ActiveJob {
  queue: QueueName;
  id: string;
}

const activeJobs = (world: World): Promise<ActiveJob[]> =>
  withQueues(world, async ({ readings, notifications }) => {
    const [first, second] = await Promise.all([readings.getActive(), notifications.getActive()]);
    return [
      ...first.map(({ id = '' }) => ({ queue: 'readings' as const, id })),
      ...second.map(({ id = '' }) => ({ queue: 'notifications' as const, id })),
    ];
  });

interface Struck {
  /** Epoch ms. */
  since: number;
  jobs: ActiveJob[];
}

/** Kills a process in this stage, again if it was no longer busy. @returns when, and the jobs in anybody's hands */
async function strike(world: World, stage: Stage): Promise<Struck> {
  for (let tries = 1; ; tries += 1) {
    for (const one of world.processes) await one.ready();
    const caught = await stage(world);
    const since = Date.now();
    await world.kill(caught.process);
    const wasBusy = await caught.wasBusy();
    const jobs = await activeJobs(world);
    await caught.heal();
    if (wasBusy) {
      world.hits += 1;
      return { since, jobs };
    }
    expect(tries, 'kills that all missed').to.be.below(MOST_TRIES);
  }
}

const patience = { timeoutMs: LONG_MS, everyMs: 50 };

/** Waits until every account is polled again. @returns after how many seconds the last of them was */
async function polledAgain(world: World, since: number): Promise<number> {
  const seconds = new Map<number, number>();
  const arePolled = async () => {
    const rows = await world.db.query(`SELECT id, last_polled_at AS at FROM ${ACCOUNTS}`);
    for (const { id, at } of rows) if (at > since && !seconds.has(id)) seconds.set(id, (at - since) / 1000);
    return seconds.size === world.users.length;
  };
  await waitFor(arePolled, { ...patience, what: 'a poll of each account' });
  return Math.max(...seconds.values());
}

/** Waits until each of these jobs was started again, or had ended. @returns after how many seconds the last one was */
async function ranAgain(world: World, { since, jobs }: Struck): Promise<number> {
  const seconds = new Map<ActiveJob, number>();
  const areRun = () =>
    withQueues(world, async (queues) => {
      for (const seen of jobs.filter((one) => !seconds.has(one))) {
        const job = await queues[seen.queue].getJob(seen.id);
        const startedAt = job?.processedOn ?? 0;
        if (startedAt > since) seconds.set(seen, (startedAt - since) / 1000);
        // Of a process that lives: it ended without having been started anew.
        else if (!job || job.finishedOn) seconds.set(seen, 0);
      }
      return seconds.size === jobs.length;
    });
  await waitFor(areRun, { ...patience, what: 'the jobs of a killed process to run' });
  return Math.max(0, ...seconds.values());
}

function killed(name: string, stages: readonly Stage[], quick = false): Fault {
  return {
    name,
    promise: 'G1',
    quick,
    async run(world) {
      const struck: Struck[] = [];
      const polls: number[] = [];
      for (const stage of stages) {
        const one = await strike(world, stage);
        struck.push(one);
        polls.push(await polledAgain(world, one.since));
      }
      const runs = await Promise.all(struck.map((one) => ranAgain(world, one)));
      const [polled, ran] = [Math.max(...polls), Math.max(...runs)];
      // What is run everywhere also passes on a machine that stands still for some seconds; the others prove the bounds.
      const patienceFactor = quick ? 2 : 1;
      expect(polled, 'seconds until polled again').to.be.at.most(POLLED_AGAIN_SECONDS * patienceFactor);
      expect(ran, 'seconds until run again').to.be.at.most(RUN_AGAIN_SECONDS * patienceFactor);
      return `${stages.length} kills, polled again after ${polled.toFixed(1)} s, jobs after ${ran.toFixed(1)} s`;
    },
  };
}

/** Kills a server while a process of ours is in this stage, and starts it again. */
async function strikeServer(world: World, server: ServerOfOurs, stage: Stage): Promise<void> {
  for (const one of world.processes) await one.ready();
  const caught = await stage(world);
  if (await caught.wasBusy()) world.hits += 1;
  world.kills += 1;
  server.kill();
  await caught.heal();
  const isUp = async () => {
    await server.start();
    return true;
  };
  await waitFor(isUp, { timeoutMs: LONG_MS, everyMs: 250, what: 'the server to start again' });
}

function serverKilled(name: string, which: 'redis' | 'postgres', stages: readonly Stage[]): Fault {
  return {
    name,
    promise: 'G1, G10',
    async run(world) {
      for (const stage of stages) await strikeServer(world, world[which], stage);
      return `${stages.length} kills`;
    },
  };
}

const twice = (stage: Stage) => [stage, stage];

/** SIGKILL at every stage of the path of a reading, each when a process was seen to be in it. */
export const kills: readonly Fault[] = [
  killed('worker, poller and notifier killed at work', [beforeCommit, beforeFetch, afterAnswer], true),
  killed('poller killed before the cloud answers', twice(beforeFetch)),
  killed('poller killed between fetch and enqueue', twice(afterFetch)),
  killed('poller killed after it enqueued', twice(afterEnqueue)),
  killed('worker killed before it inserts', twice(beforeInsert)),
  killed('worker killed between insert and commit', twice(beforeCommit)),
  killed('worker killed between commit and report', twice(afterCommit)),
  killed("notifier killed before a receiver's answer", twice(beforeAnswer)),
  killed("notifier killed after a receiver's answer", twice(afterAnswer)),
  serverKilled('Redis killed', 'redis', [beforeInsert, afterEnqueue, beforeAnswer]),
  serverKilled('PostgreSQL killed', 'postgres', [beforeCommit, afterFetch, afterAnswer]),
  {
    name: 'kills that hit a busy process',
    promise: 'G1',
    async run({ hits, kills: all }) {
      expect(hits).to.be.at.least(HITS);
      return `${hits} of ${all}`;
    },
  },
];
