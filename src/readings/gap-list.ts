import { type EntityManager, In, LessThan, MoreThan } from 'typeorm';
import { ReadingGap } from '../entities/reading-gap.js';

/** The gaps of these probes (`probes.id`) that reach into the range, by time, `limit` at most. One statement. */
export function listGaps(
  db: EntityManager,
  probes: readonly number[],
  { from, to, limit }: { from?: Date; to?: Date; limit: number },
): Promise<ReadingGap[]> {
  return db.find(ReadingGap, {
    where: {
      probeId: In(probes),
      ...(from && { gapEnd: MoreThan(from) }),
      ...(to && { gapStart: LessThan(to) }),
    },
    order: { gapStart: 'ASC', probeId: 'ASC' },
    take: limit,
  });
}
