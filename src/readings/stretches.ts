import type { EntityManager } from 'typeorm';
import type { Observation } from './observation.js';
import { loadStretch } from './reading-store.js';

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
