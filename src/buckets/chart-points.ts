import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import { loadRanges } from '../readings/range.js';
import { loadSpans } from '../readings/reading-store.js';
import { toHundredths, UNTRUSTED, type Unit } from '../readings/sample.js';
import { convertHundredths, isTemperature, type TemperatureUnit } from '../readings/temperature.js';
import { LONGEST_HOLD_MS } from '../sessions/known-time.js';
import { addBucket, type Bucket, bucketsOf } from './bucket.js';
import type { Hours } from './bucket-store.js';
import { inPieces, staleHours } from './stale-hours.js';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;
/** Seconds of a point: quarters and hours, and what is put together of them. */
const STEPS = [900, 1800, ...[1, 2, 3, 6, 12].map((hours) => hours * 3600)];
const LONGER_STEPS = [1, 2, 7, 14, 28, 91, 364].map((days) => days * DAY_SECONDS);
const MOST_POINTS = 2_000;

/** What a probe showed in one step, or one reading; degrees of `unit`, or percent. */
export interface ChartPoint {
  probeId: number;
  startMs: number;
  unit: Unit;
  min: number;
  max: number;
  /** Weighted by time. */
  mean: number;
  count: number;
  secondsCovered: number;
}

export interface ChartPoints {
  /** Seconds from one point to the next; null: each reading is one. */
  stepSeconds: number | null;
  /** By probe and time. */
  points: ChartPoint[];
}

interface Asked {
  /** `probes.id`. */
  probeIds: readonly number[];
  fromMs: number;
  toMs: number;
  /** The viewer's. */
  unit: TemperatureUnit;
  /** Of all probes together. */
  maxPoints?: number;
}

/**
 * A chart of any span, of 2,000 points at most: the readings themselves where they are so few, else buckets, the finest
 * that fit and are kept. What no bucket has yet, or what late readings changed, is worked out from the readings. As of one
 * moment.
 */
export async function chartPoints(
  db: EntityManager,
  { maxPoints = MOST_POINTS, ...asked }: Asked,
): Promise<ChartPoints> {
  if (asked.probeIds.length === 0 || asked.fromMs >= asked.toMs) return { stepSeconds: null, points: [] };
  const perProbe = maxPoints / asked.probeIds.length;
  const stepsIn = (seconds: number) =>
    Math.ceil(asked.toMs / 1000 / seconds) - Math.floor(asked.fromMs / 1000 / seconds);
  const all = [...STEPS, ...LONGER_STEPS];
  const stepSeconds = all.find((seconds) => stepsIn(seconds) <= perProbe) ?? all.at(-1) ?? DAY_SECONDS;
  return db.transaction('REPEATABLE READ', async (tx) => {
    if (stepSeconds < HOUR_SECONDS && (await haveQuartersEnded(tx, asked)))
      return { stepSeconds: HOUR_SECONDS, points: await bucketsAsPoints(tx, asked, HOUR_SECONDS) };
    if (stepSeconds === STEPS[0]) {
      const known = await countInQuarters(tx, asked);
      const points = known > maxPoints ? [] : await readingsAsPoints(tx, asked, maxPoints);
      if (points.length >= known && points.length <= maxPoints) return { stepSeconds: null, points };
    }
    return { stepSeconds, points: await bucketsAsPoints(tx, asked, stepSeconds) };
  });
}

/** Whether an hour in the span has no quarters any more: these are kept for some years, and hours for good. */
async function haveQuartersEnded(tx: EntityManager, { probeIds, fromMs, toMs }: Asked): Promise<boolean> {
  const [row] = await tx.query<{ have: boolean }[]>(
    `SELECT EXISTS (SELECT FROM reading_buckets h
       WHERE probe_id = ANY($1) AND seconds = 3600 AND bucket_start >= $2 AND bucket_start < $3 AND NOT EXISTS (
         SELECT FROM reading_buckets q WHERE q.probe_id = h.probe_id AND q.seconds = 900
           AND q.bucket_start >= h.bucket_start AND q.bucket_start < h.bucket_start + interval '1 hour')) AS have`,
    [probeIds, new Date(floorTo(HOUR_SECONDS, fromMs)), new Date(toMs)],
  );
  return row?.have === true;
}

const valueRows = z.array(
  z.object({ probe_id: z.number(), ms: z.number(), value: z.number(), unit: z.enum(['F', 'C', 'H']) }),
);

/** One more than `most` where there are more. */
async function readingsAsPoints(
  tx: EntityManager,
  { probeIds, fromMs, toMs, unit }: Asked,
  most: number,
): Promise<ChartPoint[]> {
  const rows: unknown = await tx.query(
    `SELECT probe_id, ${epochMs('measured_at')} AS ms, value, unit FROM readings
     WHERE probe_id = ANY($1) AND measured_at >= $2 AND measured_at < $3 AND flags & $4 = 0 LIMIT $5`,
    [probeIds, new Date(fromMs), new Date(toMs), UNTRUSTED, most + 1],
  );
  const points = valueRows.parse(rows).map(({ probe_id: probeId, ms: startMs, value, unit: from }) => {
    const shown = inUnit(toHundredths(value), from, unit) / 100;
    const figures = { min: shown, max: shown, mean: shown, count: 1, secondsCovered: 0 };
    return { probeId, startMs, unit: isTemperature(from) ? unit : from, ...figures };
  });
  return points.sort((a, b) => a.probeId - b.probeId || a.startMs - b.startMs);
}

/** How many readings the quarters know of that lie within: more than there are where those have been dropped. */
async function countInQuarters(tx: EntityManager, { probeIds, fromMs, toMs }: Asked): Promise<number> {
  const [row] = await tx.query<{ count: number }[]>(
    `SELECT coalesce(sum(reading_count), 0)::float8 AS count FROM reading_buckets
     WHERE probe_id = ANY($1) AND seconds = 900 AND bucket_start >= $2 AND bucket_start <= $3`,
    [probeIds, new Date(fromMs), new Date(toMs - 900_000)],
  );
  return row?.count ?? 0;
}

async function bucketsAsPoints(tx: EntityManager, asked: Asked, stepSeconds: number): Promise<ChartPoint[]> {
  const baseSeconds = stepSeconds < 3600 ? 900 : 3600;
  const steps = new Map<string, Bucket>();
  const add = (bucket: Bucket) => {
    const startMs = Math.floor(bucket.startMs / 1000 / stepSeconds) * stepSeconds * 1000;
    const converted = { ...inUnitOf(asked.unit, bucket), startMs, seconds: stepSeconds };
    const key = `${bucket.probeId} ${startMs} ${converted.unit}`;
    const step = steps.get(key);
    if (step) addBucket(step, converted);
    else steps.set(key, converted);
  };
  const stale = await staleHours(tx, asked);
  for (const bucket of await storedBuckets(tx, asked, { stepSeconds, baseSeconds, stale })) add(bucket);
  const isShown = ({ seconds, startMs }: Bucket) =>
    seconds === baseSeconds && startMs >= floorTo(baseSeconds, asked.fromMs) && startMs < asked.toMs;
  const ranges = await loadRanges(tx, asked.probeIds);
  for (const hours of inPieces(stale)) {
    const from = hours.map(({ probeId, fromMs, toMs }) => ({
      probeId,
      fromMs: fromMs - LONGEST_HOLD_MS,
      toMs: toMs - 1,
    }));
    const readings = await loadSpans(tx, from);
    for (const [index, span] of hours.entries())
      bucketsOf(readings[index] ?? [], span, ranges.get(span.probeId))
        .filter(isShown)
        .forEach(add);
  }
  return [...steps.values()]
    .sort((a, b) => a.probeId - b.probeId || a.startMs - b.startMs)
    .map(({ probeId, startMs, unit, count, minHundredths, maxHundredths, weightedSum, coveredMs }) => {
      const mean = Math.round(weightedSum / coveredMs) / 100;
      const extremes = { min: minHundredths / 100, max: maxHundredths / 100 };
      return { probeId, startMs, unit, ...extremes, mean, count, secondsCovered: coveredMs / 1000 };
    });
}

const floorTo = (seconds: number, ms: number) => Math.floor(ms / 1000 / seconds) * seconds * 1000;

const bucketRows = z.array(
  z.object({
    probeId: z.number(),
    startMs: z.number(),
    unit: z.enum(['F', 'C', 'H']),
    count: z.number(),
    minHundredths: z.number(),
    maxHundredths: z.number(),
    weightedSum: z.number(),
    coveredMs: z.number(),
  }),
);

/** Added up, as exactly as they are stored, to the steps of the chart. */
async function storedBuckets(
  tx: EntityManager,
  { probeIds, fromMs, toMs }: Asked,
  given: { stepSeconds: number; baseSeconds: number; stale: readonly Hours[] },
): Promise<Bucket[]> {
  const { stepSeconds, baseSeconds, stale } = given;
  const rows: unknown = await tx.query(
    `SELECT probe_id AS "probeId", floor(date_part('epoch', bucket_start) / $2) * $2 * 1000 AS "startMs", unit,
       sum(reading_count)::float8 AS count, min(min_hundredths) AS "minHundredths", max(max_hundredths) AS "maxHundredths",
       sum(weighted_sum)::float8 AS "weightedSum", sum(covered_ms)::float8 AS "coveredMs"
     FROM reading_buckets b
     WHERE probe_id = ANY($1) AND seconds = $3 AND bucket_start >= $4 AND bucket_start < $5 AND NOT EXISTS (
       SELECT FROM unnest($6::integer[], $7::timestamptz[], $8::timestamptz[]) AS stale (probe_id, from_at, to_at)
       WHERE stale.probe_id = b.probe_id AND b.bucket_start >= from_at AND b.bucket_start < to_at)
     GROUP BY 1, 2, 3`,
    [
      ...[probeIds, stepSeconds, baseSeconds, new Date(floorTo(baseSeconds, fromMs)), new Date(toMs)],
      stale.map(({ probeId }) => probeId),
      ...[stale.map((one) => new Date(one.fromMs)), stale.map((one) => new Date(one.toMs))],
    ],
  );
  return bucketRows.parse(rows).map((row): Bucket => ({ ...row, seconds: stepSeconds, outOfRangeMs: null }));
}

function inUnitOf(unit: TemperatureUnit, bucket: Bucket): Bucket {
  const { unit: from, minHundredths, maxHundredths, weightedSum, coveredMs } = bucket;
  if (from === unit || !isTemperature(from)) return bucket;
  return {
    ...bucket,
    unit,
    minHundredths: convertHundredths(minHundredths, from, unit),
    maxHundredths: convertHundredths(maxHundredths, from, unit),
    weightedSum:
      from === 'C' ? (9 * weightedSum) / 5 + 3200 * coveredMs : (5 * (weightedSum - 3200 * coveredMs)) / 9,
  };
}

const inUnit = (hundredths: number, from: Unit, to: TemperatureUnit): number =>
  isTemperature(from) ? convertHundredths(hundredths, from, to) : hundredths;
