import { convertHundredths } from '../readings/temperature.js';
import type { LidTrack } from '../sessions/detection-state.js';
import { hundredthsOf } from './limits.js';
import { type AlertRule, type AlertState, copyOf, INACTIVE, type RecentReading } from './types.js';

/**
 * Readings kept of a window: all of ten minutes at one in 15 s, or of half an hour at one in 30 s. More are thinned
 * out, so that an alert over a day is no larger than one over an hour.
 */
const MAX_RECENT = 64;
const MINUTE_MS = 60_000;
const MIN_READINGS = 3;
const MIN_COVERAGE = 0.5;
/** On a food probe a faster change is a hand that puts it in or pulls it out. */
const HANDLING_C_PER_MINUTE = 60;

/** One more reading for a window, in hundredths of the rule's unit. */
export interface SlopeReading {
  measuredAtMs: number;
  value: number;
  /** Time since the reading before, as far as nothing else can have happened in it. */
  knownMs: number;
  /** The probe is in food: a jump is handling. */
  isFood: boolean;
  /** Of a pit: what may be an open lid. */
  drop?: PitDrop | undefined;
}

/** A pit lost much of its heat within minutes; temperatures in hundredths of a degree Celsius. */
export type PitDrop = NonNullable<LidTrack['drop']>;

/**
 * A state of a rising or falling rule with one more reading in its window, and the change in it (hundredths, growing
 * towards the alarming side): from the lowest value to the present one of a rising rule, from the highest of a falling
 * one. Null while too little is known: fewer than three readings or half the window. A fall that is waited for, since it
 * may be an open lid, is as deep as that drop.
 */
export function follow(
  rule: AlertRule,
  was: AlertState,
  reading: SlopeReading,
): { state: AlertState; change: number | null } {
  const { measuredAtMs, value, knownMs, isFood, drop } = reading;
  const startMs = measuredAtMs - (rule.windowSeconds ?? 0) * 1000;
  const before = was.recent?.at(-1);
  const jumped = isFood && before !== undefined && isJump(rule, before, reading);
  const held = jumped || drop?.lidMs === measuredAtMs ? handled(was) : was;
  const were = held.recent ?? [];
  const sign = rule.type === 'rising' ? 1 : -1;
  // Oldest first: what left the window is at the front.
  let gone = 0;
  while (gone < were.length && (were[gone]?.[0] ?? startMs) < startMs) gone += 1;
  const kept = were.slice(gone);
  kept.push([measuredAtMs, value, were.length === 0 ? 0 : knownMs]);
  const recent = thin(kept, sign);
  const state = copyOf(held);
  state.recent = recent;
  const change = changeIn(recent, startMs, sign);
  if (change === null || sign > 0 || held.phase !== 'pending' || !drop || drop.lidMs !== undefined)
    return { state, change };
  const fallen = convertHundredths(drop.peak, 'C', rule.temperatureUnit) - value;
  return { state, change: Math.max(change, fallen) };
}

/** Somebody had the probe in hand: what it showed before says nothing of what it shows now. */
export function handled(state: AlertState): AlertState {
  if (!state.recent) return state;
  return { ...state, ...(state.phase === 'pending' && INACTIVE), recent: [] };
}

function isJump(
  rule: AlertRule,
  [beforeMs, before]: RecentReading,
  { measuredAtMs, value }: SlopeReading,
): boolean {
  const fastest = hundredthsOf(HANDLING_C_PER_MINUTE, rule);
  return Math.abs(value - before) * MINUTE_MS > fastest * (measuredAtMs - beforeMs);
}

function changeIn(recent: readonly RecentReading[], startMs: number, sign: number): number | null {
  const now = recent.at(-1);
  if (!now || recent.length < MIN_READINGS) return null;
  let [coveredMs, most] = [0, 0];
  // By index: this is done for every reading, and to take a tuple apart would be most of the work.
  for (const one of recent) {
    coveredMs += Math.min(one[2], one[0] - startMs);
    most = Math.max(most, sign * (now[1] - one[1]));
  }
  return coveredMs < MIN_COVERAGE * (now[0] - startMs) ? null : most;
}

/**
 * One reading too many: one that its neighbour outdoes goes, never the newest, where that leaves the smallest gap. So a
 * change is never overstated; and since no gap made so is longer than a twentieth of the window (3 in 63 at most), it is
 * understated by no more than a window that much shorter would.
 * @param recent is changed
 */
function thin(recent: RecentReading[], sign: number): RecentReading[] {
  if (recent.length <= MAX_RECENT) return recent;
  const msOf = (index: number) => recent[index]?.[0] ?? 0;
  let [gone, leastMs] = [0, Number.POSITIVE_INFINITY];
  for (let index = 0; index < recent.length - 2; index++) {
    const after = recent[index + 1]?.[1] ?? 0;
    const choice = sign * ((recent[index]?.[1] ?? after) - after) >= 0 ? index : index + 1;
    const gapMs = msOf(choice + 1) - msOf(Math.max(choice - 1, 0));
    if (gapMs < leastMs) [gone, leastMs] = [choice, gapMs];
  }
  const [left, next] = [recent[gone], recent[gone + 1]];
  if (left && next) recent.splice(gone, 2, [next[0], next[1], next[2] + left[2]]);
  return recent;
}
