import { expect } from 'chai';
import type { Fault } from './define.js';
import { calmDown, recovers } from './outage.js';
import { signalled } from './postgres.js';
import type { Supervised } from './processes.js';
import { endOf, startsAgain } from './stops.js';
import { hold, isStillWaiting, untilWaiting } from './witness.js';
import type { World } from './world.js';

const LOCK = 'LOCK TABLE readings IN ACCESS EXCLUSIVE MODE';
/** Whatever touches the readings then waits; surely new ones go in by COPY. */
const STATEMENT = 'COPY readings%';
/** One that ends because its time is over still has to say so and to die, on a noisy machine. */
const DYING_MS = 5_000;

/** SIGTERM. @returns 0 if it was drained in time, or 1 at its deadline, of which it says so */
async function endOfEither(world: World, victim: Supervised): Promise<unknown> {
  const said = victim.output().length;
  const end = await endOf(victim, { lateMs: DYING_MS });
  const words = victim.output().slice(said);
  if (end === 0) return end;
  expect(end, words.slice(-3000)).to.equal(1);
  expect(words).to.include('"not drained"').and.to.include('"outcome":"deadline"');
  // What it sent, and could not write down as sent, is sent again.
  world.kills += 1;
  return end;
}

/** SIGTERM to a worker in the middle of an ingest that cannot go on. */
export const hangingIngest: readonly Fault[] = [
  {
    name: 'SIGTERM with readings locked',
    promise: 'G12',
    async run(world) {
      const victim = world.process(1);
      const lock = await hold(world, LOCK);
      let end: unknown;
      try {
        await untilWaiting(world, STATEMENT, victim);
        await calmDown(world);
        // It gives up on the lock some times, which may last as long as it has, and gives its jobs back to the queue.
        end = await endOfEither(world, victim);
      } finally {
        await lock.letGo();
      }
      await startsAgain(victim);
      return `ended with ${end}, ${await recovers(world)}`;
    },
  },
  {
    name: 'SIGTERM with an ingest that never ends',
    promise: 'G12',
    async run(world) {
      const victim = world.process(0);
      const lock = await hold(world, LOCK);
      const waiter = await untilWaiting(world, STATEMENT, victim);
      // From now on not even a timeout of the server ends its statement; the process gives up on it after 30 s only.
      process.kill(waiter.backend, 'SIGSTOP');
      try {
        expect(await isStillWaiting(world, STATEMENT, waiter), 'caught in its ingest').to.equal(true);
        await lock.letGo();
        await calmDown(world);
        expect(await endOfEither(world, victim)).to.equal(1);
      } finally {
        await lock.letGo();
        signalled(waiter.backend, 'SIGCONT');
      }
      await startsAgain(victim);
      return `ended with 1 at its deadline, ${await recovers(world)}`;
    },
  },
];
