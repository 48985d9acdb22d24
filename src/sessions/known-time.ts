import type { StatsReading } from './roll-up.js';
import type { Session, SessionMember } from './types.js';

const LONGEST_HOLD_MS = 15 * 60_000;

/** For how long a probe's value was known, and the values weighted by that time. */
export interface KnownTime {
  knownMs: number;
  unknownMs: number;
  /** Hundredths of a degree × ms: exact. */
  weightedSum: number;
}

/** The longest time that a value stands for its probe: two expected intervals, never more than 15 min. */
function longestHoldMs(expectedIntervalMs: number | null): number {
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
 * The values of one probe, in order of time, and for how long each stood (domain-rules.md, Statistics 2): until the
 * next one, for two usual intervals at most; all other time between the bounds is unknown. It depends on nothing but the
 * stored readings, so it can always be computed anew. Values are kept by the gap after them, so memory is bounded.
 */
export class HeldValues {
  private readonly byGap = new Map<number, { count: number; sum: number }>();
  private last: StatsReading | undefined;

  /** The next one. */
  add(reading: StatsReading): void {
    if (this.last) {
      const gapMs = Math.min(reading.measuredAtMs - this.last.measuredAtMs, LONGEST_HOLD_MS);
      const { count, sum } = this.byGap.get(gapMs) ?? { count: 0, sum: 0 };
      this.byGap.set(gapMs, { count: count + 1, sum: sum + this.last.hundredths });
    }
    this.last = reading;
  }

  /** Between these bounds, which lie around all of them. */
  known({ fromMs, toMs }: { fromMs: number; toMs: number }): KnownTime {
    const holdMs = longestHoldMs(this.usualGapMs());
    let [knownMs, weightedSum] = [0, 0];
    const hold = (gapMs: number, count: number, sum: number) => {
      knownMs += count * Math.min(gapMs, holdMs);
      weightedSum += sum * Math.min(gapMs, holdMs);
    };
    for (const [gapMs, { count, sum }] of this.byGap) hold(gapMs, count, sum);
    if (this.last) hold(toMs - this.last.measuredAtMs, 1, this.last.hundredths);
    return { knownMs, unknownMs: toMs - fromMs - knownMs, weightedSum };
  }

  /** The 90th percentile of all gaps, as {@link gapPercentileMs}, but never more than a value can stand. */
  private usualGapMs(): number | null {
    const gaps = [...this.byGap].sort(([a], [b]) => a - b);
    let rank = Math.ceil(0.9 * gaps.reduce((total, [, { count }]) => total + count, 0));
    for (const [gapMs, { count }] of gaps) {
      rank -= count;
      if (rank <= 0) return gapMs;
    }
    return null;
  }
}

/** What is shown of a member's time in its session. @param untilMs where the session has no end yet */
export function timeFigures(
  { startMs, endMs }: Session,
  { fromMs, toMs }: SessionMember,
  { held, untilMs }: { held: HeldValues; untilMs: number },
) {
  const lastMs = endMs ?? untilMs;
  const bounds = { fromMs: Math.max(startMs, fromMs ?? startMs), toMs: Math.min(lastMs, toMs ?? lastMs) };
  const { knownMs, unknownMs, weightedSum } = held.known(bounds);
  return {
    time_weighted_avg_temperature: knownMs > 0 ? weightedSum / (knownMs * 100) : null,
    seconds_known: knownMs / 1000,
    seconds_unknown: unknownMs / 1000,
  };
}
