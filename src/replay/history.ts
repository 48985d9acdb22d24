import { type EntityManager, MoreThan } from 'typeorm';
import { ReadingGap } from '../entities/reading-gap.js';
import type { Observation } from '../readings/observation.js';
import { loadStretch } from '../readings/reading-store.js';
import type { KnownGap } from './rehearse-presence.js';

const DAY_MS = 24 * 3_600_000;
const AT_A_TIME = 500;

/** The stored readings of these probes, both ends included, in small parts; a day is asked for while the one before is worked in. */
export async function* stretches(
  db: EntityManager,
  probes: readonly number[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): AsyncGenerator<Observation[]> {
  const load = (ms: number) => {
    const loading = loadStretch(db, probes, {
      fromMs: ms,
      toMs: Math.min(ms + DAY_MS, toMs + 1),
      atATime: AT_A_TIME,
    });
    loading.catch(() => undefined); // it is told where it is awaited
    return loading;
  };
  let next = load(fromMs);
  for (let ms = fromMs; ms <= toMs; ms += DAY_MS) {
    const parts = await next;
    next = load(ms + DAY_MS);
    yield* parts;
  }
}

/** Of a probe, those that end after `fromMs`. */
export async function loadGaps(db: EntityManager, probeId: number, fromMs: number): Promise<KnownGap[]> {
  const gaps = await db.findBy(ReadingGap, { probeId, gapEnd: MoreThan(new Date(fromMs)) });
  return gaps.map(({ gapStart, gapEnd, cause }) => ({
    startMs: gapStart.getTime(),
    endMs: gapEnd.getTime(),
    cause,
  }));
}
