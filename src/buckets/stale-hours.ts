import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import { LONGEST_HOLD_MS } from '../sessions/known-time.js';
import { HOUR_MS, hourOf } from './bucket.js';
import type { Hours } from './bucket-store.js';

const DAY_MS = 24 * HOUR_MS;

const freshRows = z.array(
  z.object({
    probeId: z.number(),
    validMs: z.number().nullable(),
    lastMs: z.number().nullable(),
    marked: z.array(z.number()),
  }),
);

/** Of which the stored buckets are not up to date: since the last roll-up, and where readings came late. */
export async function staleHours(
  tx: EntityManager,
  { probeIds, fromMs, toMs }: { probeIds: readonly number[]; fromMs: number; toMs: number },
): Promise<Hours[]> {
  const [firstMs, endMs] = [hourOf(fromMs), hourOf(toMs - 1) + HOUR_MS];
  const rows: unknown = await tx.query(
    `SELECT p.id AS "probeId", ${epochMs('g.valid_until')} AS "validMs", ${epochMs('p.last_measured_at')} AS "lastMs",
       ARRAY(SELECT DISTINCT ${epochMs('m.hour_start')} FROM reading_bucket_marks m
         WHERE m.probe_id = p.id AND m.hour_start >= $2 AND m.hour_start < $3)::float8[] AS marked
     FROM probes p LEFT JOIN reading_bucket_progress g ON g.probe_id = p.id WHERE p.id = ANY($1) ORDER BY p.id`,
    [probeIds, new Date(firstMs), new Date(endMs)],
  );
  return freshRows.parse(rows).flatMap(({ probeId, validMs, lastMs, marked }) => {
    const isBehind = lastMs !== null && (validMs === null || lastMs > validMs);
    const tailMs = isBehind ? Math.max(firstMs, hourOf(validMs ?? firstMs)) : endMs;
    const lastHourMs = hourOf((lastMs ?? 0) + LONGEST_HOLD_MS) + HOUR_MS;
    const tail = { probeId, fromMs: tailMs, toMs: Math.min(endMs, lastHourMs) };
    const hours = marked
      .filter((ms) => ms < tailMs)
      .sort((a, b) => a - b)
      .map((ms) => ({ probeId, fromMs: ms, toMs: ms + HOUR_MS }));
    return joined(tail.fromMs < tail.toMs ? [...hours, tail] : hours);
  });
}

/** Of one probe, by time: what follows without a gap as one stretch. */
function joined(hours: readonly Hours[]): Hours[] {
  const stretches: Hours[] = [];
  for (const { probeId, fromMs, toMs } of hours) {
    const last = stretches.at(-1);
    if (last?.toMs === fromMs) last.toMs = toMs;
    else stretches.push({ probeId, fromMs, toMs });
  }
  return stretches;
}

const PIECES_AT_ONCE = 10;

/** A few days at a time, so that no more of their readings is held. */
export function* inPieces(stretches: readonly Hours[]): Iterable<Hours[]> {
  let pieces: Hours[] = [];
  for (const { probeId, fromMs, toMs } of stretches)
    for (let ms = fromMs; ms < toMs; ms += DAY_MS) {
      pieces.push({ probeId, fromMs: ms, toMs: Math.min(ms + DAY_MS, toMs) });
      if (pieces.length < PIECES_AT_ONCE) continue;
      yield pieces;
      pieces = [];
    }
  if (pieces.length > 0) yield pieces;
}
