import { waitFor } from '../support/wait-for.js';
import { goOn } from './oracle.js';
import type { Supervised } from './processes.js';
import { arePolled, type World } from './world.js';

/** How long a noisy machine may take for what is a matter of seconds. */
export const WAIT = { timeoutMs: 120_000, everyMs: 100 };
/** A sender insists for 10 s on writing down what was delivered; then it is sent again. Half of it is for a noisy machine. */
const HARMLESS_MS = 5_000;

/**
 * Something goes wrong with a world and is healed; then every process stores readings again. Meanwhile, and until
 * each account was polled again, the cloud all but stands still: what a poll was shown and could not keep is still
 * there for the next one, however long that takes on a noisy machine.
 */
export async function outage(world: World, during: () => Promise<unknown>): Promise<string> {
  const startedAt = performance.now();
  const calm = Promise.all([world.swings.pause(), world.cloud.post('/_control/clock', { speed: 0.1 })]);
  await Promise.all([during(), calm]);
  const healedAt = performance.now();
  if (healedAt - startedAt > HARMLESS_MS) world.kills += world.processes.length;
  await arePolled(world.db);
  const seconds = (performance.now() - healedAt) / 1000;
  await goOn(world);
  await isStoring(world);
  return `all polled again after ${seconds.toFixed(1)} s`;
}

/** Waits until each process has stored readings that it had not when this was called. */
export async function isStoring(world: World): Promise<void> {
  await Promise.all(
    world.processes.map(async (one) => {
      const stored = () => figureOf(one, 'readings_stored_total');
      const before = await waitFor(async () => ({ count: await stored() }), WAIT);
      const isMore = async () => (await stored()) > before.count;
      await waitFor(isMore, { ...WAIT, what: `${one.name} to store readings` });
    }),
  );
}

/** Waits until every process says of itself that it cannot work. */
export async function areUnready(world: World): Promise<void> {
  for (const one of world.processes)
    await waitFor(async () => !(await one.isReady()), {
      ...WAIT,
      what: `${one.name} to say that it is not ready`,
    });
}

/** A figure of a process, over all its labels. */
export async function figureOf(one: Supervised, name: string): Promise<number> {
  const { text } = await one.get('/metrics');
  const values = text.split('\n').filter((line) => line.startsWith(`grill_stats_${name}`));
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
