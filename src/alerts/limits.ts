import type { AlertSide } from '../entities/alert-state.js';
import type { AlertType, Severity } from '../entities/temperature-alert.js';
import { toHundredths } from '../readings/sample.js';
import { convertDifference } from '../readings/temperature.js';
import type { AlertRule } from './types.js';

/** Milliseconds in a hundredth of a minute. */
export const SILENCE_UNIT_MS = 600;
/** What a target has been away for so long, by more than so much, before it fires again. */
export const REARM_MS = 10 * 60_000;
export const REARM_DIFFERENCE_C = 5;

/** Whether it watches a change within a window, not a level. */
export function isSlope(type: AlertType): type is 'rising' | 'falling' {
  return type === 'rising' || type === 'falling';
}

/** Whether it watches that a probe shows something, not what. */
export function isPresence(type: AlertType): type is 'no_data' | 'probe_removed' {
  return type === 'no_data' || type === 'probe_removed';
}

/** What one state watches, in hundredths of the rule's unit (of a minute, for silence; of a percent, for a battery). */
export interface Limit {
  side: AlertSide;
  tier: Severity;
  hundredths: number;
  /** What fired waits until it has been more than so much (hundredths) on the other side for so long; null: it does not. */
  rearming: { difference: number; ms: number } | null;
}

const known = new WeakMap<AlertRule, Limit[]>();

/** Worked out once for each rule object. */
export function limitsOf(rule: AlertRule): Limit[] {
  let limits = known.get(rule);
  if (!limits) {
    limits = readLimits(rule);
    known.set(rule, limits);
  }
  return limits;
}

function readLimits(rule: AlertRule): Limit[] {
  const limit = (side: AlertSide, tier: Severity, value: number | null): Limit[] =>
    value === null
      ? []
      : [{ side, tier, hundredths: toHundredths(value), rearming: rearmingOf(rule, value) }];
  if (rule.type === 'target') {
    const side = rule.direction ?? 'up';
    return [...limit(side, 'info', nearOf(rule)), ...limit(side, rule.severity, rule.targetTemperature)];
  }
  if (isSlope(rule.type))
    return limit(rule.type === 'rising' ? 'up' : 'down', rule.severity, rule.thresholdValue);
  if (rule.type === 'no_data')
    return [
      ...limit('high', rule.severity, rule.silenceMinutes),
      ...limit('high', 'critical', rule.criticalSilenceMinutes),
    ];
  if (rule.type === 'probe_removed') return limit('high', rule.severity, 0);
  if (rule.type === 'battery')
    return [
      ...limit('low', rule.severity, rule.batteryPercent),
      ...limit('low', 'critical', rule.criticalBatteryPercent),
    ];
  if (rule.type !== 'range') return [];
  return [
    ...limit('low', rule.severity, rule.minTemperature),
    ...limit('low', 'critical', rule.criticalMinTemperature),
    ...limit('high', rule.severity, rule.maxTemperature),
    ...limit('high', 'critical', rule.criticalMaxTemperature),
  ];
}

/** What a target's pre-alert waits for, in its unit. */
function nearOf({
  targetTemperature,
  direction,
  preAlertDifference,
}: Pick<AlertRule, 'targetTemperature' | 'direction' | 'preAlertDifference'>): number | null {
  if (targetTemperature === null || preAlertDifference === null) return null;
  return targetTemperature - (direction === 'down' ? -preAlertDifference : preAlertDifference);
}

/** Whether a tier only tells that a target is near. */
export function isPreAlert(
  { type, severity }: Pick<AlertRule, 'type' | 'severity'>,
  tier: Severity,
): boolean {
  return type === 'target' && tier !== severity;
}

/** A target: 5 °C away for ten minutes. A change: below half of its limit for one window. */
function rearmingOf(rule: AlertRule, limit: number): Limit['rearming'] {
  if (rule.type === 'target') return { difference: hundredthsOf(REARM_DIFFERENCE_C, rule), ms: REARM_MS };
  if (!isSlope(rule.type)) return null;
  return { difference: toHundredths(limit) / 2, ms: (rule.windowSeconds ?? 0) * 1000 };
}

/** How far apart the two sides of a range are, in hundredths: what is back on one by so much is beyond the other. */
export function roomOf(rule: AlertRule): number {
  const of = (side: AlertSide) =>
    limitsOf(rule).flatMap((one) => (one.side === side ? [one.hundredths] : []));
  return Math.min(...of('high')) - Math.max(...of('low'));
}

export function excessOf({ side, hundredths }: Limit, value: number): number {
  return isUpward(side) ? value - hundredths : hundredths - value;
}

export function isUpward(side: AlertSide): boolean {
  return side === 'up' || side === 'high';
}

/** A difference given in Celsius, in hundredths of the rule's unit. */
export function hundredthsOf(
  differenceC: number,
  { temperatureUnit }: Pick<AlertRule, 'temperatureUnit'>,
): number {
  return toHundredths(convertDifference(differenceC, 'C', temperatureUnit));
}
