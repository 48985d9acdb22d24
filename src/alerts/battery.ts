import { toHundredths } from '../readings/sample.js';
import { announce } from './announce.js';
import { advance } from './evaluate.js';
import { excessOf, limitsOf } from './limits.js';
import type { LastShown } from './reminders.js';
import { type AlertRule, type AlertState, type AlertTransition, copyOf } from './types.js';

/** What a device says of its battery at one time. */
export interface BatterySight {
  /** Epoch ms, by the cloud's clock. */
  measuredAtMs: number;
  /** 0 to 100. */
  percent: number;
  /** Charging, or full at the charger; null: the device does not say. */
  isCharging: boolean | null;
}

/** As a state keeps what it saw last. */
const CODES = { charging: 1, draining: -1, unsaid: 0 };

/**
 * The states of a battery rule after one more sight of the device's battery, and what is to be told. Fires at or below
 * a limit while the battery drains: as the device says, else by a value below the one before. So a battery that is
 * first seen low tells nothing while it charges. It fires no more until it was above the limit by the hysteresis: once
 * for each discharge. What is older than a state has seen leaves that state as it is.
 * @returns `states` itself if nothing changed
 */
export function evaluateBattery(
  rule: AlertRule,
  states: AlertState[],
  sight: BatterySight,
): { states: AlertState[]; transitions: AlertTransition[] } {
  const { measuredAtMs } = sight;
  const value = toHundredths(sight.percent);
  const limits = limitsOf(rule);
  const steps = states.map((was) => {
    const limit = limits.find(({ side, tier }) => side === was.side && tier === was.tier);
    if (!limit || !isBatteryNews(was.recent, sight)) return { was, is: was, change: null };
    const isArmed = drains(was, value, sight.isCharging);
    const seen = copyOf(was);
    seen.isArmed = isArmed;
    seen.recent = [[measuredAtMs, value, codeOf(sight)]];
    const excess = excessOf(limit, value);
    const step = { rule, rearming: null, measuredAtMs, value, knownMs: 0, expectedIntervalMs: null };
    return { was, is: advance(seen, { ...step, drop: undefined, excess, isMet: excess >= 0 }), change: null };
  });
  if (steps.every(({ was, is }) => was === is)) return { states, transitions: [] };
  return announce(rule, steps, { hundredths: value, unit: null });
}

/** Whether a state that saw `recent` last learns anything: of a time before it nothing is news. */
export function isBatteryNews(recent: AlertState['recent'], sight: BatterySight): boolean {
  const last = recent?.at(-1);
  if (!last) return true;
  const [seenMs, value, code] = last;
  return sight.measuredAtMs >= seenMs && (toHundredths(sight.percent) !== value || codeOf(sight) !== code);
}

/** What the states of a battery rule saw last. */
export function lastBattery(states: readonly AlertState[]): LastShown {
  const [measuredAtMs = null, hundredths = null] = states[0]?.recent?.at(-1) ?? [];
  return { measuredAtMs, hundredths, unit: null };
}

function codeOf({ isCharging }: BatterySight): number {
  if (isCharging === null) return CODES.unsaid;
  return isCharging ? CODES.charging : CODES.draining;
}

/** Without a word of the device, and without another value, it goes on as before. */
function drains({ recent, isArmed }: AlertState, value: number, isCharging: boolean | null): boolean {
  if (isCharging !== null) return !isCharging;
  const before = recent?.at(-1)?.[1];
  if (before === undefined) return false;
  return value < before || (value === before && isArmed);
}
