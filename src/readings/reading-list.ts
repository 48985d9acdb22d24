import type { EntityManager } from 'typeorm';
import { z } from 'zod';

const readingRow = z.object({
  probe_id: z.number(),
  measured_at: z.date(),
  value: z.number(),
  unit: z.enum(['F', 'C', 'H']),
  flags: z.number(),
});
export type ReadingRow = z.infer<typeof readingRow>;

/** The newest readings of these probes (`probes.id`) with `from <= measured_at < to`, in order of time. */
export async function listReadings(
  db: EntityManager,
  probes: readonly number[],
  { from, to, limit }: { from?: Date; to?: Date; limit: number },
): Promise<ReadingRow[]> {
  const rows: unknown = await db.query(
    `SELECT r.* FROM unnest($1::integer[]) AS probe (id), LATERAL (
       SELECT probe_id, measured_at, value, unit, flags FROM readings
       WHERE probe_id = probe.id AND measured_at >= coalesce($2, '-infinity'::timestamptz)
         AND measured_at < coalesce($3, 'infinity'::timestamptz)
       ORDER BY measured_at DESC LIMIT $4) r
     ORDER BY measured_at DESC, probe_id DESC LIMIT $4`,
    [probes, from ?? null, to ?? null, limit],
  );
  return z.array(readingRow).parse(rows).toReversed();
}
