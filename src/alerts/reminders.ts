import type { Unit } from '../readings/sample.js';
import { isFiring, isWorse } from './announce.js';
import { isPreAlert } from './limits.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf } from './types.js';

const LATE_MS = 60_000;

/** What the probe showed last, in hundredths of `unit`; `measuredAtMs` null: it never showed anything. */
export interface LastShown {
  measuredAtMs: number | null;
  hundredths: number | null;
  unit: Unit | null;
}

/**
 * When a state that goes on as it is has to be told again (epoch ms): at the end of a snooze, else after every
 * `repeatSeconds`; if it was inhibited, when it may speak. Null: never. Acknowledging ends both; a tier under a firing worse one of its side waits for that.
 * @param states of the rule, this one among them
 */
export function reminderMs(rule: AlertRule, state: AlertState, states: readonly AlertState[]): number | null {
  const { isAnnounced, isUnknown, isMuted, acknowledgedAtMs, snoozedUntilMs } = state;
  if (state.phase !== 'firing' || !isAnnounced || isUnknown || acknowledgedAtMs !== null) return null;
  if (isPreAlert(rule, state.tier) || states.some((one) => isWorse(one, state) && isFiring(one))) return null;
  if (state.isInhibited) return state.toldAtMs && Math.max(state.toldAtMs, snoozedUntilMs ?? 0);
  const toldAtMs = state.toldAtMs ?? state.firedAtMs ?? 0;
  if (snoozedUntilMs !== null && (isMuted || toldAtMs < snoozedUntilMs)) return snoozedUntilMs;
  return rule.repeatSeconds > 0 ? toldAtMs + rule.repeatSeconds * 1000 : null;
}

/**
 * The states of a rule at a moment by the cloud's clock, and which are told again: once, however many were missed.
 * @returns `states` itself if nothing changed
 */
export function remind(
  rule: AlertRule,
  states: AlertState[],
  nowMs: number,
  { measuredAtMs, hundredths, unit }: LastShown,
): { states: AlertState[]; transitions: AlertTransition[] } {
  const transitions: AlertTransition[] = [];
  const next = states.map((state) => {
    const dueMs = reminderMs(rule, state, states);
    if (dueMs === null || nowMs < dueMs) return state;
    // What was found late has just been told: its repeats count from now.
    if (
      state.toldAtMs === null &&
      !state.isMuted &&
      nowMs - dueMs > LATE_MS &&
      dueMs !== state.snoozedUntilMs
    )
      return { ...copyOf(state), toldAtMs: nowMs };
    const { alertId, side, tier } = state;
    const version = state.version + 1;
    const value = hundredths === null ? null : hundredths / 100;
    const shown = { value, unit, measuredAtMs: measuredAtMs ?? state.firedAtMs ?? nowMs };
    const nothing = { durationSeconds: null, extreme: null, change: null, isMuted: false };
    transitions.push({ alertId, kind: 'repeated', side, tier, version, ...shown, ...nothing });
    return { ...copyOf(state), version, toldAtMs: nowMs, isMuted: false, isInhibited: false };
  });
  const isSame = next.every((state, index) => state === states[index]);
  return { states: isSame ? states : next, transitions };
}
