import { inspect } from 'node:util';
import { goOn, type Verdict, verdict } from './oracle.js';
import { openWorld, type World, type WorldOptions } from './world.js';

/** One thing that goes wrong, and what must hold after it. */
export interface Fault {
  /** As the table names it. */
  name: string;
  /** Of docs/reliability.md. */
  promise: string;
  /** Short enough for `npm test`, which spends at most three minutes on all that are. */
  quick?: boolean;
  /** Makes it happen to a busy world and heals it; what must hold during it is asserted here. @returns what was measured */
  run(world: World): Promise<string | undefined>;
  /** Readings that were queued only may be lost, each within a recorded gap. */
  mayLose?: boolean;
  /** The receiver failed on purpose: what it has not accepted comes again, beyond kills × 8. */
  retried?: boolean;
}

/** Any fault has to be over and checked in this time. */
const FAULT_MS = 300_000;
const OPEN_MS = 180_000;
const MOST_TOLD = 2_000;

/** A mocha suite: a world, each fault in it, and after each the verdict on all promises. A line per fault tells how it went. */
export function defineFaults(title: string, faults: readonly Fault[], options: WorldOptions = {}): void {
  describe(`faults: ${title}`, function () {
    this.timeout(FAULT_MS);
    let world: World;

    before(async function () {
      this.timeout(OPEN_MS);
      world = await openWorld(options);
    });
    after(async () => {
      await world?.close();
    });

    for (const fault of faults)
      it(fault.name, async () => {
        try {
          const figure = await fault.run(world);
          const seen = await verdict(world, fault).finally(() => goOn(world));
          tell(fault, figuresOf(figure, seen), 'pass');
        } catch (error) {
          tell(fault, inspect(error).replaceAll('\n', ' ').slice(0, MOST_TOLD), 'FAIL');
          throw error;
        }
      });
  });
}

function figuresOf(figure: string | undefined, seen: Verdict): string {
  const figures = [
    ...(figure === undefined ? [] : [figure]),
    `${seen.readings} readings stored = shown`,
    ...(seen.lost > 0 ? [`${seen.lost} lost, all in gaps`] : []),
    `${seen.sessions} sessions exact`,
    `${seen.events} events delivered`,
    `${seen.duplicates} twice`,
  ];
  return figures.join(', ');
}

/** At once: the faults after one that fails may take long. */
function tell({ name, promise }: Fault, said: string, fate: 'pass' | 'FAIL'): void {
  process.stdout.write(`fault | ${name} | ${promise} | ${said} | ${fate}\n`);
}
