import type { AlertSide } from '../entities/alert-state.js';
import type { Severity } from '../entities/temperature-alert.js';
import type { Observation } from '../readings/observation.js';
import type { Unit } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { isUpward } from './limits.js';
import type { AlertRule } from './types.js';

/** What a probe showed, as it reported it. */
type Shown = { value: number | null; unit: Unit | null };

/** A firing of one side and tier, by reading times (epoch ms), with what the probe showed as it began and ended. */
export interface Stretch {
  side: AlertSide;
  tier: Severity;
  fromMs: number;
  toMs: number;
  first: Shown;
  last: Shown;
  /** In the rule's unit. */
  extreme: number | null;
}

/** One on record; `toMs` Infinity: it goes on. `version` is that of its `fired`: below 0 it was detected late. */
export type Recorded = Stretch & { version: number };

/** An alert with a past, on a probe that got late readings. */
export interface LateAlert {
  rule: AlertRule;
  /** It judges what was measured after (epoch ms). */
  judgedAfterMs: number;
  recorded: readonly Recorded[];
}

/** What becomes of the firings detected late: those that the readings bear no more, and those that are new. */
export interface LateChange {
  rule: AlertRule;
  gone: Recorded[];
  found: Stretch[];
}

/** What is on record of an alert: live firings stay, those detected late are replaced as more comes. */
export interface Past {
  alert: LateAlert;
  live: Recorded[];
  late: Stretch[];
}

/** A firing without what was shown. */
export type Found = Pick<Stretch, 'side' | 'tier' | 'fromMs' | 'toMs'>;

export function pastOf(alert: LateAlert): Past {
  const isLate = ({ version }: Recorded) => version < 0;
  return { alert, live: alert.recorded.filter((one) => !isLate(one)), late: alert.recorded.filter(isLate) };
}

type Key = Pick<Stretch, 'side' | 'tier'>;
export const isOf = (key: Key) => (one: Key) => one.side === key.side && one.tier === key.tier;

/** What is on record as firing at a time. */
export function recordedAt({ live, late }: Past, key: Key, atMs: number): Stretch | undefined {
  const isThen = (one: Stretch) => one.fromMs <= atMs && atMs < one.toMs && isOf(key)(one);
  return live.find(isThen) ?? late.find(isThen);
}

/** Of a past, what is on record of the same side and tier up to, within and from a firing on. */
function around({ alert, live, late }: Past, { fromMs, toMs, ...key }: Found): Past {
  const isThere = (one: Stretch) => one.fromMs <= toMs && fromMs <= one.toMs && isOf(key)(one);
  return { alert, live: live.filter(isThere), late: late.filter(isThere) };
}

/**
 * Puts what was found in place of what was detected late in these times (both ends included), as far as no live firing
 * covers it.
 */
export function replaceLate(
  past: Past,
  found: readonly Found[],
  { firstMs, endMs, seen }: { firstMs: number; endMs: number; seen: readonly Observation[] },
): void {
  const isReplaced = ({ fromMs, toMs }: Stretch) => toMs > firstMs && fromMs <= endMs;
  const pieces = found.flatMap((one) => around(past, one).live.reduce(without, [one]));
  const seenMs = seen[0]?.measuredAtMs ?? firstMs;
  const isAllSeen = ({ fromMs, toMs }: Stretch) => fromMs >= seenMs && toMs <= endMs;
  const order = new Map(seen.map(({ measuredAtMs }, index) => [measuredAtMs, index]));
  const now = pieces.map((piece) => {
    // A piece that reaches beyond what was seen has all of it on that side.
    const from = order.get(piece.fromMs) ?? 0;
    const within = seen.slice(from, (order.get(piece.toMs) ?? seen.length - 1) + 1);
    const near = around(past, piece);
    const full = { ...piece, ...shownIn(near, piece, within, isAllSeen) };
    const isSame = (was: Stretch) =>
      was.fromMs === full.fromMs && was.toMs === full.toMs && was.extreme === full.extreme;
    return near.late.find(isSame) ?? full;
  });
  past.late = [...past.late.filter((one) => !isReplaced(one)), ...now];
}

/** The parts of `pieces` before and after a live firing; those that have no length are none, or each firing would double them. */
function without(pieces: Found[], { fromMs, toMs }: Found): Found[] {
  return pieces
    .flatMap((piece) => [
      { ...piece, toMs: Math.min(piece.toMs, fromMs) },
      { ...piece, fromMs: Math.max(piece.fromMs, toMs) },
    ])
    .filter((piece) => piece.fromMs < piece.toMs);
}

/**
 * What the probe showed at both ends, and the worst between them.
 * @param near what is on record around it
 * @param seen the readings between, by time, as far as they were seen
 * @param isAllSeen whether there is nothing of it that is only on record
 */
function shownIn(
  near: Past,
  { fromMs, toMs, side }: Found,
  seen: readonly Observation[],
  isAllSeen: (one: Stretch) => boolean,
): Pick<Stretch, 'first' | 'last' | 'extreme'> {
  const { temperatureUnit } = near.alert.rule;
  const known: Stretch[] = [...near.live, ...near.late];
  const at = (ms: number): Shown => {
    const reading = [seen[0], seen.at(-1)].find((end) => end?.measuredAtMs === ms);
    if (reading) return { value: (reading.hundredths ?? 0) / 100, unit: reading.unit };
    const one = known.find((other) => other.fromMs === ms) ?? known.find((other) => other.toMs === ms);
    return (one?.fromMs === ms ? one.first : one?.last) ?? { value: null, unit: null };
  };
  // Of what goes on beyond what was seen, the record knows.
  const beyond = near.late.flatMap((one) =>
    one.fromMs < toMs && fromMs < one.toMs && !isAllSeen(one) ? [one.extreme ?? []].flat() : [],
  );
  const values = seen.flatMap(({ hundredths, unit }) =>
    hundredths === null || !isTemperature(unit)
      ? []
      : [convertHundredths(hundredths, unit, temperatureUnit) / 100],
  );
  const worst = isUpward(side) ? Math.max : Math.min;
  const all = [...values, ...beyond];
  const extreme = all.length === 0 ? null : all.reduce((a, b) => worst(a, b));
  return { first: at(fromMs), last: at(toMs), extreme };
}

export function changeOf({ alert, late }: Past): LateChange {
  const { rule, recorded } = alert;
  const [was, is] = [new Set<Stretch>(recorded), new Set<Stretch>(late)];
  return {
    rule,
    gone: recorded.filter((one) => one.version < 0 && !is.has(one)),
    found: late.filter((one) => !was.has(one)).toSorted((a, b) => a.fromMs - b.fromMs),
  };
}
