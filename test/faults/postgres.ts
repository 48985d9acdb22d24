import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { Client } from 'pg';
import { createLogger } from '../../src/logger.js';
import { openQueues } from '../../src/queues/backend.js';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import { areUnready, figureOf, isStoring, outage, recovers, WAIT } from './outage.js';
import type { Supervised } from './processes.js';
import type { World } from './world.js';

const TIMES = 3;
/** Each of our processes writes fewer lines than this in 30 s without its database. */
const OUTAGE_LINES = 40;
const QUEUES = { queuePrefix: 'grill-stats', logger: createLogger({ level: 'error', format: 'pretty' }) };

/** PostgreSQL restarted, killed, silent, locked, cut off and away. */
export const postgresFaults: readonly Fault[] = [
  {
    name: 'PostgreSQL: planned restart',
    promise: 'G1, G6, G10',
    async run(world) {
      const answer = await deliveryUnderWay(world);
      return outage(world, async () => {
        await world.postgres.stop();
        answer();
        await world.postgres.start();
      });
    },
  },
  {
    name: 'PostgreSQL: every connection terminated, three times',
    promise: 'G1, G6, G10',
    async run(world) {
      return outages(world, async () => undefined, terminateAtWork);
    },
  },
  {
    name: 'PostgreSQL: hard restart, three times',
    promise: 'G1, G4, G10',
    async run(world) {
      return outages(world, () => world.postgres.start(), killServer);
    },
  },
  {
    name: 'PostgreSQL: half-open for 30 s',
    promise: 'G1, G10',
    async run(world) {
      await isStoring(world);
      return outage(world, async () => {
        await world.proxies.postgres.set({ kind: 'swallow' });
        await Promise.all([sleep(30_000), areUnready(world)]);
        await world.proxies.postgres.set({ kind: 'pass' });
      });
    },
  },
  { name: 'PostgreSQL: 20 s exclusive lock on readings', promise: 'G1, G10', run: lockReadings },
  // The last one: what the cloud overwrote meanwhile is missing from then on.
  { name: 'PostgreSQL: away for 30 s', promise: 'G3, G10', mayLose: true, run: beAway },
];

/** For a world of its own, whose server has few connections. */
export const exhaustionFaults: readonly Fault[] = [
  {
    name: 'PostgreSQL: all connections used up by idle transactions, 20 s',
    promise: 'G1, G10',
    async run(world) {
      await isStoring(world);
      const sessions: Client[] = [];
      const figure = await outage(world, async () => {
        try {
          await occupyAll(world, sessions);
          await Promise.all([sleep(20_000), areUnready(world)]);
        } finally {
          await Promise.all(sessions.map((session) => session.end()));
        }
      });
      return `${sessions.length} sessions, ${figure}`;
    },
  },
];

/** Everything goes on without its database for 30 s, and what we say of it stays short. */
async function beAway(world: World): Promise<string> {
  await isStoring(world);
  const lines = () => world.processes.map((one) => one.output().split('\n').length);
  const series = () => Promise.all(world.processes.map(seriesOf));
  const before = { lines: lines(), series: await series() };
  world.kills += world.processes.length;
  await world.postgres.stop();
  await Promise.all([sleep(30_000), areUnready(world)]);
  const written = lines().map((count, index) => count - (before.lines[index] ?? 0));
  await world.postgres.start();
  const figure = await recovers(world);
  for (const count of written) expect(count, 'lines in 30 s').to.be.below(OUTAGE_LINES);
  // The words of labels are few and known beforehand: none tells one error from another.
  for (const [index, count] of (await series()).entries())
    expect(count, 'series').to.be.below((before.series[index] ?? 0) + 30);
  return `at most ${Math.max(...written)} lines per process, ${figure}`;
}

async function seriesOf(one: Supervised): Promise<number> {
  const { text } = await one.get('/metrics');
  return text.split('\n').filter((line) => line.startsWith('grill_stats_')).length;
}

/** Waits until a receiver has been told of something. @returns what lets it answer */
async function deliveryUnderWay({ receiver }: World): Promise<() => void> {
  const { answer } = receiver;
  const held: ServerResponse[] = [];
  receiver.answer = (response) => {
    receiver.answer = answer;
    held.push(response);
  };
  const [response] = await waitFor(() => held.length > 0 && held, {
    ...WAIT,
    everyMs: 3,
    what: 'a delivery',
  });
  return () => response?.writeHead(204).end();
}

/** A client of the server that stores readings or their roll-ups, and has not committed them yet. */
const AT_WORK = `backend_type = 'client backend' AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
  AND (query LIKE 'COPY readings%' OR query LIKE '%INSERT INTO session_probe_stats%')`;

/** All connections but one's own, while somebody stores readings. */
async function terminateAtWork({ db }: World): Promise<void> {
  const isDone = async () => {
    const ended = await db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
       AND EXISTS (SELECT FROM pg_stat_activity WHERE ${AT_WORK})`,
    );
    return ended.length > 0;
  };
  await waitFor(isDone, { ...WAIT, everyMs: 1, what: 'a connection that stores readings' });
}

/** SIGKILL of the server and all processes of it, while somebody stores readings. */
async function killServer({ db, postgres }: World): Promise<void> {
  const { pid } = postgres;
  const rows = await waitFor(
    async () => {
      const all: { pid: number; busy: boolean }[] = await db.query(
        `SELECT pid, coalesce(${AT_WORK}, false) AS busy FROM pg_stat_activity`,
      );
      return all.some(({ busy }) => busy) && all;
    },
    { ...WAIT, everyMs: 1, what: 'a connection that stores readings' },
  );
  postgres.kill();
  for (const row of rows) signalled(row.pid, 'SIGKILL');
  await waitFor(() => !signalled(pid, 0), { what: 'the server to be gone' });
}

/** @returns whether there is such a process */
export function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Nothing can be stored for 20 s: polls go on, and their jobs wait without using up an attempt. */
async function lockReadings(world: World): Promise<string> {
  await isStoring(world);
  const { queues, close } = await openQueues({ kind: 'redis', url: world.redis.url, ...QUEUES });
  const client = new Client({ connectionString: world.postgres.url });
  try {
    await client.connect();
    await client.query('BEGIN; LOCK TABLE readings IN ACCESS EXCLUSIVE MODE');
    const polls = async () => {
      const counts = world.processes.map((one) => figureOf(one, 'polls_total{outcome="ok"}'));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    };
    const polled = await polls();
    const others = Promise.all([
      waitFor(async () => (await polls()) > polled + 10, { ...WAIT, what: 'polls to go on' }),
      waitFor(async () => (await queues.readings.getDelayedCount()) > 0, {
        ...WAIT,
        what: 'jobs to wait',
      }),
    ]);
    await Promise.all([sleep(20_000), others]);
    const jobs = await queues.readings.getJobs(['waiting', 'active', 'delayed', 'failed']);
    expect(Math.max(...jobs.map(({ attemptsMade }) => attemptsMade)), 'attempts used up').to.equal(0);
    await client.query('COMMIT');
    const figure = await recovers(world);
    return `${jobs.length} jobs waited, ${(await polls()) - polled} polls, ${figure}`;
  } finally {
    await client.end();
    await close();
  }
}

/** Takes every connection that the server has, also those that were ours, and leaves each idle in a transaction. */
async function occupyAll({ postgres, db }: World, sessions: Client[]): Promise<void> {
  const [{ most }] = await db.query("SELECT current_setting('max_connections')::integer AS most");
  const isTaken = async () => {
    const session = new Client({ connectionString: postgres.url, application_name: 'occupier' });
    session.on('error', () => undefined);
    try {
      await session.connect();
      sessions.push(session);
      await session.query('BEGIN; SELECT 1');
    } catch {
      await sessions[0]?.query('ROLLBACK; BEGIN'); // it would see the same sessions for ever
      await sessions[0]?.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name <> 'occupier' AND backend_type = 'client backend'`,
      );
    }
    return sessions.length >= most;
  };
  await waitFor(isTaken, { ...WAIT, everyMs: 1, what: 'every connection to be taken' });
}

/** Again and again, each time when it is at work. @returns what each took */
async function outages(
  world: World,
  during: () => Promise<unknown>,
  strike: (world: World) => Promise<unknown>,
): Promise<string> {
  const figures: string[] = [];
  for (let time = 0; time < TIMES; time++) figures.push(await outage(world, during, () => strike(world)));
  return figures.join(', ');
}
