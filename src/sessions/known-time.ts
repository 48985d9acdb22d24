import type { StatsReading } from './roll-up.js';

const LONGEST_HOLD_MS = 15 * 60_000;

/** For how long a probe's value was known, and the values weighted by that time. */
export interface KnownTime {
  knownMs: number;
  unknownMs: number;
  /** Hundredths of a degree × ms: exact. */
  weightedSum: number;
}

/** The longest time that a value stands for its probe: two expected intervals, never more than 15 min. */
export function longestHoldMs(expectedIntervalMs: number | null): number {
  return expectedIntervalMs === null ? LONGEST_HOLD_MS : Math.min(2 * expectedIntervalMs, LONGEST_HOLD_MS);
}

/**
 * The gap between two readings that this share (0 to 1) of all gaps does not exceed (nearest rank): the 90th percentile
 * is what to expect of a probe whose device states no interval. Null: fewer than two readings.
 * @param timesMs ascending
 */
export function gapPercentileMs(timesMs: readonly number[], share: number): number | null {
  const gaps = timesMs.slice(1).map((ms, index) => ms - (timesMs[index] ?? ms));
  return gaps.sort((a, b) => a - b)[Math.ceil(share * gaps.length) - 1] ?? null;
}

/**
 * Each value holds until the next one, for `holdMs` at most; all other time between the bounds is unknown
 * (domain-rules.md, Statistics 2). It depends on nothing but the stored readings, so it can always be computed anew.
 * @param readings by time, all between the bounds
 */
export function knownTime(
  readings: readonly StatsReading[],
  { fromMs, toMs, holdMs }: { fromMs: number; toMs: number; holdMs: number },
): KnownTime {
  let [knownMs, weightedSum] = [0, 0];
  for (const [index, { measuredAtMs, hundredths }] of readings.entries()) {
    const nextMs = readings[index + 1]?.measuredAtMs ?? toMs;
    const heldMs = Math.min(nextMs - measuredAtMs, holdMs);
    knownMs += heldMs;
    weightedSum += hundredths * heldMs;
  }
  return { knownMs, unknownMs: toMs - fromMs - knownMs, weightedSum };
}
