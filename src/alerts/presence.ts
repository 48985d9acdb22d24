import { announce, isFiring } from './announce.js';
import { isPresence, type Limit, limitsOf, SILENCE_UNIT_MS } from './limits.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf, INACTIVE } from './types.js';

/** What is known of a probe at a moment (epoch ms), its value aside. */
export interface Presence {
  atMs: number;
  /** `nothing`: the device says that nothing is plugged in; `off`: it was switched off; `silence`: nothing is heard. */
  shows: 'value' | 'nothing' | 'off' | 'silence';
  /** When it was heard of last, as far as that is known; null: never. */
  lastMs: number | null;
  /** Whether anybody should miss it: a store always, a cook's probe while the cook goes on. */
  isWatched: boolean;
}

/**
 * The states of a no-data or probe-removed rule after one more sight of its probe, or after nothing was seen until
 * `atMs`, and what is to be told. No data fires at the moment that its limit ends, if two looks in a row find it so. A
 * value ends both; where nobody is to miss the probe they end untold.
 * @returns `states` itself if nothing changed
 */
export function evaluatePresence(
  rule: AlertRule,
  states: AlertState[],
  presence: Presence,
): { states: AlertState[]; transitions: AlertTransition[] } {
  if (!presence.isWatched) {
    return {
      states: isOver(states) ? states : states.map((s) => ({ ...ended(s), isAnnounced: false })),
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

/** Whether to see the probe's value changes nothing of a rule's states, missed by anybody or not. */
export function isUnmoved(
  states: readonly AlertState[],
  { shows, atMs, lastMs }: Omit<Presence, 'isWatched'>,
): boolean {
  const isAhead = lastMs !== null && atMs > lastMs;
  return shows === 'value' && !isAhead && isOver(states);
}

const isOver = (states: readonly AlertState[]): boolean =>
  states.every(({ phase, isUnknown }) => phase === 'inactive' && !isUnknown);

/** When silence that goes on fires the next state of a rule (epoch ms); null: it does not. */
export function silenceEndsMs(
  rule: AlertRule,
  states: readonly AlertState[],
  lastMs: number | null,
): number | null {
  const limits = isPresence(rule.type) ? limitsOf(rule) : [];
  let endsMs: number | null = null;
  for (const state of states) {
    const limit = limits.find(({ side, tier }) => side === state.side && tier === state.tier);
    if (!limit || state.isUnknown || isFiring(state)) continue;
    const endMs = rule.type === 'no_data' ? endOf(state, lastMs, { rule, limit }) : cooledMs(state, rule);
    if (endMs !== null) endsMs = Math.min(endsMs ?? endMs, endMs);
  }
  return endsMs;
}

interface Given {
  rule: AlertRule;
  limit: Limit;
}

/** Not before the cooldown. A clock that runs ahead moves no high-water mark: then what the state saw counts. */
function endOf(state: AlertState, lastMs: number | null, { rule, limit }: Given): number | null {
  if (lastMs === null) return null;
  const { resolvedAtMs, evaluatedAtMs } = state;
  const endMs = Math.max(lastMs, evaluatedAtMs ?? lastMs) + limit.hundredths * SILENCE_UNIT_MS;
  return resolvedAtMs === null ? endMs : Math.max(endMs, resolvedAtMs + rule.cooldownSeconds * 1000);
}

/** When a probe that was pulled again too soon is told of; null: none waits for that. */
function cooledMs({ phase, resolvedAtMs }: AlertState, { cooldownSeconds }: AlertRule): number | null {
  return phase === 'pending' && resolvedAtMs !== null ? resolvedAtMs + cooldownSeconds * 1000 : null;
}

/** An unplugged probe has an alert of its own: it is not missed. */
function silence(was: AlertState, { atMs, shows, lastMs }: Presence, given: Given): AlertState {
  if (shows === 'nothing' || shows === 'off')
    return was.isUnknown ? was : { ...copyOf(was), isUnknown: true };
  if (shows === 'value') return back(was, atMs, lastMs);
  const endMs = endOf(was, lastMs, given);
  if (was.isUnknown || isFiring(was) || endMs === null) return was;
  if (atMs < endMs) return was.phase === 'pending' ? ended(was) : was;
  if (was.phase === 'inactive') return { ...copyOf(was), phase: 'pending' };
  return { ...ended(was), phase: 'firing', firedAtMs: endMs, toldAtMs: atMs };
}

/** The device says it once: what is pulled within the cooldown waits for its end. */
function removal(was: AlertState, { atMs, shows, lastMs }: Presence, { rule }: Given): AlertState {
  if (shows === 'value') return back(was, atMs, lastMs);
  if (isFiring(was) || (shows !== 'nothing' && was.phase !== 'pending')) return was;
  const { resolvedAtMs } = was;
  const fromMs = resolvedAtMs === null ? atMs : Math.max(atMs, resolvedAtMs + rule.cooldownSeconds * 1000);
  if (atMs < fromMs) return was.phase === 'pending' ? was : { ...copyOf(was), phase: 'pending' };
  return { ...ended(was), phase: 'firing', firedAtMs: atMs };
}

/** A value that was measured before the limit ended may come after it. */
function back(was: AlertState, atMs: number, lastMs: number | null): AlertState {
  const isAhead = lastMs !== null && atMs > lastMs;
  if (was.phase === 'inactive' && !was.isUnknown && !isAhead) return was;
  const resolvedAtMs = isFiring(was) ? Math.max(atMs, was.firedAtMs ?? atMs) : was.resolvedAtMs;
  return { ...ended(was), resolvedAtMs, evaluatedAtMs: atMs };
}

function ended(was: AlertState): AlertState {
  return { ...copyOf(was), ...INACTIVE, isUnknown: false };
}
