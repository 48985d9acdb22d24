import { isFiring, isHeard, RANK } from './announce.js';
import { limitsOf, SILENCE_UNIT_MS } from './limits.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf } from './types.js';

/** What is known of when a probe of a device was heard of last. */
export interface Heard {
  /** Null: never, or it says nothing of its device. */
  lastMs: number | null;
  /** Two probes that fell silent at once were last heard of within this of each other. */
  intervalMs: number;
}

/** A no-data rule of another probe of the device, which is missed too. */
export interface Companion {
  probeId: number;
  rule: AlertRule;
  states: readonly AlertState[];
}

interface Outcome {
  states: AlertState[];
  transitions: AlertTransition[];
}

/**
 * One cause, one message: where all of a device fell silent, the first of its no-data rules to fire speaks for all of
 * it, and those of other probes that fire after it are recorded and inhibited. A worse tier speaks once more.
 * @param heard of all probes of the device
 * @returns `outcome` itself if its probe is silent alone
 */
export function shareSilence(
  rule: AlertRule,
  outcome: Outcome,
  { heard, others }: { heard: readonly Heard[]; others: readonly Companion[] },
): Outcome {
  if (others.length === 0) return outcome;
  const silentProbes = 1 + new Set(others.map(({ probeId }) => probeId)).size;
  const inhibited: AlertState[] = [];
  const transitions = outcome.transitions.map((transition) => {
    const { kind, side, tier, isMuted } = transition;
    const state = outcome.states.find((one) => one.side === side && one.tier === tier);
    if (kind !== 'fired' || isMuted || !state || !isOfDevice(rule, state, heard)) return transition;
    const isTold = ({ rule: theirs, states }: Companion) =>
      states.some(
        (one) =>
          isFiring(one) && isHeard(one) && RANK[one.tier] >= RANK[tier] && isOfDevice(theirs, one, heard),
      );
    if (!others.some(isTold)) return { ...transition, silentProbes };
    inhibited.push(state);
    return { ...transition, isMuted: true, isInhibited: true as const };
  });
  const mute = (state: AlertState): AlertState => ({
    ...copyOf(state),
    ...{ isMuted: true, isInhibited: true, toldAtMs: null },
  });
  return { states: outcome.states.map((one) => (inhibited.includes(one) ? mute(one) : one)), transitions };
}

/** Nothing of the device was heard for as long as the limit of this firing state says, but for one interval. */
function isOfDevice(
  rule: AlertRule,
  { side, tier, firedAtMs }: AlertState,
  heard: readonly Heard[],
): boolean {
  const limit = limitsOf(rule).find((one) => one.side === side && one.tier === tier);
  if (!limit || firedAtMs === null) return false;
  const sinceMs = firedAtMs - limit.hundredths * SILENCE_UNIT_MS;
  return heard.every(({ lastMs, intervalMs }) => lastMs === null || lastMs <= sinceMs + intervalMs);
}

/**
 * The device was heard of again, over another probe: a state that still fires then speaks for itself.
 * @param untilMs one interval later
 * @returns `states` itself if nothing changed
 */
export function release(states: AlertState[], untilMs: number): AlertState[] {
  const waits = ({ isInhibited, toldAtMs }: AlertState) => isInhibited && toldAtMs === null;
  if (!states.some(waits)) return states;
  return states.map((one) => (waits(one) ? { ...copyOf(one), toldAtMs: untilMs } : one));
}
