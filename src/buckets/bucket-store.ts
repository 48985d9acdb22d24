import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { arrayOf, epochMs } from '../array-literal.js';
import type { NewReading } from '../readings/reading-store.js';
import { FLAG, UNTRUSTED } from '../readings/sample.js';
import { LONGEST_HOLD_MS } from '../sessions/known-time.js';
import { type Bucket, hourOf } from './bucket.js';

/** Whole hours of a probe. */
export interface Hours {
  probeId: number;
  fromMs: number;
  toMs: number;
}

/**
 * Writes down which stored buckets late readings made out of date: of their hours, and of the next one where their value
 * may still stand. One statement, none without late readings.
 */
export async function markLate(tx: EntityManager, stored: readonly NewReading[]): Promise<void> {
  const hours = new Map<number, Set<number>>();
  for (const { probeId, measuredAtMs, flags } of stored) {
    if (!(flags & (FLAG.late | FLAG.backfilled)) || flags & UNTRUSTED) continue;
    const theirs = hours.get(probeId) ?? new Set();
    hours.set(probeId, theirs.add(hourOf(measuredAtMs)).add(hourOf(measuredAtMs + LONGEST_HOLD_MS)));
  }
  if (hours.size === 0) return;
  const marks = [...hours].flatMap(([probeId, starts]) => [...starts].map((ms) => ({ probeId, ms })));
  await tx.query(
    `INSERT INTO reading_bucket_marks (probe_id, hour_start) SELECT probe_id, to_timestamp(ms / 1000)
     FROM unnest($1::integer[], $2::float8[]) AS mark (probe_id, ms)`,
    [arrayOf(marks.map(({ probeId }) => probeId)), arrayOf(marks.map(({ ms }) => ms))],
  );
}

/**
 * Stores the buckets of these hours, each probe's hours once. What was there gives way, but for one of more readings: then
 * the readings themselves are gone. Two statements.
 */
export async function saveBuckets(
  tx: EntityManager,
  hours: readonly Hours[],
  buckets: readonly Bucket[],
): Promise<void> {
  await tx.query(
    `DELETE FROM reading_buckets b USING unnest($1::integer[], $2::float8[], $3::float8[]) AS h (probe_id, from_ms, to_ms)
     WHERE b.probe_id = h.probe_id AND b.seconds IN (900, 3600) AND b.reading_count = 0
       AND b.bucket_start >= to_timestamp(h.from_ms / 1000) AND b.bucket_start < to_timestamp(h.to_ms / 1000)`,
    [hours.map((one) => one.probeId), hours.map(({ fromMs }) => fromMs), hours.map(({ toMs }) => toMs)],
  );
  const column = (pick: (bucket: Bucket) => number | string | null) => arrayOf(buckets.map(pick));
  await tx.query(
    `INSERT INTO reading_buckets AS b (probe_id, seconds, bucket_start, unit, reading_count, min_hundredths, max_hundredths,
       weighted_sum, covered_ms, out_of_range_ms)
     SELECT probe_id, seconds, to_timestamp(ms / 1000), unit, count, min, max, sum, covered, out
     FROM unnest($1::integer[], $2::smallint[], $3::float8[], $4::char(1)[], $5::integer[], $6::integer[], $7::integer[],
       $8::bigint[], $9::integer[], $10::integer[])
       AS new (probe_id, seconds, ms, unit, count, min, max, sum, covered, out)
     ON CONFLICT (probe_id, seconds, bucket_start) DO UPDATE SET unit = excluded.unit,
       reading_count = excluded.reading_count, min_hundredths = excluded.min_hundredths,
       max_hundredths = excluded.max_hundredths, weighted_sum = excluded.weighted_sum,
       covered_ms = excluded.covered_ms, out_of_range_ms = excluded.out_of_range_ms
     WHERE excluded.reading_count >= b.reading_count`,
    [
      column(({ probeId }) => probeId),
      column(({ seconds }) => seconds),
      column(({ startMs }) => startMs),
      column(({ unit }) => unit),
      column(({ count }) => count),
      column(({ minHundredths }) => minHundredths),
      column(({ maxHundredths }) => maxHundredths),
      column(({ weightedSum }) => weightedSum),
      column(({ coveredMs }) => coveredMs),
      column(({ outOfRangeMs }) => outOfRangeMs),
    ],
  );
}

const progressRows = z.array(
  z.object({
    probeId: z.number(),
    doneMs: z.number().nullable(),
    lastMs: z.number(),
    nextMs: z.number().nullable(),
  }),
);
export type Progress = z.infer<typeof progressRows>[number];

/**
 * Takes those of these probes that nobody else works on, for this transaction: until when they are done, their newest
 * reading, and the first one at or after the last 15 min that are done.
 */
export async function takeProgress(tx: EntityManager, probeIds: readonly number[]): Promise<Progress[]> {
  const rows: unknown = await tx.query(
    `SELECT g.probe_id AS "probeId", ${epochMs('g.done_until')} AS "doneMs", ${epochMs('p.last_measured_at')} AS "lastMs",
       ${epochMs('next.measured_at')} AS "nextMs"
     FROM reading_bucket_progress g JOIN probes p ON p.id = g.probe_id
     LEFT JOIN LATERAL (
       SELECT measured_at FROM readings r WHERE r.probe_id = g.probe_id
         AND r.measured_at >= coalesce(g.done_until, '-infinity') - interval '15 minutes' ORDER BY measured_at LIMIT 1
     ) next ON true
     WHERE g.probe_id = ANY($1) ORDER BY g.probe_id FOR UPDATE OF g SKIP LOCKED`,
    [probeIds],
  );
  return progressRows.parse(rows);
}

/** @param doneMs until when each is done now */
export async function saveProgress(
  tx: EntityManager,
  done: readonly { probeId: number; doneMs: number }[],
): Promise<void> {
  await tx.query(
    `UPDATE reading_bucket_progress g SET done_until = to_timestamp(ms / 1000),
       valid_until = greatest(valid_until, to_timestamp(ms / 1000))
     FROM unnest($1::integer[], $2::float8[]) AS new (probe_id, ms) WHERE g.probe_id = new.probe_id`,
    [done.map(({ probeId }) => probeId), done.map(({ doneMs }) => doneMs)],
  );
}

const markRows = z.array(z.object({ id: z.number(), probeId: z.number(), hourMs: z.number() }));
export type Mark = z.infer<typeof markRows>[number];

export async function loadMarks(
  tx: EntityManager,
  probeIds: readonly number[],
  most: number,
): Promise<Mark[]> {
  const rows: unknown = await tx.query(
    `SELECT id, probe_id AS "probeId", ${epochMs('hour_start')} AS "hourMs" FROM reading_bucket_marks
     WHERE probe_id = ANY($1) ORDER BY probe_id, hour_start, id LIMIT $2`,
    [probeIds, most],
  );
  return markRows.parse(rows);
}

export async function deleteMarks(tx: EntityManager, marks: readonly Mark[]): Promise<void> {
  if (marks.length === 0) return;
  await tx.query('DELETE FROM reading_bucket_marks WHERE id = ANY($1)', [marks.map(({ id }) => id)]);
}

/** Makes the rows that say how far each probe's buckets have come, where they are missing. One statement. */
export async function registerProbes(db: EntityManager): Promise<void> {
  await db.query(
    `INSERT INTO reading_bucket_progress (probe_id) SELECT id FROM probes p WHERE last_measured_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM reading_bucket_progress g WHERE g.probe_id = p.id) ORDER BY id ON CONFLICT DO NOTHING`,
  );
}

const idRows = z.array(z.object({ id: z.number() }));

/** The next probes after `afterId` of which something is to be done, by id. */
export async function nextProbes(db: EntityManager, afterId: number, most: number): Promise<number[]> {
  const rows: unknown = await db.query(
    `SELECT g.probe_id AS id FROM reading_bucket_progress g JOIN probes p ON p.id = g.probe_id
     WHERE g.probe_id > $1 AND p.last_measured_at IS NOT NULL AND (g.done_until IS NULL
       OR p.last_measured_at > g.done_until
       OR EXISTS (SELECT FROM reading_bucket_marks m WHERE m.probe_id = g.probe_id))
     ORDER BY 1 LIMIT $2`,
    [afterId, most],
  );
  return idRows.parse(rows).map(({ id }) => id);
}

/** Ends old quarters of an hour; hours stay for good. In short statements, probe by probe, so that nobody waits. */
export async function expireQuarters(db: EntityManager, before: Date, most: number): Promise<void> {
  for (let afterId = 0; ; ) {
    const rows: unknown = await db.query(
      'SELECT probe_id AS id FROM reading_bucket_progress WHERE probe_id > $1 ORDER BY 1 LIMIT $2',
      [afterId, most],
    );
    const ids = idRows.parse(rows).map(({ id }) => id);
    if (ids.length === 0) return;
    await db.query(
      'DELETE FROM reading_buckets WHERE probe_id = ANY($1) AND seconds = 900 AND bucket_start < $2',
      [ids, before],
    );
    afterId = ids.at(-1) ?? afterId;
  }
}
