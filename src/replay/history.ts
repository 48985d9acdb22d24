import { type EntityManager, MoreThan } from 'typeorm';
import { ReadingGap } from '../entities/reading-gap.js';
import type { Observation } from '../readings/observation.js';
import { loadStretch } from '../readings/reading-store.js';
import type { KnownGap } from './rehearse-presence.js';

const DAY_MS = 24 * 3_600_000;

/** The stored readings of these probes, both ends included, day by day; the next day is asked for while one is worked in. */
export async function* stretches(
  db: EntityManager,
  probes: readonly number[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): AsyncGenerator<Observation[]> {
  const load = (ms: number) => {
    const loading = loadStretch(db, probes, { fromMs: ms, toMs: Math.min(ms + DAY_MS, toMs + 1) });
    loading.catch(() => undefined); // it is told where it is awaited
    return loading;
  };
  let next = load(fromMs);
  for (let ms = fromMs; ms <= toMs; ms += DAY_MS) {
    const readings = await next;
    next = load(ms + DAY_MS);
    yield readings;
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
