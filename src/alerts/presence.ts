import { announce, isFiring } from './evaluate.js';
import { type Limit, limitsOf } from './limits.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf, INACTIVE } from './types.js';

/** Milliseconds in a hundredth of a minute. */
const SILENCE_UNIT_MS = 600;

/** What is known of a probe at a moment (epoch ms), its value aside. */
export interface Presence {
  atMs: number;
  /** `nothing`: the device says that nothing is plugged in; `silence`: nothing is heard. */
  shows: 'value' | 'nothing' | 'silence';
  /** Of its last value; null: it never showed one. */
  lastMs: number | null;
  /** Whether anybody should miss it: a store always, a cook's probe while the cook goes on. */
  isWatched: boolean;
}

/**
 * The states of a no-data or probe-removed rule after one more sight of its probe, or after nothing was seen until
 * `atMs`, and what is to be told. No data fires at the moment that its limit ends, if two looks in a row find it so: between
 * them the readings of a poll that has just come are stored. A value ends both; where nobody is to miss the probe they end untold.
 * @returns `states` itself if nothing changed
 */
export function evaluatePresence(
  rule: AlertRule,
  states: AlertState[],
  presence: Presence,
): { states: AlertState[]; transitions: AlertTransition[] } {
  if (!presence.isWatched) {
    const isOver = states.every((state) => state.phase === 'inactive' && !state.isUnknown);
    return {
      states: isOver ? states : states.map((s) => ({ ...ended(s), isAnnounced: false })),
      transitions: [],
    };
  }
  const step = rule.type === 'no_data' ? silence : removal;
  const limits = limitsOf(rule);
  const steps = states.map((was) => {
    const limit = limits.find(({ side, tier }) => side === was.side && tier === was.tier);
    return { was, is: limit ? step(was, presence, { rule, limit }) : was, change: null };
  });
  if (steps.every(({ was, is }) => was === is)) return { states, transitions: [] };
  return announce(rule, steps, { hundredths: null, unit: null });
}

/** When silence that goes on fires the next state of a no-data rule (epoch ms); null: it does not. */
export function silenceEndsMs(
  rule: AlertRule,
  states: readonly AlertState[],
  lastMs: number | null,
): number | null {
  if (lastMs === null || rule.type !== 'no_data') return null;
  const limits = limitsOf(rule);
  let endsMs: number | null = null;
  for (const state of states) {
    const limit = limits.find(({ side, tier }) => side === state.side && tier === state.tier);
    if (!limit || state.isUnknown || isFiring(state)) continue;
    const endMs = endOf(state, lastMs, { rule, limit });
    endsMs = Math.min(endsMs ?? endMs, endMs);
  }
  return endsMs;
}

interface Given {
  rule: AlertRule;
  limit: Limit;
}

/** Not before the cooldown. */
function endOf({ resolvedAtMs }: AlertState, lastMs: number, { rule, limit }: Given): number {
  const endMs = lastMs + limit.hundredths * SILENCE_UNIT_MS;
  return resolvedAtMs === null ? endMs : Math.max(endMs, resolvedAtMs + rule.cooldownSeconds * 1000);
}

/** An unplugged probe has an alert of its own: it is not missed. */
function silence(was: AlertState, { atMs, shows, lastMs }: Presence, given: Given): AlertState {
  if (shows === 'nothing') return was.isUnknown ? was : { ...copyOf(was), isUnknown: true };
  if (shows === 'value') return back(was, atMs);
  if (was.isUnknown || isFiring(was) || lastMs === null) return was;
  const endMs = endOf(was, lastMs, given);
  if (atMs < endMs) return was.phase === 'pending' ? ended(was) : was;
  if (was.phase === 'inactive') return { ...copyOf(was), phase: 'pending', evaluatedAtMs: endMs };
  return { ...ended(was), phase: 'firing', firedAtMs: endMs, evaluatedAtMs: endMs };
}

function removal(was: AlertState, { atMs, shows }: Presence, { rule }: Given): AlertState {
  if (shows === 'value') return back(was, atMs);
  if (shows === 'silence' || isFiring(was)) return was;
  const { resolvedAtMs } = was;
  if (resolvedAtMs !== null && atMs - resolvedAtMs < rule.cooldownSeconds * 1000) return was;
  return { ...ended(was), phase: 'firing', firedAtMs: atMs, evaluatedAtMs: atMs };
}

/** A value that was measured before the limit ended may come after it. */
function back(was: AlertState, atMs: number): AlertState {
  if (was.phase === 'inactive') return was.isUnknown ? ended(was) : was;
  const resolvedAtMs = isFiring(was) ? Math.max(atMs, was.firedAtMs ?? atMs) : was.resolvedAtMs;
  return { ...ended(was), resolvedAtMs, evaluatedAtMs: atMs };
}

function ended(was: AlertState): AlertState {
  return { ...copyOf(was), ...INACTIVE, isUnknown: false };
}
