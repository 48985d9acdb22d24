import { type EntityManager, MoreThan } from 'typeorm';
import { ReadingGap } from '../entities/reading-gap.js';
import type { KnownGap } from './rehearse-presence.js';

/** Of a probe, those that end after `fromMs`. */
export async function loadGaps(db: EntityManager, probeId: number, fromMs: number): Promise<KnownGap[]> {
  const gaps = await db.findBy(ReadingGap, { probeId, gapEnd: MoreThan(new Date(fromMs)) });
  return gaps.map(({ gapStart, gapEnd, cause }) => ({
    startMs: gapStart.getTime(),
    endMs: gapEnd.getTime(),
    cause,
  }));
}
