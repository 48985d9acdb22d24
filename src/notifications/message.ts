import { isPreAlert } from '../alerts/limits.js';
import type { AlertEvent } from '../entities/alert-event.js';
import type { NotificationSubject } from '../entities/notification.js';
import type { Severity, TemperatureAlert } from '../entities/temperature-alert.js';
import { PermanentError } from '../errors.js';
import type { Unit } from '../readings/sample.js';
import { type Around, asidesOf } from './asides.js';
import type { Claimed } from './notification-manager.js';
import { duration, quantity, timeText } from './words.js';

/** As long as it may be stored. */
const MOST_DESCRIPTION = 2_000;
/** What fits into a message of each service beside the rest, whatever it is made of. */
const MOST_ADVICE = 300;

/** A stored notification in words and as data, before a channel gives it its form. All text is {@link inert}. */
export interface Message {
  type: `alert.${AlertEvent['kind']}` | NotificationSubject;
  severity: Severity;
  title: string;
  /** Without the title: `Point is 203.2 °F, at or above 203 °F since … (read 25 s ago, rising 12 °F an hour, …)`. */
  text: string;
  /** The same, in several lines; left out: it is one. */
  lines?: string[];
  /** What the alert's owner wrote for whoever gets it, a line of its own at the end; left out: nothing, or it is over. */
  advice?: string;
  /** The same for machines: the same on every attempt. Left out: `text` is. */
  summary?: string;
  /** What contract.md, Webhook says, but for `summary`. */
  body: Record<string, unknown>;
  /** Of what fires: pages with one button, for whoever gets the message. */
  links?: { acknowledge: string; snooze: string };
}

/** What one can do about a message, in words and as an address, for channels that have no buttons. */
export function actionsOf({ links }: Pick<Message, 'links'>): { label: string; url: string }[] {
  if (!links) return [];
  return [
    { label: 'Acknowledge', url: links.acknowledge },
    { label: 'Snooze', url: links.snooze },
  ];
}

/**
 * Says what a notification is about.
 * @param notification with its relations, as `NotificationManager.claim` loads them
 * @param around of an alert's event, at `now`: how old its reading is then, and what else is stored around it
 * @throws PermanentError if what it is about is gone
 */
export function createMessage(notification: Claimed, around?: Around): Message {
  const { id, subject, createdAt: timestamp, channel, alertEvent, sequence } = notification;
  if (alertEvent?.alert) return aboutAlert(alertEvent, alertEvent.alert, sequence, around);
  const about = { type: subject, id, timestamp };
  if (subject === 'channel.test' && channel) {
    const body = { ...about, channel: { id: channel.publicId, kind: channel.kind } };
    return { type: subject, severity: 'info', title: 'Test', text: 'this channel works', body };
  }
  const { disabled } = notification;
  if (subject === 'channel.disabled' && disabled && !disabled.isActive) {
    const { publicId, kind } = disabled;
    const error = disabled.lastError && inert(disabled.lastError, 500);
    const body = { ...about, channel: { id: publicId, kind, last_error: error } };
    const text = `nothing goes to the ${kind} channel ${publicId} any more: ${error ?? 'it was switched off'}. A test that arrives switches it on again`;
    return { type: subject, severity: 'warning', title: 'Channel switched off', text, body };
  }
  const account = channel?.user?.thermoworksCredential;
  if (subject === 'account.needs_reauth' && channel?.user && account) {
    const [email, error] = [
      inert(channel.user.email, 255),
      account.lastError && inert(account.lastError, 500),
    ];
    const body = { ...about, account: { email, status: account.status, last_error: error } };
    const text = `the cloud no longer accepts the sign-in of ${email}: link the account again`;
    return { type: subject, severity: 'critical', title: 'ThermoWorks account', text, body };
  }
  throw new PermanentError(`notification ${id} is about something that is gone`);
}

function aboutAlert(
  event: AlertEvent,
  alert: TemperatureAlert,
  sequence: number | null,
  around: Around | undefined,
): Message {
  const { device, deviceId, probeId } = alert;
  const probe = device?.probes?.find((one) => one.userId === alert.userId && one.probeId === probeId);
  const [nickname, label, name] = [device?.nickname ?? device?.label, probe?.label, alert.name].map(
    (text) => text && inert(text),
  );
  const type = `alert.${event.kind}` as const;
  const interval = device?.transmitIntervalSeconds;
  const sessionName = event.session?.name && inert(event.session.name);
  const aside = around ? asidesOf(event, alert, { ...around, sessionName }) : { summary: '', text: '' };
  const trend = around?.trend;
  const body = {
    type,
    id: event.publicId,
    timestamp: event.createdAt,
    sequence,
    alert: {
      id: alert.publicId,
      name,
      description: alert.description && inert(alert.description, MOST_DESCRIPTION),
      type: alert.alertType,
      severity: event.tier,
      ...limitsOf(alert),
    },
    device: {
      device_id: deviceId,
      nickname,
      ...(interval && { transmit_interval_seconds: interval }),
    },
    probe: probe ? { probe_id: probeId, label } : null,
    session: event.session
      ? {
          id: event.session.publicId,
          name: sessionName,
          started_at: event.session.startTime,
        }
      : null,
    reading: { value: event.value, unit: unitOf(alert, event.unit), measured_at: event.measuredAt },
    ...(trend && { trend: { direction: trend.direction, per_hour: trend.perHour, unit: trend.unit } }),
    ...(around?.firedAt && { since: around.firedAt }),
    ...(event.change !== null && { change: event.change }),
    ...(isOfDevice(event) && { silent_probes: event.silentProbes }),
    ...(event.kind === 'resolved' && { duration_seconds: event.durationSeconds, extreme: event.extreme }),
  };
  const deviceName = nickname || inert(deviceId);
  const whole = isBattery(alert) ? `${deviceName}'s battery` : deviceName;
  const subject = label || (probeId === null ? whole : `Probe ${inert(probeId)}`);
  const said = isOfDevice(event)
    ? silenceOfAll(event, alert, deviceName)
    : sentence(event, alert, { subject, since: around?.firedAt });
  return {
    type,
    severity: event.tier,
    title: (!isOfDevice(event) && name) || deviceName,
    text: said + aside.text,
    ...(event.kind !== 'resolved' && alert.description && { advice: inert(alert.description, MOST_ADVICE) }),
    summary: said + aside.summary,
    body,
  };
}

function limitsOf(alert: TemperatureAlert): Record<string, unknown> {
  const numbers = {
    target_temperature: alert.targetTemperature,
    pre_alert_difference: alert.preAlertDifference,
    min_temperature: alert.minTemperature,
    max_temperature: alert.maxTemperature,
    critical_min_temperature: alert.criticalMinTemperature,
    critical_max_temperature: alert.criticalMaxTemperature,
    threshold_value: alert.thresholdValue,
    window_seconds: alert.windowSeconds,
    silence_minutes: alert.silenceMinutes,
    critical_silence_minutes: alert.criticalSilenceMinutes,
    battery_percent: alert.batteryPercent,
    critical_battery_percent: alert.criticalBatteryPercent,
  };
  const given = Object.entries(numbers).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(given), temperature_unit: alert.temperatureUnit };
}

function sentence(
  event: AlertEvent,
  alert: TemperatureAlert,
  { subject, since }: { subject: string; since: Date | null | undefined },
): string {
  const { kind, durationSeconds, extreme, measuredAt, change } = event;
  const value = event.value === null ? 'without a value' : quantity(event.value, unitOf(alert, event.unit));
  const limit = limitOf(event, alert);
  const at = timeText(measuredAt);
  if (change !== null) {
    const verb = alert.alertType === 'rising' ? 'rose' : 'fell';
    const moved = `${verb} ${quantity(change, alert.temperatureUnit)} in ${duration(alert.windowSeconds ?? 0)}`;
    return `${subject} ${moved}, to ${value} at ${at}; the limit is ${quantity(alert.thresholdValue ?? 0, alert.temperatureUnit)}`;
  }
  if (alert.alertType === 'no_data' || alert.alertType === 'probe_removed') {
    const since = `${at}${durationSeconds === null ? '' : `, after ${duration(durationSeconds)}`}`;
    if (kind === 'resolved') return `${subject} is there again since ${since}`;
    return alert.alertType === 'no_data'
      ? `nothing was heard of ${subject} for ${duration(60 * silenceOf(event, alert))}, at ${at}`
      : `${subject} is no longer plugged in since ${at}`;
  }
  const is = isBattery(alert) ? 'is at' : 'is';
  if (kind !== 'resolved') {
    if (kind !== 'repeated') return `${subject} ${is} ${value}, ${limit} since ${at}`;
    const both = since ? ` at ${at}, ${limit} since ${timeText(since)}` : `, ${limit} at ${at}`;
    return `${subject} ${is.replace('is', 'is still')} ${value}${both}`;
  }
  const lasted = durationSeconds === null ? '' : `, which lasted ${duration(durationSeconds)}`;
  const worst =
    extreme === null ? '' : ` with an extreme of ${quantity(extreme, unitOf(alert, alert.temperatureUnit))}`;
  return `${subject} ${is} ${value} at ${at}, no longer ${limit}${lasted}${worst}`;
}

/** It speaks for its whole device. */
const isOfDevice = ({ silentProbes }: AlertEvent): boolean => typeof silentProbes === 'number';

function silenceOfAll(event: AlertEvent, alert: TemperatureAlert, device: string): string {
  const seconds = 60 * silenceOf(event, alert);
  const since = new Date(event.measuredAt.getTime() - seconds * 1000);
  return `nothing was heard of ${device} for ${duration(seconds)}, since ${timeText(since)}: all ${event.silentProbes} watched probes are silent`;
}

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

const isBattery = ({ alertType }: TemperatureAlert): boolean => alertType === 'battery';

/** A battery's percent have no unit where they are stored. */
function unitOf(alert: TemperatureAlert, unit: Unit | null): Unit | '%' | null {
  return isBattery(alert) ? '%' : unit;
}

/** Text of others on one short line: nothing that controls a terminal, a header or the direction of writing. */
export function inert(text: string, maxLength = 100): string {
  const control = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;
  const points = [
    ...text
      .slice(0, 4 * maxLength)
      .replace(control, ' ')
      .trim(),
  ];
  return points.length > maxLength ? `${points.slice(0, maxLength - 1).join('')}…` : points.join('');
}
