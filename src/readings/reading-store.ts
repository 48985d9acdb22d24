import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { arrayOf, epochMs } from '../array-literal.js';
import type { Observation } from './observation.js';
import { toHundredths, UNTRUSTED, type Unit } from './sample.js';

/** A reading to store; `value` as reported, in hundredths precision. */
export interface NewReading {
  probeId: number;
  measuredAtMs: number;
  value: number;
  unit: Unit;
  flags: number;
}

const MS_TO_TIME = 'to_timestamp(ms / 1000)';
const TIME_TO_MS = epochMs('measured_at');
const keyRow = z.object({ probe_id: z.number(), ms: z.number() });
const valueRow = keyRow.extend({ value: z.number(), unit: z.enum(['F', 'C', 'H']), flags: z.number() });
const spanRow = valueRow.extend({ span: z.number() });

/** One key for (probe, time), for sets and maps. */
export const readingKey = (probeId: number, measuredAtMs: number): string => `${probeId} ${measuredAtMs}`;

/**
 * Stores what is not stored yet, and tells which keys were new. One statement; rows go in by key order, so that two
 * workers with the same rows cannot deadlock.
 * @param readings each key once
 */
export async function insertNewReadings(
  tx: EntityManager,
  readings: readonly NewReading[],
): Promise<Set<string>> {
  if (readings.length === 0) return new Set();
  const returning = `ON CONFLICT DO NOTHING RETURNING probe_id, ${TIME_TO_MS} AS ms`;
  const rows: unknown = await tx.query(`${INSERT} ${returning}`, columnsOf(readings));
  return new Set(
    z
      .array(keyRow)
      .parse(rows)
      .map(({ probe_id, ms }) => readingKey(probe_id, ms)),
  );
}

const INSERT = `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
  SELECT probe_id, ${MS_TO_TIME}, value, unit, flags
  FROM unnest($1::integer[], $2::float8[], $3::real[], $4::char(1)[], $5::smallint[])
    AS new (probe_id, ms, value, unit, flags)`;

function columnsOf(readings: readonly NewReading[]): string[] {
  const sorted = readings.toSorted((a, b) => a.probeId - b.probeId || a.measuredAtMs - b.measuredAtMs);
  return [
    arrayOf(sorted.map(({ probeId }) => probeId)),
    arrayOf(sorted.map(({ measuredAtMs }) => measuredAtMs)),
    arrayOf(sorted.map(({ value }) => value)),
    arrayOf(sorted.map(({ unit }) => unit)),
    arrayOf(sorted.map(({ flags }) => flags)),
  ];
}

/** How many of these keys are stored with another value than the one given (the first is kept). */
export async function countConflicts(tx: EntityManager, readings: readonly NewReading[]): Promise<number> {
  if (readings.length === 0) return 0;
  const rows: unknown = await tx.query(
    `SELECT probe_id, ${TIME_TO_MS} AS ms, value, unit, flags
     FROM readings JOIN (
       SELECT probe_id, ${MS_TO_TIME} AS measured_at FROM unnest($1::integer[], $2::float8[]) AS wanted (probe_id, ms)
     ) AS wanted USING (probe_id, measured_at)`,
    [readings.map(({ probeId }) => probeId), readings.map(({ measuredAtMs }) => measuredAtMs)],
  );
  const stored = new Map(
    z
      .array(valueRow)
      .parse(rows)
      .map((row) => [readingKey(row.probe_id, row.ms), row]),
  );
  return readings.filter(({ probeId, measuredAtMs, value, unit }) => {
    const row = stored.get(readingKey(probeId, measuredAtMs));
    return row !== undefined && (toHundredths(row.value) !== toHundredths(value) || row.unit !== unit);
  }).length;
}

/** A stretch of one probe's readings, both ends included; `toMs` null: to the newest. */
export interface Span {
  probeId: number;
  fromMs: number;
  toMs: number | null;
}

/** The stored readings of each span, by time, in the order of `spans`. One statement. */
export async function loadSpans(tx: EntityManager, spans: readonly Span[]): Promise<Observation[][]> {
  const rows: unknown = await tx.query(
    `SELECT span.ordinal::integer AS span, r.probe_id, ${TIME_TO_MS} AS ms, r.value, r.unit, r.flags
     FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS span (probe_id, from_ms, to_ms, ordinal)
     JOIN readings r ON r.probe_id = span.probe_id
       AND r.measured_at >= timestamptz 'epoch' + make_interval(secs => span.from_ms / 1000.0)
       AND r.measured_at <= CASE WHEN span.to_ms IS NULL THEN 'infinity'
         ELSE timestamptz 'epoch' + make_interval(secs => span.to_ms / 1000.0) END
     ORDER BY span.ordinal, r.measured_at`,
    [spans.map(({ probeId }) => probeId), spans.map(({ fromMs }) => fromMs), spans.map(({ toMs }) => toMs)],
  );
  return bySpan(rows, spans.length);
}

/** The next readings of each probe from its time on, by time, `most` at most, in the order of `from`. One statement. */
export async function loadFollowing(
  tx: EntityManager,
  from: readonly { probeId: number; fromMs: number }[],
  most: number,
): Promise<Observation[][]> {
  const rows: unknown = await tx.query(
    `SELECT start.ordinal::integer AS span, r.probe_id, ${TIME_TO_MS} AS ms, r.value, r.unit, r.flags
     FROM unnest($1::integer[], $2::float8[]) WITH ORDINALITY AS start (probe_id, from_ms, ordinal), LATERAL (
       SELECT * FROM readings WHERE probe_id = start.probe_id AND measured_at >= to_timestamp(start.from_ms / 1000)
       ORDER BY measured_at LIMIT $3) r
     ORDER BY start.ordinal, r.measured_at`,
    [from.map(({ probeId }) => probeId), from.map(({ fromMs }) => fromMs), most],
  );
  return bySpan(rows, from.length);
}

/** The last trusted reading of each probe before `beforeMs`, by time. One statement. */
export async function loadLast(
  tx: EntityManager,
  probeIds: readonly number[],
  beforeMs: number,
): Promise<Observation[]> {
  const rows: unknown = await tx.query(
    `SELECT 1 AS span, r.probe_id, ${TIME_TO_MS} AS ms, r.value, r.unit, r.flags
     FROM unnest($1::integer[]) AS probe (id), LATERAL (
       SELECT * FROM readings WHERE probe_id = probe.id AND measured_at < to_timestamp($2::float8 / 1000)
         AND flags & $3 = 0 ORDER BY measured_at DESC LIMIT 1) r
     ORDER BY r.measured_at, r.probe_id`,
    [probeIds, beforeMs, UNTRUSTED],
  );
  return bySpan(rows, 1)[0] ?? [];
}

function bySpan(rows: unknown, count: number): Observation[][] {
  const found: Observation[][] = Array.from({ length: count }, () => []);
  for (const row of z.array(spanRow).parse(rows)) {
    found[row.span - 1]?.push({
      probeId: row.probe_id,
      measuredAtMs: row.ms,
      hundredths: toHundredths(row.value),
      unit: row.unit,
      flags: row.flags,
    });
  }
  return found;
}

/** The columns of many rows, each in one value. */
interface Packed {
  probes: number[];
  times: number[];
  values: number[];
  /** A letter each. */
  units: string;
  flags: number[];
}

/**
 * The stored readings of these probes from `fromMs` to before `toMs`, by time: faster than {@link loadSpans}, and made
 * so many at a time, so that none of them grows old.
 */
export async function loadStretch(
  db: EntityManager,
  probeIds: readonly number[],
  { fromMs, toMs, atATime }: { fromMs: number; toMs: number; atATime: number },
): Promise<Iterable<Observation[]>> {
  const [packed] = await db.query<Packed[]>(
    `SELECT json_agg(probe_id) AS probes, json_agg(${TIME_TO_MS}) AS times, json_agg(value) AS values,
       string_agg(unit, '') AS units, json_agg(flags) AS flags
     FROM (SELECT * FROM readings WHERE probe_id = ANY($1) AND measured_at >= to_timestamp($2::float8 / 1000)
       AND measured_at < to_timestamp($3::float8 / 1000) ORDER BY measured_at, probe_id) r`,
    [probeIds, fromMs, toMs],
  );
  return packed?.probes ? unpack(packed, atATime) : [];
}

function* unpack({ probes, times, values, units, flags }: Packed, atATime: number): Iterable<Observation[]> {
  for (let first = 0; first < probes.length; first += atATime) {
    const some = probes.slice(first, first + atATime);
    yield some.map((probeId, index) => ({
      probeId,
      measuredAtMs: times[first + index] ?? 0,
      hundredths: toHundredths(values[first + index] ?? 0),
      unit: unitOf(units[first + index]),
      flags: flags[first + index] ?? 0,
    }));
  }
}

const unitOf = (letter: string | undefined): Unit => (letter === 'F' || letter === 'C' ? letter : 'H');

/** Makes the monthly partitions that hold these stretches of time, where they are missing. One statement. */
export async function ensurePartitions(
  db: EntityManager,
  stretches: readonly { fromMs: number; toMs: number }[],
): Promise<void> {
  await db.query(
    'SELECT ensure_readings_partitions(first, last) FROM unnest($1::timestamptz[], $2::timestamptz[]) AS s (first, last)',
    [stretches.map(({ fromMs }) => new Date(fromMs)), stretches.map(({ toMs }) => new Date(toMs))],
  );
}
