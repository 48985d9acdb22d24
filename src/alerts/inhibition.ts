import type { Severity } from '../entities/temperature-alert.js';
import { isFiring, isHeard, RANK } from './announce.js';
import { limitsOf, SILENCE_UNIT_MS } from './limits.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf } from './types.js';

/** The limit of a no-data alert by default, where readings come often. */
const MIN_SILENCE_MS = 10 * 60_000;

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

/** What a device and others are heard by, or the device itself if it is that. */
export interface Gateway {
  /** When it was heard of last, with a reading or as the cloud says; null: never. */
  lastMs: number | null;
  intervalMs: number;
  /** So many are heard by it. */
  devices: number;
  /** Tiers of alerts of other devices that fire and have told that it is silent. */
  told: readonly Severity[];
}

/** What the silence of a probe may be part of. */
export interface Company {
  heard: readonly Heard[];
  others: readonly Companion[];
  /** Left out: the device has none, or nothing is known of it now. */
  gateway?: Gateway;
}

interface Outcome {
  states: AlertState[];
  transitions: AlertTransition[];
}

/**
 * One cause, one message: where all of a device fell silent, the first of its no-data rules to fire speaks for all of
 * it, and those of other probes that fire after it are recorded and inhibited. So it is with all devices behind a
 * gateway that is silent itself. A worse tier speaks once more.
 * @param company `heard`: of all probes of the device
 * @param atMs the cloud's clock
 * @returns `outcome` itself if its probe is silent alone
 */
export function shareSilence(rule: AlertRule, outcome: Outcome, company: Company, atMs: number): Outcome {
  const { others, gateway } = company;
  if (others.length === 0 && !gateway) return outcome;
  const silentProbes = 1 + new Set(others.map(({ probeId }) => probeId)).size;
  const inhibited: AlertState[] = [];
  const transitions = outcome.transitions.map((transition) => {
    const { kind, side, tier, isMuted } = transition;
    const state = outcome.states.find((one) => one.side === side && one.tier === tier);
    if (kind !== 'fired' || isMuted || !state || !isOfDevice(rule, state, company.heard)) return transition;
    if (!isToldBeside(rule, state, company, atMs)) {
      if (gateway && isSilent(gateway, limitMs(rule, state), atMs))
        return { ...transition, silentDevices: gateway.devices };
      return others.length === 0 ? transition : { ...transition, silentProbes };
    }
    inhibited.push(state);
    return { ...transition, isMuted: true, isInhibited: true as const };
  });
  const mute = (state: AlertState): AlertState => ({
    ...copyOf(state),
    ...{ isMuted: true, isInhibited: true, toldAtMs: null },
  });
  return { states: outcome.states.map((one) => (inhibited.includes(one) ? mute(one) : one)), transitions };
}

/** Whether what this state says is told already, as badly at least: by another probe of its device, or for its gateway. */
export function isToldBeside(
  rule: AlertRule,
  state: AlertState,
  { heard, others, gateway }: Company,
  atMs: number,
): boolean {
  const isAsBad = (tier: Severity) => RANK[tier] >= RANK[state.tier];
  const isTold = ({ rule: theirs, states }: Companion) =>
    states.some(
      (one) => isFiring(one) && isHeard(one) && isAsBad(one.tier) && isOfDevice(theirs, one, heard),
    );
  if (others.some(isTold)) return true;
  if (!gateway?.told.some(isAsBad)) return false;
  return isSilent(gateway, limitMs(rule, state), atMs);
}

/** Nothing of the device was heard for as long as the limit of this firing state says, but for one interval. */
function isOfDevice(rule: AlertRule, state: AlertState, heard: readonly Heard[]): boolean {
  const limit = limitMs(rule, state);
  if (limit === null || state.firedAtMs === null) return false;
  const sinceMs = state.firedAtMs - limit;
  return heard.every(({ lastMs, intervalMs }) => lastMs === null || lastMs <= sinceMs + intervalMs);
}

function limitMs(rule: AlertRule, { side, tier }: AlertState): number | null {
  const limit = limitsOf(rule).find((one) => one.side === side && one.tier === tier);
  return limit ? limit.hundredths * SILENCE_UNIT_MS : null;
}

/** Nothing was heard of it for the usual limit of its own, or for that of a rule which waits less; but for one interval. */
function isSilent({ lastMs, intervalMs }: Gateway, limit: number | null, atMs: number): boolean {
  const usualMs = Math.max(MIN_SILENCE_MS, 3 * intervalMs);
  return lastMs !== null && lastMs <= atMs - Math.min(limit ?? usualMs, usualMs) + intervalMs;
}

/** It is inhibited, and nothing says yet from when it may speak. */
export const isWaiting = ({ isInhibited, toldAtMs }: AlertState): boolean => isInhibited && toldAtMs === null;

/**
 * What inhibited it is over: a state that still fires then speaks for itself.
 * @param untilMs one interval later
 * @returns `states` itself if nothing changed
 */
export function release(
  states: AlertState[],
  untilMs: number,
  isOver: (state: AlertState) => boolean = isWaiting,
): AlertState[] {
  if (!states.some(isOver)) return states;
  return states.map((one) => (isOver(one) ? { ...copyOf(one), toldAtMs: untilMs } : one));
}
