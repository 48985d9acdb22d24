import { expect } from 'chai';
import { freePort } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import { hangingIngest } from './hanging-ingest.js';
import { type Supervised, supervise } from './processes.js';
import { endOf, startsAgain, stops } from './stops.js';
import { leasesOf } from './witness.js';
import type { World } from './world.js';

const LONG_MS = 60_000;

const fault = (world: World, body: object) => world.cloud.post('/_control/faults', body);
const calm = (world: World) => world.cloud.request('/_control/faults', { method: 'DELETE' });

/** Polls, jobs and deliveries are under way all the time. @returns what ends that */
async function fullLoad(world: World): Promise<() => Promise<void>> {
  const { receiver } = world;
  const { answer } = receiver;
  await fault(world, { route: '*', delay_ms: 250 });
  receiver.answer = (response, request) => setTimeout(() => answer(response, request), 500);
  return async () => {
    receiver.answer = answer;
    await calm(world);
  };
}

/** Waits until it polls and sends, both at this moment. */
async function untilBusy(world: World, process: Supervised): Promise<void> {
  await process.ready();
  const isBusy = async () => {
    const polls = await leasesOf(world, process, 'thermoworks_credentials');
    return polls.length > 0 && (await leasesOf(world, process, 'notifications')).length > 0;
  };
  // Which process an account or a delivery comes to is chance.
  await waitFor(isBusy, { timeoutMs: 2 * LONG_MS, everyMs: 10, what: `${process.name} to poll and to send` });
}

/** Catches it in a delivery and in polls, of which none is ever answered. @returns what ends that */
async function hang(world: World, process: Supervised): Promise<() => Promise<void>> {
  const { receiver } = world;
  const { answer } = receiver;
  const held: (() => void)[] = [];
  const ease = async () => {
    receiver.answer = answer;
    for (const end of held) end();
    await calm(world);
    // Requests that hang by now would do so for minutes.
    await world.proxies.cloud.set({ kind: 'reset' });
    await world.proxies.cloud.set({ kind: 'pass' });
    const good = 'SELECT FROM thermoworks_credentials WHERE last_error IS NULL AND last_polled_at > $1';
    const since = new Date();
    const arePolled = async () => (await world.db.query(good, [since])).length === world.users.length;
    await waitFor(arePolled, { timeoutMs: 2 * LONG_MS, everyMs: 250, what: 'a good poll of each account' });
  };
  await process.ready();
  receiver.answer = (response) => held.push(() => response.writeHead(204).end());
  const isSending = async () => (await leasesOf(world, process, 'notifications')).length > 0;
  try {
    await waitFor(isSending, { timeoutMs: LONG_MS, everyMs: 10, what: `${process.name} to send` });
    await fault(world, { route: 'query', delay_ms: 120_000 });
    await untilBusy(world, process);
  } catch (error) {
    // The faults after this one have the same world.
    await ease();
    throw error;
  }
  return ease;
}

/** Stopped while a server cannot be reached: what it cannot write down or give back is done again by others. */
function stoppedWithout(server: 'redis' | 'postgres', name: string): Fault {
  return {
    name: `SIGTERM with ${name} down`,
    promise: 'G12',
    async run(world) {
      const victim = world.process(0);
      const ease = await fullLoad(world);
      await untilBusy(world, victim);
      await world.proxies[server].set({ kind: 'refuse' });
      await waitFor(async () => !(await victim.isReady()), { timeoutMs: LONG_MS, what: 'readiness to end' });
      const figure = await stops(victim);
      // What it sent, and could not write down as sent, is sent again.
      if (server === 'postgres') world.kills += 1;
      await world.proxies[server].set({ kind: 'pass' });
      await ease();
      await startsAgain(victim);
      return figure;
    },
  };
}

/** Starts and ends of processes: nothing is lost or doubled by them, and each ends within its time. */
export const lifeCycle: readonly Fault[] = [
  {
    name: 'SIGTERM at full load',
    promise: 'G12',
    async run(world) {
      const victim = world.process(1);
      const ease = await fullLoad(world);
      await untilBusy(world, victim);
      const figure = await stops(victim);
      for (const kind of ['thermoworks_credentials', 'notifications'] as const)
        expect(await leasesOf(world, victim, kind), `leases of ${kind}`).to.deep.equal([]);
      await ease();
      await startsAgain(victim);
      return figure;
    },
  },
  {
    name: 'SIGTERM with requests that hang',
    promise: 'G12',
    retried: true,
    async run(world) {
      const victim = world.process(0);
      const ease = await hang(world, victim);
      const figure = await stops(victim);
      await ease();
      await startsAgain(victim);
      return figure;
    },
  },
  stoppedWithout('redis', 'Redis'),
  stoppedWithout('postgres', 'PostgreSQL'),
  ...hangingIngest,
  {
    name: 'SIGTERM twice',
    promise: 'G12',
    retried: true,
    async run(world) {
      const victim = world.process(0);
      const ease = await hang(world, victim);
      const told = (word: string) => victim.output().split(word).length;
      const before = told('"stopping"');
      const ended = endOf(victim);
      await waitFor(() => told('"stopping"') > before, { timeoutMs: LONG_MS, what: 'it to stop' });
      victim.signal('SIGTERM');
      expect(await ended).to.equal(1);
      expect(victim.output()).to.include('second signal');
      world.kills += 1;
      await ease();
      await startsAgain(victim);
      return 'ended at once with 1';
    },
  },
  {
    name: 'rolling restart under load',
    promise: 'G12',
    async run(world) {
      const ease = await fullLoad(world);
      const figures: string[] = [];
      for (const one of world.processes) {
        await untilBusy(world, one);
        figures.push(await stops(one));
        await startsAgain(one);
      }
      await ease();
      return figures.join(', ');
    },
  },
  {
    name: 'processes started before their servers',
    promise: 'G12',
    async run(world) {
      const { redis, postgres, processes, env } = world;
      for (const one of processes) await stops(one);
      await Promise.all([redis.stop(), postgres.stop()]);
      for (const one of processes) await one.start();
      const console_ = { ...env, HTTP_PORT: `${await freePort()}` };
      world.processes.push(await supervise('console', ['--roles', 'console'], console_));
      const isWaiting = async (one: Supervised) => (await one.get('/health')).status === 503;
      const waitingAll = async () => (await Promise.all(processes.map(isWaiting))).every(Boolean);
      await waitFor(waitingAll, { timeoutMs: LONG_MS, what: 'processes that wait' });
      await postgres.start();
      await redis.start();
      for (const one of processes) await one.ready();
      return undefined;
    },
  },
];
