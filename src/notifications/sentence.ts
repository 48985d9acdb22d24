import { isPreAlert } from '../alerts/limits.js';
import type { AlertEvent } from '../entities/alert-event.js';
import type { TemperatureAlert } from '../entities/temperature-alert.js';
import type { Unit } from '../readings/sample.js';
import { duration, quantity, timeText } from './words.js';

/** What a sentence needs to know beside its event. */
interface Telling {
  /** What it speaks of. */
  subject: string;
  /** When what is told again has fired; null: it is not known, or told for the first time. */
  since: Date | null;
  /** Of whoever reads the times; null: UTC. */
  timeZone: string | null;
}

/** What has happened, as a sentence without a full stop. */
export function said(event: AlertEvent, alert: TemperatureAlert, telling: Telling): string {
  if (alert.alertType === 'no_data') return silence(event, alert, telling);
  if (alert.alertType === 'probe_removed') return removal(event, telling);
  const { subject, since, timeZone } = telling;
  const { kind, durationSeconds, extreme, measuredAt, change } = event;
  const value = event.value === null ? 'without a value' : quantity(event.value, unitOf(alert, event.unit));
  const limit = limitOf(event, alert);
  const at = timeText(measuredAt, timeZone);
  if (change !== null) {
    const verb = alert.alertType === 'rising' ? 'rose' : 'fell';
    const moved = `${verb} ${quantity(change, alert.temperatureUnit)} in ${duration(alert.windowSeconds ?? 0)}`;
    return `${subject} ${moved}, to ${value} at ${at}; the limit is ${quantity(alert.thresholdValue ?? 0, alert.temperatureUnit)}`;
  }
  const is = isBattery(alert) ? 'is at' : 'is';
  if (kind !== 'resolved') {
    if (kind !== 'repeated') return `${subject} ${is} ${value}, ${limit} since ${at}`;
    const both = since ? ` at ${at}, ${limit} since ${timeText(since, timeZone)}` : `, ${limit} at ${at}`;
    return `${subject} ${is.replace('is', 'is still')} ${value}${both}`;
  }
  const lasted = durationSeconds === null ? '' : `, which lasted ${duration(durationSeconds)}`;
  const worst =
    extreme === null ? '' : ` with an extreme of ${quantity(extreme, unitOf(alert, alert.temperatureUnit))}`;
  return `${subject} ${is} ${value} at ${at}, no longer ${limit}${lasted}${worst}`;
}

/** By the last reading, so far as that is known: the limit had passed since when it fired. */
function silence(event: AlertEvent, alert: TemperatureAlert, telling: Telling): string {
  const { kind, measuredAt, durationSeconds, silentProbes, silentDevices } = event;
  const { subject, since, timeZone } = telling;
  const seconds = 60 * silenceOf(event, alert);
  if (kind === 'resolved')
    return isBack(event, telling, durationSeconds === null ? null : durationSeconds + seconds);
  const firedAt = kind === 'repeated' ? since : measuredAt;
  const lastAt = firedAt ? new Date(firedAt.getTime() - seconds * 1000) : measuredAt;
  const from = `since ${timeText(lastAt, timeZone)}`;
  const all = isOfDevice(event) ? `: all ${silentProbes} watched probes are silent` : '';
  if (kind === 'repeated') return `still nothing was heard of ${subject} ${from}${all}`;
  const said = `nothing was heard of ${subject} for ${duration(seconds)}, ${from}${all}`;
  return isOfGateway(event)
    ? `this gateway is silent, with ${countOf(silentDevices)} behind it: ${said}`
    : said;
}

function removal(event: AlertEvent, telling: Telling): string {
  const { subject, since, timeZone } = telling;
  if (event.kind === 'resolved') return isBack(event, telling, event.durationSeconds);
  return `${subject} is no longer plugged in since ${timeText(since ?? event.measuredAt, timeZone)}`;
}

function isBack({ measuredAt }: AlertEvent, { subject, timeZone }: Telling, seconds: number | null): string {
  const after = seconds === null ? '' : `, after ${duration(seconds)}`;
  return `${subject} is there again since ${timeText(measuredAt, timeZone)}${after}`;
}

/** It speaks for its whole device. */
export const isOfDevice = ({ silentProbes }: AlertEvent): boolean => typeof silentProbes === 'number';

/** It speaks for a gateway. */
export const isOfGateway = ({ silentDevices }: AlertEvent): boolean => typeof silentDevices === 'number';

const countOf = (devices: number | null): string => (devices === 1 ? '1 device' : `${devices} devices`);

function silenceOf({ tier }: AlertEvent, alert: TemperatureAlert): number {
  const critical = tier === 'critical' ? alert.criticalSilenceMinutes : null;
  return critical ?? alert.silenceMinutes ?? 0;
}

function limitOf({ side, tier }: AlertEvent, alert: TemperatureAlert): string {
  const { alertType, thresholdValue, windowSeconds, temperatureUnit } = alert;
  if (thresholdValue !== null && windowSeconds !== null)
    return `${alertType} by ${quantity(thresholdValue, temperatureUnit)} or more in ${duration(windowSeconds)}`;
  const near = isPreAlert({ type: alertType, severity: alert.severity }, tier)
    ? alert.preAlertDifference
    : null;
  if (near !== null)
    return `within ${quantity(near, temperatureUnit)} of ${quantity(alert.targetTemperature ?? 0, temperatureUnit)}`;
  const critical = tier === 'critical';
  if (isBattery(alert)) {
    const percent = (critical ? alert.criticalBatteryPercent : null) ?? alert.batteryPercent;
    return `at or below ${percent} %`;
  }
  const low = (critical ? alert.criticalMinTemperature : null) ?? alert.minTemperature;
  const high = (critical ? alert.criticalMaxTemperature : null) ?? alert.maxTemperature;
  const limit = alert.targetTemperature ?? (side === 'low' ? low : high);
  if (limit === null) return alertType.replaceAll('_', ' ');
  const words = { up: 'at or above', down: 'at or below', high: 'above', low: 'below' };
  return `${words[side]} ${quantity(limit, temperatureUnit)}`;
}

export const isBattery = ({ alertType }: TemperatureAlert): boolean => alertType === 'battery';

/** A battery's percent have no unit where they are stored. */
export function unitOf(alert: TemperatureAlert, unit: Unit | null): Unit | '%' | null {
  return isBattery(alert) ? '%' : unit;
}
