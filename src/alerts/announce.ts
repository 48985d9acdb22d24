import type { Unit } from '../readings/sample.js';
import { isPreAlert } from './limits.js';
import type { AlertRule, AlertState, AlertTransition } from './types.js';

/** One state before and after an observation; `change` (hundredths of the rule's unit) of a rising or falling one. */
interface Change {
  was: AlertState;
  is: AlertState;
  change: number | null;
}

/** The worse, the more. */
export const RANK = { info: 0, warning: 1, critical: 2 };

/** Whether `a` is a worse tier of the side of `b`. */
export function isWorse(a: AlertState, b: AlertState): boolean {
  return a.side === b.side && RANK[a.tier] > RANK[b.tier];
}

/** Firing, or not yet surely over. */
export function isFiring({ phase }: AlertState): boolean {
  return phase === 'firing' || phase === 'recovering';
}

/** A worse tier of the side of `state` was told, and ends here. */
const takesOver = (state: AlertState, steps: readonly { was: AlertState; is: AlertState }[]): boolean =>
  steps.some(({ was, is }) => isWorse(is, state) && isFiring(was) && !isFiring(is) && isHeard(was));

/**
 * A range that was silent under a worse tier and still fires when none of those does: it counts from here. Without a word
 * now, the end of the worse one would read as the end of it all.
 */
function isLeftOver({ type }: AlertRule, state: AlertState, steps: readonly Change[]): boolean {
  if (type !== 'range' || state.phase !== 'firing' || state.isAnnounced) return false;
  return !steps.some(({ is }) => isWorse(is, state) && isFiring(is));
}

/** A message went out for its present firing. */
export const isHeard = ({ isAnnounced, isMuted }: AlertState): boolean => isAnnounced && !isMuted;

/**
 * Numbers the transitions and tells those that are news: under a firing worse tier of its side one is silent until
 * that ends, and of the end of what told that a target is near nobody needs to hear. The end of a side of which two tiers were told is
 * told to people once, by the last one.
 * @param shown what the probe shows now
 */
export function announce(
  rule: AlertRule,
  steps: readonly Change[],
  { hundredths, unit }: { hundredths: number | null; unit: Unit | null },
): { states: AlertState[]; transitions: AlertTransition[] } {
  const transitions: AlertTransition[] = [];
  const states = steps.map(({ was, is, change: hundredthsChanged }) => {
    const fires = isFiring(is);
    const isLeft = isLeftOver(rule, is, steps);
    if (isFiring(was) === fires && !isLeft)
      return is.isMuted && is.isAnnounced && takesOver(is, steps)
        ? { ...is, isMuted: false, isInhibited: false }
        : is;
    const { alertId, side, tier } = is;
    const isSuperseded = steps.some(
      (step) => isWorse(step.is, is) && (isFiring(step.was) || isFiring(step.is)),
    );
    if (fires ? isSuperseded && !isLeft : !was.isAnnounced) return is;
    const version = is.version + 1;
    const begunMs = isLeft ? is.evaluatedAtMs : is.firedAtMs;
    const measuredAtMs = (fires ? begunMs : is.resolvedAtMs) ?? 0;
    const value = hundredths === null ? null : hundredths / 100;
    const ended =
      fires || was.firedAtMs === null
        ? { durationSeconds: null, extreme: null }
        : { durationSeconds: Math.round((measuredAtMs - was.firedAtMs) / 1000), extreme: was.extreme };
    const kind = fires ? 'fired' : 'resolved';
    const change = fires && hundredthsChanged !== null ? hundredthsChanged / 100 : null;
    // Of what began while it was snoozed nobody needs to hear that it is over.
    const isMuted = fires
      ? is.snoozedUntilMs !== null && measuredAtMs < is.snoozedUntilMs
      : (was.isMuted && !takesOver(is, steps)) || isPreAlert(rule, tier);
    const isGoingOn = (step: Change) =>
      isWorse(is, step.was) &&
      (step.was.isAnnounced || isLeftOver(rule, step.is, steps)) &&
      !isPreAlert(rule, step.was.tier);
    const flags = {
      ...(isMuted && was.isInhibited && { isInhibited: true as const }),
      ...(!fires && steps.some(isGoingOn) && { isSuperseded: true as const }),
    };
    const news = { value, unit, measuredAtMs, ...ended, change, isMuted, ...flags };
    transitions.push({ alertId, kind, side, tier, version, ...news });
    const firedAtMs = isLeft ? begunMs : is.firedAtMs;
    return { ...is, isAnnounced: fires, version, isMuted: fires && isMuted, firedAtMs };
  });
  return { states, transitions };
}
