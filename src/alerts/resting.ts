import type { Observation } from '../readings/observation.js';
import { toHundredths } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { excessOf, isSlope, isUpward, type Limit, limitsOf } from './limits.js';
import type { AlertRule, AlertState } from './types.js';

/** Values (hundredths of the rule's unit) between which, ends not included, all states are left at rest. */
interface Calm {
  rule: AlertRule;
  low: number;
  high: number;
}
/** By the list of states, which nobody changes: two comparisons then tell it of most readings. */
export type KnownCalm = Map<readonly AlertState[], Calm>;

const MOST_KNOWN = 1_000;
const NEVER = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY };

/**
 * Whether an observation leaves every state of a rule as it is, without a look at anything else: most of them do.
 * @param known of the readings before; is added to
 */
export function isUndisturbed(
  rule: AlertRule,
  states: readonly AlertState[],
  { hundredths, unit }: Pick<Observation, 'hundredths' | 'unit'>,
  known: KnownCalm,
): boolean {
  // Every value goes into the window of a slope.
  if (hundredths === null || !isTemperature(unit) || isSlope(rule.type)) return false;
  const value = convertHundredths(hundredths, unit, rule.temperatureUnit);
  const { low, high } = calmOf(rule, states, known);
  return (value > low && value < high) || areLeftAtRest(rule, states, value);
}

function calmOf(rule: AlertRule, states: readonly AlertState[], known: KnownCalm): Calm {
  const before = known.get(states);
  if (before?.rule === rule) return before;
  const calm = { rule, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  for (const state of states) {
    const { low, high } = calmOfState(state, limitFor(rule, state), rule);
    calm.low = Math.max(calm.low, low);
    calm.high = Math.min(calm.high, high);
  }
  // Lists that states have left behind stay in it.
  if (known.size === MOST_KNOWN) known.clear();
  known.set(states, calm);
  return calm;
}

/** As {@link isLeftAtRest} has it. */
function calmOfState(state: AlertState, limit: Limit | undefined, rule: AlertRule): Omit<Calm, 'rule'> {
  if (!limit) return NEVER;
  const between = (least: number, most: number) =>
    isUpward(limit.side)
      ? { low: limit.hundredths + least, high: limit.hundredths + most }
      : { low: limit.hundredths - most, high: limit.hundredths - least };
  const away = limit.rearming ? -limit.rearming.difference : Number.POSITIVE_INFINITY;
  if (isFiringOn(state)) {
    if (state.extreme === null) return NEVER;
    const back = -toHundredths(rule.hysteresis);
    const most = excessOf(limit, toHundredths(state.extreme));
    return between(state.isArmed || !limit.rearming ? back : Math.max(back, away), most);
  }
  if (!isResting(state)) return NEVER;
  return state.isArmed ? between(Number.NEGATIVE_INFINITY, 0) : between(away, Number.POSITIVE_INFINITY);
}

/** As most values leave most rules: without a step of its own for each state. */
export function areLeftAtRest(rule: AlertRule, states: readonly AlertState[], value: number): boolean {
  for (const state of states) {
    const limit = limitFor(rule, state);
    if (!limit || !isLeftAtRest(state, limit, value, rule)) return false;
  }
  return true;
}

/** What a state watches; undefined: nothing any more. */
export function limitFor(rule: AlertRule, { side, tier }: AlertState): Limit | undefined {
  for (const limit of limitsOf(rule)) if (limit.side === side && limit.tier === tier) return limit;
  return undefined;
}

/**
 * One that is armed waits for its condition, one that is not for a value far enough on the other side; one that fires for
 * a worse value, or for one that is back.
 */
export function isLeftAtRest(state: AlertState, limit: Limit, value: number, rule: AlertRule): boolean {
  if (isFiringOn(state)) return !isBeyond(state, value) && !isBack(state, limit, value, rule);
  if (!isResting(state)) return false;
  if (state.isArmed) return !isMetBy(value, limit, rule);
  return limit.rearming !== null && excessOf(limit, value) >= -limit.rearming.difference;
}

export function isMetBy(value: number, limit: Limit, { type }: AlertRule): boolean {
  const excess = excessOf(limit, value);
  return type === 'target' ? excess >= 0 : excess > 0;
}

/** It fires, was told, and nothing of it is counted: of such a state too it does not matter when it was evaluated. */
function isFiringOn({ phase, isAnnounced, isArmed, isUnknown, rearmMs, recent }: AlertState): boolean {
  return phase === 'firing' && isAnnounced && !isUnknown && (isArmed || rearmMs < 0) && recent === null;
}

function isBeyond({ side, extreme }: AlertState, value: number): boolean {
  if (extreme === null) return true;
  return isUpward(side) ? value / 100 > extreme : value / 100 < extreme;
}

function isBack({ isArmed }: AlertState, limit: Limit, value: number, rule: AlertRule): boolean {
  const excess = excessOf(limit, value);
  if (excess < -toHundredths(rule.hysteresis)) return true;
  return !isArmed && limit.rearming !== null && excess < -limit.rearming.difference;
}

/**
 * Nothing is held, told, unknown or counted: of such a state it matters only whether it was ever evaluated, not when.
 * So a reading that leaves it so leaves it as it is, and costs no row. (What was counted until it was armed is past.)
 */
function isResting({ phase, isArmed, isUnknown, rearmMs, recent, evaluatedAtMs }: AlertState): boolean {
  const isCounted = !isArmed && rearmMs >= 0;
  return phase === 'inactive' && !isUnknown && !isCounted && recent === null && evaluatedAtMs !== null;
}
