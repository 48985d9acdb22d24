import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import { gapless } from '../ingest/gap.js';

/** An open gap of a probe (`probes.id`) of a device's present owner; ends in epoch ms, readings of their own. */
export interface OpenGap {
  id: number;
  probe: number;
  startMs: number;
  endMs: number;
  /** So far apart two readings may be without a gap. */
  gaplessMs: number;
}

/** What an archive says of a gap: the part that it covers, and what it leaves open. */
export interface Covered {
  gap: OpenGap;
  startMs: number;
  endMs: number;
  left: { startMs: number; endMs: number }[];
}

const USUAL_SECONDS = 60;
const KEPT_OPEN = "interval '30 days'";

const gapRow = z.object({
  id: z.number(),
  probe: z.number(),
  start_ms: z.number(),
  end_ms: z.number(),
  seconds: z.number().nullable(),
});
const closedRow = z.object({ status: z.enum(['filled', 'lost']) });

/** By probe and time. One statement. */
export async function openGaps(db: EntityManager, device: number): Promise<OpenGap[]> {
  const rows: unknown = await db.query(
    `SELECT g.id, g.probe_id AS probe, ${epochMs('g.gap_start')} AS start_ms, ${epochMs('g.gap_end')} AS end_ms,
       coalesce(nullif(d.recording_interval_seconds, 0), d.transmit_interval_seconds, p.learned_interval_seconds)::float8 AS seconds
     FROM devices d JOIN probes p ON p.device_id = d.device_id AND p.user_id = d.user_id
     JOIN reading_gaps g ON g.probe_id = p.id
     WHERE d.id = $1 AND g.status = 'open' ORDER BY g.probe_id, g.gap_start`,
    [device],
  );
  return z
    .array(gapRow)
    .parse(rows)
    .map(({ start_ms, end_ms, seconds, ...gap }) => ({
      ...gap,
      startMs: start_ms,
      endMs: end_ms,
      gaplessMs: gapless(seconds ?? USUAL_SECONDS),
    }));
}

/** What a recording covers of gaps, as far as it is worth a look. Ends of a gap that no reading is missing at are no part of it. */
export function coveredBy(
  gaps: readonly OpenGap[],
  { startMs, endMs }: { startMs: number; endMs: number },
): Covered[] {
  return gaps.flatMap((gap) => {
    const leastMs = Math.min(gap.gaplessMs, (gap.endMs - gap.startMs) / 2);
    const [from, to] = [Math.max(gap.startMs, startMs), Math.min(gap.endMs, endMs)];
    if (to - from < leastMs) return [];
    const before = from - gap.startMs > gap.gaplessMs;
    const after = gap.endMs - to > gap.gaplessMs;
    const left = [
      ...(before ? [{ startMs: gap.startMs, endMs: from }] : []),
      ...(after ? [{ startMs: to, endMs: gap.endMs }] : []),
    ];
    return [{ gap, startMs: before ? from : gap.startMs, endMs: after ? to : gap.endMs, left }];
  });
}

/**
 * The covered parts are filled, or lost where nothing was measured; the rest stays open as gaps of their own, as old as
 * the whole. Two statements. @returns how they ended
 */
export async function closeGaps(
  tx: EntityManager,
  covered: readonly Covered[],
): Promise<('filled' | 'lost')[]> {
  if (covered.length === 0) return [];
  const left = covered.flatMap(({ gap, left: parts }) => parts.map((part) => ({ id: gap.id, ...part })));
  const times = (list: readonly { startMs: number; endMs: number }[]) => [
    list.map(({ startMs }) => startMs),
    list.map(({ endMs }) => endMs),
  ];
  const [rows]: unknown[] = await tx.query(
    `UPDATE reading_gaps g SET gap_start = part.first, gap_end = part.last, updated_at = now(),
       status = CASE WHEN EXISTS (SELECT FROM readings r WHERE r.probe_id = g.probe_id
         AND r.measured_at > part.first AND r.measured_at < part.last) THEN 'filled' ELSE 'lost' END
     FROM (SELECT id, to_timestamp(start_ms / 1000) AS first, to_timestamp(end_ms / 1000) AS last
       FROM unnest($1::integer[], $2::float8[], $3::float8[]) AS part (id, start_ms, end_ms)) AS part
     WHERE g.id = part.id AND g.status = 'open' RETURNING g.status`,
    [covered.map(({ gap }) => gap.id), ...times(covered)],
  );
  if (left.length > 0)
    await tx.query(
      `INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause, created_at)
       SELECT g.probe_id, to_timestamp(start_ms / 1000), to_timestamp(end_ms / 1000), g.cause, g.created_at
       FROM unnest($1::integer[], $2::float8[], $3::float8[]) AS part (id, start_ms, end_ms)
       JOIN reading_gaps g USING (id) ON CONFLICT DO NOTHING`,
      [left.map(({ id }) => id), ...times(left)],
    );
  return z
    .array(closedRow)
    .parse(rows)
    .map(({ status }) => status);
}

/** What no archive has told of in 30 days is lost, whoever's it is. @returns how many */
export async function giveUp(db: EntityManager, device: number): Promise<number> {
  const [, count]: unknown[] = await db.query(
    `UPDATE reading_gaps SET status = 'lost', updated_at = now()
     WHERE status = 'open' AND created_at < now() - ${KEPT_OPEN} AND probe_id IN (
       SELECT p.id FROM probes p JOIN devices d USING (device_id) WHERE d.id = $1)`,
    [device],
  );
  return Number(count);
}
