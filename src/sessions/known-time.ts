import type { Side, TemperatureRange } from '../readings/range.js';
import type { StatsReading } from './roll-up.js';
import type { Session, SessionMember } from './types.js';

export const LONGEST_HOLD_MS = 15 * 60_000;

/** For how long a probe's value was known, and the values weighted by that time. */
export interface KnownTime {
  knownMs: number;
  unknownMs: number;
  /** Hundredths of a degree × ms: exact. */
  weightedSum: number;
  /** Of the known time: outside of the probe's range. */
  belowMs: number;
  aboveMs: number;
  /** How long each value (hundredths) stood. */
  byValue: ReadonlyMap<number, number>;
}

/** Of the values with one gap after them. */
interface Stood {
  count: number;
  sum: number;
  below: number;
  above: number;
  /** How often each one. */
  values: Map<number, number>;
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
 * The values of one probe, in order of time, and for how long each stood (domain-rules.md, Statistics 2): until the
 * next one, for two usual intervals at most; all other time between the bounds is unknown. It depends on nothing but the
 * stored readings, so it can always be computed anew. Values are kept by the gap after them, so memory is bounded.
 */
export class HeldValues {
  private readonly byGap = new Map<number, Stood>();
  private last: StatsReading | undefined;
  private lastSide: Side = 'in';

  /** @param range of the probe: null, it has none */
  constructor(readonly range: TemperatureRange | null = null) {}

  /** The next one. */
  add(reading: StatsReading, side: Side = 'in'): void {
    if (this.last) {
      const gapMs = Math.min(reading.measuredAtMs - this.last.measuredAtMs, LONGEST_HOLD_MS);
      const stood = this.byGap.get(gapMs) ?? noneStood();
      this.byGap.set(gapMs, stood);
      count(stood, this.last.hundredths, this.lastSide);
    }
    this.last = reading;
    this.lastSide = side;
  }

  /** Between these bounds, which lie around all of them. */
  known({ fromMs, toMs }: { fromMs: number; toMs: number }): KnownTime {
    const holdMs = longestHoldMs(this.usualGapMs());
    const byValue = new Map<number, number>();
    const known = { knownMs: 0, weightedSum: 0, belowMs: 0, aboveMs: 0 };
    const hold = (gapMs: number, stood: Stood) => {
      const ms = Math.min(gapMs, holdMs);
      known.knownMs += stood.count * ms;
      known.weightedSum += stood.sum * ms;
      known.belowMs += stood.below * ms;
      known.aboveMs += stood.above * ms;
      for (const [value, times] of stood.values) byValue.set(value, (byValue.get(value) ?? 0) + times * ms);
    };
    for (const [gapMs, stood] of this.byGap) hold(gapMs, stood);
    if (this.last) {
      const stood = noneStood();
      count(stood, this.last.hundredths, this.lastSide);
      hold(toMs - this.last.measuredAtMs, stood);
    }
    return { ...known, unknownMs: toMs - fromMs - known.knownMs, byValue };
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

function noneStood(): Stood {
  return { count: 0, sum: 0, below: 0, above: 0, values: new Map() };
}

function count(stood: Stood, hundredths: number, side: Side): void {
  stood.count += 1;
  stood.sum += hundredths;
  if (side === 'below') stood.below += 1;
  if (side === 'above') stood.above += 1;
  stood.values.set(hundredths, (stood.values.get(hundredths) ?? 0) + 1);
}

/** A probe's values in a session, and until when they count where it has no end yet. */
interface Around {
  held: HeldValues;
  untilMs: number;
}

/** What is shown of a member's time in its session. */
export function timeFigures(session: Session, member: SessionMember, around: Around) {
  const { knownMs, unknownMs, weightedSum } = knownOf(session, member, around);
  return {
    time_weighted_avg_temperature: knownMs > 0 ? weightedSum / (knownMs * 100) : null,
    seconds_known: knownMs / 1000,
    seconds_unknown: unknownMs / 1000,
  };
}

/** How a member's known time is spread: about the probe's range, null where it has none, and in percentiles. */
export function spreadFigures(session: Session, member: SessionMember, around: Around) {
  const { knownMs, belowMs, aboveMs, byValue } = knownOf(session, member, around);
  const shown = (ms: number) => (around.held.range ? ms / 1000 : null);
  const [low, median, high] = percentiles(byValue, [0.05, 0.5, 0.95]);
  return {
    seconds_in_range: shown(knownMs - belowMs - aboveMs),
    seconds_above: shown(aboveMs),
    seconds_below: shown(belowMs),
    temperature_p5: low,
    temperature_p50: median,
    temperature_p95: high,
  };
}

function knownOf({ startMs, endMs }: Session, { fromMs, toMs }: SessionMember, { held, untilMs }: Around) {
  const lastMs = endMs ?? untilMs;
  return held.known({ fromMs: Math.max(startMs, fromMs ?? startMs), toMs: Math.min(lastMs, toMs ?? lastMs) });
}

/** Degrees that the value was at or below for each share (0 to 1, ascending) of the time; null where there is none. */
export function percentiles(byValue: ReadonlyMap<number, number>, shares: readonly number[]) {
  const values = [...byValue].filter(([, ms]) => ms > 0).sort(([a], [b]) => a - b);
  const totalMs = values.reduce((total, [, ms]) => total + ms, 0);
  let [index, upToMs] = [0, values[0]?.[1] ?? 0];
  return shares.map((share) => {
    while (upToMs < share * totalMs && index < values.length - 1) upToMs += values[++index]?.[1] ?? 0;
    const value = values[index];
    return value ? value[0] / 100 : null;
  });
}
