import type { Observation } from '../readings/observation.js';
import { sideOf, type TemperatureRange } from '../readings/range.js';
import { UNTRUSTED, type Unit } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { gapPercentileMs, LONGEST_HOLD_MS, longestHoldMs } from '../sessions/known-time.js';

export const HOUR_MS = 3_600_000;
const QUARTER_MS = HOUR_MS / 4;

/** What one probe showed in some time, exact: in hundredths of `unit` and ms. */
export interface Bucket {
  probeId: number;
  startMs: number;
  seconds: number;
  unit: Unit;
  /** Readings measured in it; none where only a value from before still stood. */
  count: number;
  /** Of the values that stood in it. */
  minHundredths: number;
  maxHundredths: number;
  /** Value × ms: over `coveredMs` it is the time-weighted mean. */
  weightedSum: number;
  coveredMs: number;
  /** Null: the probe has no range. */
  outOfRangeMs: number | null;
}

/** A reading that counts, and where a bucket's figures come from: value in the unit of all of them. */
interface Standing {
  atMs: number;
  hundredths: number;
  isOut: boolean;
}

export const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS;

/**
 * The quarters and the hour of each hour from `fromMs` to before `toMs` (both whole hours) in which a value stood. An hour
 * depends on nothing but the readings in it and in the 15 min before: a value stands until the next one, for twice the
 * usual gap between these and 15 min at most (domain-rules.md, Statistics 2 and 4).
 * @param readings of the probe, by time, with those of the 15 min before `fromMs`
 */
export function bucketsOf(
  readings: readonly Observation[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
  range: TemperatureRange | undefined,
): Bucket[] {
  const counted = readings.filter(({ hundredths, flags }) => hundredths !== null && !(flags & UNTRUSTED));
  const buckets: Bucket[] = [];
  let [first, end] = [0, 0];
  for (let hourMs = fromMs; hourMs < toMs; hourMs += HOUR_MS) {
    while ((counted[first]?.measuredAtMs ?? toMs) < hourMs - LONGEST_HOLD_MS) first += 1;
    while ((counted[end]?.measuredAtMs ?? toMs) < hourMs + HOUR_MS) end += 1;
    if (end > first) buckets.push(...hourBuckets(counted.slice(first, end), hourMs, range));
  }
  return buckets;
}

function hourBuckets(
  readings: readonly Observation[],
  hourMs: number,
  range: TemperatureRange | undefined,
): Bucket[] {
  const newest = readings.at(-1);
  if (!newest) return [];
  const { unit, probeId } = newest;
  const standing = readings.flatMap((reading) => toStanding(reading, unit, range));
  const holdMs = longestHoldMs(
    gapPercentileMs(
      standing.map(({ atMs }) => atMs),
      0.9,
    ),
  );
  const blank = { probeId, unit, seconds: QUARTER_MS / 1000, outOfRangeMs: range && unit !== 'H' ? 0 : null };
  const quarters = [0, 1, 2, 3].map((index) => ({
    ...EMPTY,
    ...blank,
    startMs: hourMs + index * QUARTER_MS,
  }));
  for (const [index, one] of standing.entries()) {
    const nextMs = standing[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const untilMs = Math.min(nextMs, one.atMs + holdMs);
    for (const quarter of quarters) stand(quarter, one, untilMs);
  }
  const filled = quarters.filter(({ coveredMs }) => coveredMs > 0);
  const [some, ...others] = filled;
  if (!some) return [];
  const hour = { ...some, startMs: hourMs, seconds: HOUR_MS / 1000 };
  for (const quarter of others) addBucket(hour, quarter);
  return [...filled, hour];
}

const EMPTY = {
  count: 0,
  minHundredths: Number.POSITIVE_INFINITY,
  maxHundredths: Number.NEGATIVE_INFINITY,
  weightedSum: 0,
  coveredMs: 0,
};

/** None where it is no value of the same kind: humidity among temperatures. */
function toStanding(reading: Observation, to: Unit, range: TemperatureRange | undefined): Standing[] {
  const { measuredAtMs: atMs, hundredths, unit } = reading;
  if (hundredths === null || isTemperature(unit) !== isTemperature(to)) return [];
  if (!isTemperature(unit) || !isTemperature(to)) return [{ atMs, hundredths, isOut: false }];
  const isOut = range !== undefined && sideOf(range, hundredths, unit) !== 'in';
  return [{ atMs, hundredths: convertHundredths(hundredths, unit, to), isOut }];
}

/** Adds to a bucket what of a value's time lies in it. */
function stand(bucket: Bucket, { atMs, hundredths, isOut }: Standing, untilMs: number): void {
  const endMs = bucket.startMs + bucket.seconds * 1000;
  const ms = Math.min(untilMs, endMs) - Math.max(atMs, bucket.startMs);
  if (ms <= 0) return;
  if (atMs >= bucket.startMs) bucket.count += 1;
  bucket.minHundredths = Math.min(bucket.minHundredths, hundredths);
  bucket.maxHundredths = Math.max(bucket.maxHundredths, hundredths);
  bucket.weightedSum += hundredths * ms;
  bucket.coveredMs += ms;
  if (isOut && bucket.outOfRangeMs !== null) bucket.outOfRangeMs += ms;
}

/** Adds another bucket of the probe, of the same unit, to one that contains it. */
export function addBucket(bucket: Bucket, other: Bucket): void {
  bucket.count += other.count;
  bucket.minHundredths = Math.min(bucket.minHundredths, other.minHundredths);
  bucket.maxHundredths = Math.max(bucket.maxHundredths, other.maxHundredths);
  bucket.weightedSum += other.weightedSum;
  bucket.coveredMs += other.coveredMs;
  if (other.outOfRangeMs !== null) bucket.outOfRangeMs = (bucket.outOfRangeMs ?? 0) + other.outOfRangeMs;
}
