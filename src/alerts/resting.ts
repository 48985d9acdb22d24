import type { Observation } from '../readings/observation.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { excessOf, type Limit, limitsOf } from './limits.js';
import type { AlertRule, AlertState } from './types.js';

/** Whether an observation leaves every state of a rule as it is, without a look at anything else: most of them do. */
export function isUndisturbed(
  rule: AlertRule,
  states: readonly AlertState[],
  { hundredths, unit }: Pick<Observation, 'hundredths' | 'unit'>,
): boolean {
  if (hundredths === null || !isTemperature(unit)) return false;
  return areLeftAtRest(rule, states, convertHundredths(hundredths, unit, rule.temperatureUnit));
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

/** One that is armed waits for its condition, one that is not for a value far enough on the other side. */
export function isLeftAtRest(state: AlertState, limit: Limit, value: number, rule: AlertRule): boolean {
  if (!isResting(state)) return false;
  if (state.isArmed) return !isMetBy(value, limit, rule);
  return limit.rearming !== null && excessOf(limit, value) >= -limit.rearming.difference;
}

export function isMetBy(value: number, limit: Limit, { type }: AlertRule): boolean {
  const excess = excessOf(limit, value);
  return type === 'target' ? excess >= 0 : excess > 0;
}

/**
 * Nothing is held, told, unknown or counted: of such a state it matters only whether it was ever evaluated, not when.
 * So a reading that leaves it so leaves it as it is, and costs no row. (What was counted until it was armed is past.)
 */
function isResting({ phase, isArmed, isUnknown, rearmMs, recent, evaluatedAtMs }: AlertState): boolean {
  const isCounted = !isArmed && rearmMs >= 0;
  return phase === 'inactive' && !isUnknown && !isCounted && recent === null && evaluatedAtMs !== null;
}
