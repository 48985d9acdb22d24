import type { Severity } from '../entities/temperature-alert.js';
import type { Observation } from '../readings/observation.js';
import { toHundredths } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { LID_MS } from '../sessions/lid.js';
import { announce, isFiring } from './announce.js';
import { excessOf, hundredthsOf, isSlope, isUpward, type Limit, limitsOf } from './limits.js';
import { areLeftAtRest, isLeftAtRest, isMetBy, limitFor } from './resting.js';
import { follow, handled, type PitDrop } from './slope.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf, INACTIVE } from './types.js';

const MINUTE_MS = 60_000;
/** A target's hold as stored by default: two readings, or one that is `CLEARLY_MET_C` beyond. */
export const DEFAULT_TARGET_HOLD_SECONDS = 1;
const CLEARLY_MET_C = 1;
const MIN_RECOVERY_MS = 2 * MINUTE_MS;
/** Of a probe that reports on change: it may be silent for so long and a condition still counts as held. */
const ON_CHANGE_GAP_MS = 10 * MINUTE_MS;

/** One value (or change) against one limit; `excess` (hundredths of the rule's unit) grows towards the alarming side. */
interface Step {
  rule: AlertRule;
  rearming: Limit['rearming'];
  measuredAtMs: number;
  value: number;
  excess: number;
  isMet: boolean;
  /** Time since the value before, if the gap is short enough to say that nothing else happened in it; else 0. */
  knownMs: number;
  expectedIntervalMs: number | null;
  /** Of what tells that a pit is too cold, or falls: it may be that its lid is open. */
  drop: PitDrop | undefined;
}

/** What is known of the probe beside its value. */
export interface EvaluationContext {
  expectedIntervalMs: number | null;
  /** Without a value or with a jump the probe is being handled. */
  isFood?: boolean;
  /** It is a pit that lost much of its heat within minutes (domain-rules.md, Alert rules 8). */
  drop?: PitDrop | undefined;
}

/** The states of a new rule: one for each limit that is given. */
export function initialStates(rule: AlertRule): AlertState[] {
  return limitsOf(rule).map(({ side, tier }) => ({
    alertId: rule.id,
    side,
    tier,
    phase: 'inactive',
    isUnknown: false,
    isArmed: true,
    isAnnounced: false,
    version: 0,
    heldMs: 0,
    heldReadings: 0,
    rearmMs: -1,
    evaluatedAtMs: null,
    firedAtMs: null,
    resolvedAtMs: null,
    extreme: null,
    recent: isSlope(rule.type) || rule.type === 'battery' ? [] : null,
    acknowledgedAtMs: null,
    snoozedUntilMs: null,
    toldAtMs: null,
    isMuted: false,
    isInhibited: false,
  }));
}

/** The tiers of a target that the probe's present value meets: for those there is no crossing to wait for. */
export function alreadyMet(
  rule: AlertRule,
  { hundredths, unit }: Pick<Observation, 'hundredths' | 'unit'>,
): Severity[] {
  if (rule.type !== 'target' || hundredths === null || !isTemperature(unit)) return [];
  const value = convertHundredths(hundredths, unit, rule.temperatureUnit);
  return limitsOf(rule).flatMap((limit) => (excessOf(limit, value) >= 0 ? [limit.tier] : []));
}

/** A new session with the alert's probe: a target that fired may fire again. */
export function rearm({ type }: AlertRule, states: AlertState[]): AlertState[] {
  if (type !== 'target' || states.every(({ isArmed }) => isArmed)) return states;
  return states.map((s) => ({ ...s, isArmed: true }));
}

/**
 * The states of one rule after one more observation of its probe, and what is to be told of it.
 *
 * Conditions are levels, messages are transitions. Time is the readings' own: holds and recoveries count it between
 * values at most two expected intervals apart, and neither a longer gap nor time without a value adds to or resets
 * them. An observation that is not newer than what a state has seen leaves that state as it is.
 * @param observation trusted; humidity is ignored
 * @returns `states` itself if nothing changed
 */
export function evaluate(
  rule: AlertRule,
  states: AlertState[],
  observation: Observation,
  { expectedIntervalMs, isFood = false, drop }: EvaluationContext,
): { states: AlertState[]; transitions: AlertTransition[] } {
  const { measuredAtMs, hundredths, unit } = observation;
  const isNews = ({ evaluatedAtMs }: AlertState) => evaluatedAtMs === null || measuredAtMs > evaluatedAtMs;
  if (!isTemperature(unit) || !states.some(isNews)) return { states, transitions: [] };
  if (hundredths === null) {
    if (states.every((state) => state.isUnknown)) return { states, transitions: [] };
    const unknown = (s: AlertState) => ({ ...(isFood ? handled(s) : s), isUnknown: true });
    return { states: states.map((s) => (isNews(s) ? unknown(s) : s)), transitions: [] };
  }
  const value = convertHundredths(hundredths, unit, rule.temperatureUnit);
  if (areLeftAtRest(rule, states, value)) return { states, transitions: [] };
  const steps = states.map((was) => {
    const limit = limitFor(rule, was);
    if (!limit || !isNews(was) || isLeftAtRest(was, limit, value, rule))
      return { was, is: was, change: null };
    const knownMs = knownTimeMs(was, measuredAtMs, expectedIntervalMs);
    const { rearming } = limit;
    const waited = limit.side === 'low' || rule.type === 'falling' ? drop : undefined;
    const step: Step = {
      rule,
      rearming,
      measuredAtMs,
      value,
      knownMs,
      expectedIntervalMs,
      drop: waited,
      excess: excessOf(limit, value),
      isMet: isMetBy(value, limit, rule),
    };
    if (!isSlope(rule.type)) return { was, is: advance(was, step), change: null };
    const { state, change } = follow(rule, was, { measuredAtMs, value, knownMs, isFood, drop });
    // A change that is not known neither begins nor ends anything.
    if (change === null) {
      const next = copyOf(state);
      next.isUnknown = false;
      next.evaluatedAtMs = measuredAtMs;
      return { was, is: next, change };
    }
    // In place: a spread takes twenty times as long, and this is done for every reading.
    step.excess = change - limit.hundredths;
    step.isMet = step.excess >= 0;
    return { was, is: advance(state, step), change };
  });
  if (steps.every(({ was, is }) => was === is)) return { states, transitions: [] };
  return announce(rule, steps, observation);
}

function knownTimeMs(state: AlertState, measuredAtMs: number, expectedIntervalMs: number | null): number {
  if (state.evaluatedAtMs === null || state.isUnknown) return 0;
  const gapMs = measuredAtMs - state.evaluatedAtMs;
  const longestMs = expectedIntervalMs === null ? ON_CHANGE_GAP_MS : 2 * expectedIntervalMs;
  return gapMs <= longestMs ? gapMs : 0;
}

/** A state after one more value; `isMet` says whether the condition is. */
export function advance(state: AlertState, step: Step): AlertState {
  const isTarget = step.rule.type === 'target';
  // The first value there ever was crossed nothing: a target that it meets had been met before anybody looked.
  const isArmed = state.isArmed && !(isTarget && state.evaluatedAtMs === null && step.isMet);
  const next = copyOf(state);
  next.isArmed = isArmed;
  next.isUnknown = false;
  next.evaluatedAtMs = step.measuredAtMs;
  if (isFiring(state)) recover(next, step);
  else hold(next, step);
  if (step.rearming && !next.isArmed) waitForRearming(next, step, step.rearming);
  return next;
}

/** Changes `state` in place, as {@link recover} and {@link waitForRearming} do. */
function hold(state: AlertState, step: Step): void {
  const { rule, measuredAtMs } = step;
  if (!step.isMet || !state.isArmed) {
    Object.assign(state, INACTIVE);
    return;
  }
  const goesOn = state.phase === 'pending';
  const heldMs = goesOn ? state.heldMs + step.knownMs : 0;
  const heldReadings = goesOn ? state.heldReadings + 1 : 1;
  // Any hold above 0 takes two readings: only the second adds time. By default a target asks for no more than those.
  const isHeld =
    heldMs >= rule.holdSeconds * 1000 || (isDefaultTarget(rule) && (heldReadings >= 2 || isClearlyMet(step)));
  const isCoolingDown =
    state.resolvedAtMs !== null && measuredAtMs - state.resolvedAtMs < rule.cooldownSeconds * 1000;
  const extreme = worst(state, step);
  const isPending = !isHeld || isCoolingDown || mayBeLid(step, heldMs);
  const isArmed = step.rearming === null;
  const held: Partial<AlertState> = isPending
    ? { phase: 'pending', heldMs, heldReadings, extreme }
    : { ...INACTIVE, phase: 'firing', isArmed, firedAtMs: measuredAtMs, extreme };
  Object.assign(state, held);
}

/**
 * Whether what is true for so long began with a drop that may be an open lid, not ten minutes ago. What is true for ten
 * minutes is told, however often drops follow each other: the swings of a weak fire look like lids.
 */
function mayBeLid({ drop, measuredAtMs }: Step, heldMs: number): boolean {
  if (drop === undefined || heldMs >= LID_MS || measuredAtMs - drop.fromMs >= LID_MS) return false;
  return heldMs <= measuredAtMs - (drop.sinceMs ?? drop.fromMs);
}

function isDefaultTarget({ type, holdSeconds }: AlertRule): boolean {
  return type === 'target' && holdSeconds === DEFAULT_TARGET_HOLD_SECONDS;
}

function isClearlyMet({ rule, excess }: Step): boolean {
  return excess >= hundredthsOf(CLEARLY_MET_C, rule);
}

function recover(state: AlertState, step: Step): void {
  const { rule, measuredAtMs, expectedIntervalMs } = step;
  const isBack = step.excess < -toHundredths(rule.hysteresis);
  const extreme = worst(state, step);
  if (!isBack) {
    const firing: Partial<AlertState> = { phase: 'firing', heldMs: 0, heldReadings: 0, extreme };
    Object.assign(state, firing);
    return;
  }
  const goesOn = state.phase === 'recovering';
  const heldMs = goesOn ? state.heldMs + step.knownMs : 0;
  const recovered: Partial<AlertState> =
    heldMs >= recoveryMs(rule, expectedIntervalMs)
      ? { ...INACTIVE, resolvedAtMs: measuredAtMs }
      : { phase: 'recovering', heldMs, heldReadings: goesOn ? state.heldReadings + 1 : 1 };
  Object.assign(state, recovered);
}

/** For how long it must be back before it is over. */
export function recoveryMs({ recoverySeconds }: AlertRule, expectedIntervalMs: number | null): number {
  if (recoverySeconds !== null) return recoverySeconds * 1000;
  return Math.max(2 * (expectedIntervalMs ?? 0), MIN_RECOVERY_MS);
}

/** In the rule's unit. */
function worst({ side, extreme }: AlertState, step: Step): number {
  const value = step.value / 100;
  if (extreme === null) return value;
  return isUpward(side) ? Math.max(extreme, value) : Math.min(extreme, value);
}

function waitForRearming(
  state: AlertState,
  step: Step,
  { difference, ms }: NonNullable<Limit['rearming']>,
): void {
  const isAway = step.excess < -difference;
  const since = state.rearmMs < 0 ? 0 : state.rearmMs + step.knownMs;
  state.rearmMs = isAway ? since : -1;
  if (isAway) state.isArmed = state.phase === 'inactive' && state.rearmMs >= ms;
}
