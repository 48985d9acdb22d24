import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { waitFor } from '../support/wait-for.js';
import { eventsAreWhole, eventsWereDelivered } from './events.js';
import { eventsArrivedInOrder } from './order.js';
import { rollUpsAreExact } from './roll-ups.js';
import { secretsAreNowhere } from './secrets.js';
import { gapsAreHonest, readingsAreStored } from './stored.js';
import type { World } from './world.js';

/** A notifier sends at most 8 at once: what a kill can make a receiver get twice. */
const SENDER_CONCURRENCY = 8;
const DRAIN_MS = 120_000;

/** What all promises come to, after everything has come to rest. */
export interface Verdict {
  readings: number;
  /** Shown by the cloud and neither stored nor still shown: only where the queue itself was wiped. */
  lost: number;
  sessions: number;
  events: number;
  /** Copies of a notification beyond the first that receivers got. */
  duplicates: number;
}

/**
 * Lets everything drain and checks it: stored = shown, row by row; gaps of what is not stored only; roll-ups = recomputation;
 * of every alert the events that its readings make, in unbroken versions; every event at its receiver, one after the
 * other; no dead letter; no secret anywhere; no process that ended by itself.
 * @param mayLose readings that were queued only, when the queue was wiped: each must then lie in a recorded gap
 * @param retried receivers that failed on purpose get again what they have not accepted
 */
export async function verdict(
  world: World,
  { mayLose = false, retried = false }: { mayLose?: boolean; retried?: boolean } = {},
): Promise<Verdict> {
  await world.swings.pause();
  await world.cloud.post('/_control/clock', { speed: 0 });
  for (const one of world.processes) await one.ready();
  const lost = await readingsAreStored(world, mayLose);
  await gapsAreHonest(world);
  await nothingIsLeft(world);
  const events = await eventsAreWhole(world);
  const { duplicates, excused } = await eventsWereDelivered(world);
  await eventsArrivedInOrder(world);
  if (retried) world.forgiven = excused;
  const ours = duplicates - world.forgiven;
  expect(ours, 'duplicates, at most kills × 8 and one for each answer that was cut').to.be.at.most(
    world.kills * SENDER_CONCURRENCY + world.cutAnswers,
  );
  const sessions = await rollUpsAreExact(world.db);
  await secretsAreNowhere(world);
  for (const one of world.processes)
    expect(one.crashes, `${one.name} ended by itself:\n${one.output().slice(-3000)}`).to.equal(0);
  const inactive = "SELECT DISTINCT status FROM thermoworks_credentials WHERE status <> 'active'";
  await waitFor(async () => (await world.db.query(inactive)).length === 0, {
    timeoutMs: DRAIN_MS,
    what: 'every account to be active again',
  });
  const { readings } = await count(world.db);
  return { readings, lost, sessions, events, duplicates };
}

/** Lets the cloud and the swings go on after {@link verdict}. */
export async function goOn(world: World, speed = 3): Promise<void> {
  await world.cloud.post('/_control/clock', { speed });
  world.swings.resume();
}

async function count(db: DataSource): Promise<{ readings: number }> {
  const [row] = await db.query('SELECT count(*)::integer AS readings FROM readings');
  return row;
}

/** No job and no notification waits, and nothing is a dead letter. */
async function nothingIsLeft({ db, process }: World): Promise<void> {
  const pending = "SELECT id FROM notifications WHERE status = 'pending'";
  await waitFor(async () => (await db.query(pending)).length === 0, {
    timeoutMs: DRAIN_MS,
    everyMs: 250,
    what: 'no pending notification',
  });
  const emptyQueues = async () => {
    const { queues } = JSON.parse((await process(0).get('/health')).text);
    const all = Object.values<Record<string, number>>(queues);
    // There are none where it could not look.
    return all.length > 0 && all.every(({ waiting, active }) => waiting === 0 && active === 0);
  };
  await waitFor(emptyQueues, { timeoutMs: DRAIN_MS, everyMs: 250, what: 'empty queues' });
  expect(await db.query('SELECT queue, reason FROM dead_letters'), 'dead letters').to.deep.equal([]);
}
