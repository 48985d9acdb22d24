import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { at } from '../simulator/cloud.js';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import type { World } from './world.js';

const WAIT = { timeoutMs: 120_000, everyMs: 100 };
const SEED = 7;
/** More than the notifiers of a world together send at once. */
const SLOW_CHANNELS = 20;
/** What one process sends at once to one host. */
const PER_HOST = 2;

/** In [0, 1), the same in every run. */
const chance = (index: number): number =>
  createHash('sha256').update(`${SEED} ${index}`).digest().readUInt32BE() / 2 ** 32;

async function count(world: World, from: string, parameters: unknown[] = []): Promise<number> {
  const [row] = await world.db.query(`SELECT count(*)::integer AS n FROM ${from}`, parameters);
  return row.n;
}

/** Channels of the first user besides the one of the world. @returns their row ids, and how to delete them */
async function addChannels(world: World, urls: readonly string[]) {
  const email = world.users[0]?.email ?? '';
  const publicIds: string[] = [];
  for (const url of urls) {
    const create = ['channel', 'create', '--email', email, '--kind', 'webhook', '--url', url];
    publicIds.push(String(at(await world.cli(create), 'id')));
  }
  const rows: { id: number }[] = await world.db.query(
    'SELECT id FROM notification_channels WHERE public_id = ANY($1)',
    [publicIds],
  );
  return {
    ids: rows.map(({ id }) => id),
    async remove() {
      for (const id of publicIds) await world.cli(['channel', 'delete', id]);
    },
  };
}

/** A receiver of its own, and channels to it, as long as `work` lasts. */
async function withChannels<T>(
  world: World,
  paths: readonly string[],
  answer: Receiver['answer'],
  work: (channelIds: number[], receiver: Receiver) => Promise<T>,
): Promise<T> {
  const receiver = await startReceiver();
  receiver.answer = answer;
  const channels = await addChannels(
    world,
    paths.map((path) => `${receiver.url}${path}`),
  );
  try {
    return await work(channels.ids, receiver);
  } finally {
    await channels.remove();
    await receiver.close();
  }
}

/** Receivers that refuse, vanish, stall and are gone: each event arrives, once accepted, and in order. */
export const receiverFaults: readonly Fault[] = [
  {
    name: 'receiver hangs up on the first copy of everything',
    promise: 'G6, G7',
    quick: true,
    retried: true,
    async run(world) {
      const seen = new Map<string, number>();
      world.receiver.answer = (response, { path, headers }) => {
        const id = headers['webhook-id'] ?? '';
        const copies = (seen.get(id) ?? 0) + 1;
        seen.set(id, copies);
        if (copies === 1) return response.destroy();
        accepted.set(path, (accepted.get(path) ?? 0) + 1);
        return response.writeHead(204).end();
      };
      const accepted = new Map<string, number>();
      const isTold = () => world.users.every((_, index) => (accepted.get(`/cook${index}`) ?? 0) >= 2);
      await waitFor(isTold, { ...WAIT, what: 'two events of every alert' });
      world.receiver.answer = (response) => response.writeHead(204).end();
      return `${seen.size} events`;
    },
  },
  {
    name: 'receiver fails 5 % and hangs up 5 %',
    promise: 'G6, G7',
    retried: true,
    async run(world) {
      const before = world.receiver.received.length;
      let [failed, hungUp] = [0, 0];
      world.receiver.answer = (response) => {
        const share = chance(world.receiver.received.length - before);
        if (share < 0.05) failed += 1;
        else if (share < 0.1) hungUp += 1;
        if (share >= 0.05 && share < 0.1) return response.destroy();
        return response.writeHead(share < 0.05 ? 500 : 204).end();
      };
      await waitFor(() => failed >= 3 && hungUp >= 3, { ...WAIT, what: 'three failures of each kind' });
      world.receiver.answer = (response) => response.writeHead(204).end();
      return `${failed} refused and ${hungUp} cut of ${world.receiver.received.length - before}`;
    },
  },
  {
    name: 'receiver down for 20 s',
    promise: 'G6, G7',
    retried: true,
    async run(world) {
      await world.proxies.receiver.set({ kind: 'refuse' });
      await sleep(20_000);
      const waiting = "notifications WHERE status = 'pending'";
      const isFelt = async () => (await count(world, waiting)) >= 2 * world.users.length;
      await waitFor(isFelt, { ...WAIT, what: 'two events of every alert that wait' });
      const ids: { id: string }[] = await world.db.query(`SELECT id FROM ${waiting}`);
      await world.proxies.receiver.set({ kind: 'pass' });
      const since = performance.now();
      const open = () => count(world, `${waiting} AND id = ANY($1)`, [ids.map(({ id }) => id)]);
      await waitFor(async () => (await open()) === 0, { ...WAIT, what: 'what waited to be delivered' });
      return `${ids.length} waited, delivered ${Math.round((performance.now() - since) / 1000)} s after it was back`;
    },
  },
  {
    name: 'one receiver never answers',
    promise: 'G6, G9',
    async run(world) {
      const paths = Array.from({ length: SLOW_CHANNELS }, (_, index) => `/slow${index}`);
      let [held, most] = [0, 0];
      const hold: Receiver['answer'] = (response) => {
        held += 1;
        most = Math.max(most, held);
        response.on('close', () => {
          held -= 1;
        });
      };
      return withChannels(world, paths, hold, async (slowIds) => {
        await waitFor(() => held >= 2, { ...WAIT, what: 'requests that are held' });
        const others = `notifications n JOIN notification_channels c ON c.id = n.channel_id
            WHERE c.user_id <> (SELECT user_id FROM notification_channels WHERE id = ANY($1) LIMIT 1)
              AND n.delivered_at > n.created_at AND n.created_at > $2`;
        // From beginning to end while the other one held a request that had begun before.
        const meanwhile = `${others} AND EXISTS (
            SELECT FROM notification_attempts a JOIN notifications s ON s.id = a.notification_id
            WHERE s.channel_id = ANY($1) AND a.started_at < n.created_at
              AND a.started_at + a.latency_ms * interval '1 ms' > n.delivered_at)`;
        const since = new Date();
        const arePrompt = async () => (await count(world, meanwhile, [slowIds, since])) >= 12;
        await waitFor(arePrompt, {
          ...WAIT,
          what: 'deliveries to others while one receiver holds requests',
        });
        // Twice what may be: a request that was given up is seen to end only after the next has begun.
        expect(most, 'requests held at once').to.be.at.most(2 * PER_HOST * world.processes.length);
        const [{ all, ms }] = await world.db.query(
          `SELECT count(*)::integer AS all, max(1000 * extract(epoch FROM n.delivered_at - n.created_at))::integer AS ms FROM ${others}`,
          [slowIds, since],
        );
        return `${most} held at once, ${all} to others meanwhile, the slowest after ${ms} ms`;
      });
    },
  },
  {
    name: 'one receiver is gone (410)',
    promise: 'G6, G10',
    async run(world) {
      return withChannels(
        world,
        ['/gone'],
        (response) => response.writeHead(410).end(),
        async ([channelId], gone) => {
          const ofIt = 'notifications WHERE channel_id = $1';
          const isOff = async () =>
            (await count(world, 'notification_channels WHERE id = $1 AND NOT is_active', [channelId])) ===
              1 && (await count(world, `${ofIt} AND status = 'pending'`, [channelId])) === 0;
          await waitFor(isOff, { ...WAIT, what: 'the channel to be off and nothing to wait for it' });
          const events = await count(world, 'alert_events');
          const isOn = async () => (await count(world, 'alert_events')) >= events + 2 * world.users.length;
          await waitFor(isOn, { ...WAIT, what: 'more events of every alert' });
          await waitFor(isOff, { ...WAIT, what: 'nothing to wait for a channel that is off' });
          expect(gone.received, 'requests to a receiver that is gone').to.have.lengthOf(1);
          return `off after the first request, ${await count(world, ofIt, [channelId])} failed`;
        },
      );
    },
  },
];
