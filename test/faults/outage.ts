import { waitFor } from '../support/wait-for.js';
import { goOn } from './oracle.js';
import type { Supervised } from './processes.js';
import type { World } from './world.js';

/** How long a noisy machine may take for what is a matter of seconds. */
export const WAIT = { timeoutMs: 120_000, everyMs: 100 };
/** A sender insists for 10 s on writing down what was delivered; then it is sent again. Half of it is for a noisy machine. */
const HARMLESS_MS = 5_000;

/** Once the cause of a trouble is gone, the service works again within this time (G10). */
const RECOVERY_MS = 60_000;

/**
 * Something goes wrong with a world and is healed; then every process stores readings again. Meanwhile, and until
 * each account was polled again, the cloud all but stands still: what a poll was shown and could not keep is still
 * there for the next one, however long that takes on a noisy machine.
 * @param strike what has to hit a world at full load: only after it does the cloud stand still
 */
export async function outage(
  world: World,
  during: () => Promise<unknown>,
  strike: () => Promise<unknown> = async () => undefined,
): Promise<string> {
  await strike();
  const startedAt = performance.now();
  await Promise.all([during(), calmDown(world)]);
  if (performance.now() - startedAt > HARMLESS_MS) world.kills += world.processes.length;
  return recovers(world);
}

/** The cloud all but stands still, until {@link goOn}: nothing is overwritten that no poll could read. */
export async function calmDown(world: World): Promise<void> {
  await Promise.all([world.swings.pause(), world.cloud.post('/_control/clock', { speed: 0.1 })]);
}

/** The cause of a trouble went in this moment: every account is polled and every process stores again in time. */
export async function recovers(world: World): Promise<string> {
  const healedAt = performance.now();
  const seconds = () => ((performance.now() - healedAt) / 1000).toFixed(1);
  const inTime = () => ({ ...WAIT, timeoutMs: Math.max(0, RECOVERY_MS - (performance.now() - healedAt)) });
  const read = (): Promise<{ at: string }[]> =>
    world.db.query('SELECT cloud_read_at::text AS at FROM thermoworks_credentials ORDER BY id');
  const before = await waitFor(read, inTime());
  const arePolled = async () => (await read()).every(({ at }, index) => at !== before[index]?.at);
  await waitFor(arePolled, { ...inTime(), what: 'a good poll of every account' });
  const polled = seconds();
  await goOn(world);
  await isStoring(world, inTime());
  return `all polled again after ${polled} s and stored after ${seconds()} s`;
}

/** Waits until each process has stored readings that it had not when this was called. */
export async function isStoring(world: World, patience = WAIT): Promise<void> {
  await Promise.all(
    world.processes.map(async (one) => {
      const stored = () => figureOf(one, 'readings_stored_total');
      const before = await waitFor(async () => ({ count: await stored() }), patience);
      const isMore = async () => (await stored()) > before.count;
      await waitFor(isMore, { ...patience, what: `${one.name} to store readings` });
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
