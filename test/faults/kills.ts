import { expect } from 'chai';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import {
  type ActiveJob,
  activeJobs,
  afterAnswer,
  afterCommit,
  afterEnqueue,
  afterFetch,
  beforeAnswer,
  beforeCommit,
  beforeFetch,
  beforeInsert,
  type Stage,
} from './kill-stages.js';
import { recovers } from './outage.js';
import { withQueues } from './witness.js';
import type { ServerOfOurs, World } from './world.js';

const LONG_MS = 60_000;
const POLLED_AGAIN_SECONDS = 15;
const RUN_AGAIN_SECONDS = 25;
const MOST_TRIES = 3;
const HITS = 20;

const ACCOUNTS = 'thermoworks_credentials';

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
async function strikeServer(world: World, server: ServerOfOurs, stage: Stage): Promise<string> {
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
  return recovers(world);
}

function serverKilled(name: string, which: 'redis' | 'postgres', stages: readonly Stage[]): Fault {
  return {
    name,
    promise: 'G1, G10',
    async run(world) {
      const figures: string[] = [];
      for (const stage of stages) figures.push(await strikeServer(world, world[which], stage));
      return `${stages.length} kills: ${figures.join(', ')}`;
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
  serverKilled('Redis killed when work is done', 'redis', [beforeCommit, afterCommit, afterAnswer]),
  serverKilled('PostgreSQL killed', 'postgres', [beforeCommit, afterFetch, afterAnswer]),
  serverKilled('PostgreSQL killed when work is done', 'postgres', [afterEnqueue, afterCommit]),
  {
    name: 'kills that hit a busy process',
    promise: 'G1',
    async run({ hits, kills: all }) {
      expect(hits).to.be.at.least(HITS);
      return `${hits} of ${all}`;
    },
  },
];
