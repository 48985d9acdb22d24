import { isPreAlert } from '../alerts/limits.js';
import type { AlertEvent } from '../entities/alert-event.js';
import type { NotificationSubject } from '../entities/notification.js';
import type { Severity, TemperatureAlert } from '../entities/temperature-alert.js';
import { PermanentError } from '../errors.js';
import { roundToHundredth, type Unit } from '../readings/sample.js';
import type { Claimed } from './notification-manager.js';

/** A stored notification in words and as data, before a channel gives it its form. All text is {@link inert}. */
export interface Message {
  type: `alert.${AlertEvent['kind']}` | NotificationSubject;
  severity: Severity;
  title: string;
  /** Without the title: `Point is 203.2 °F, at or above 203 °F since …`. */
  text: string;
  /** The same, in several lines; left out: it is one. */
  lines?: string[];
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
 * @throws PermanentError if what it is about is gone
 */
export function createMessage(notification: Claimed): Message {
  const { id, subject, createdAt: timestamp, channel, alertEvent, sequence } = notification;
  if (alertEvent?.alert) return aboutAlert(alertEvent, alertEvent.alert, sequence);
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

function aboutAlert(event: AlertEvent, alert: TemperatureAlert, sequence: number | null): Message {
  const { device, deviceId, probeId } = alert;
  const probe = device?.probes?.find((one) => one.userId === alert.userId && one.probeId === probeId);
  const [nickname, label, name] = [device?.nickname ?? device?.label, probe?.label, alert.name].map(
    (text) => text && inert(text),
  );
  const type = `alert.${event.kind}` as const;
  const body = {
    type,
    id: event.publicId,
    timestamp: event.createdAt,
    sequence,
    alert: { id: alert.publicId, name, type: alert.alertType, severity: event.tier, ...limitsOf(alert) },
    device: { device_id: deviceId, nickname },
    probe: probe ? { probe_id: probeId, label } : null,
    session: event.session
      ? {
          id: event.session.publicId,
          name: event.session.name && inert(event.session.name),
          started_at: event.session.startTime,
        }
      : null,
    reading: { value: event.value, unit: event.unit, measured_at: event.measuredAt },
    ...(event.change !== null && { change: event.change }),
    ...(isOfDevice(event) && { silent_probes: event.silentProbes }),
    ...(event.kind === 'resolved' && { duration_seconds: event.durationSeconds, extreme: event.extreme }),
  };
  const deviceName = nickname || inert(deviceId);
  const subject = label || (probeId === null ? deviceName : `Probe ${inert(probeId)}`);
  return {
    type,
    severity: event.tier,
    title: (!isOfDevice(event) && name) || deviceName,
    text: isOfDevice(event) ? silenceOfAll(event, alert, deviceName) : sentence(event, alert, subject),
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
  };
  const given = Object.entries(numbers).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(given), temperature_unit: alert.temperatureUnit };
}

function sentence(event: AlertEvent, alert: TemperatureAlert, subject: string): string {
  const { kind, durationSeconds, extreme, measuredAt, change } = event;
  const value = event.value === null ? 'without a value' : quantity(event.value, event.unit);
  const limit = limitOf(event, alert);
  const at = minuteOf(measuredAt);
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
  if (kind !== 'resolved') {
    return `${subject} is ${kind === 'repeated' ? 'still ' : ''}${value}, ${limit} ${kind === 'repeated' ? 'at' : 'since'} ${at}`;
  }
  const lasted = durationSeconds === null ? '' : `, which lasted ${duration(durationSeconds)}`;
  const worst = extreme === null ? '' : ` with an extreme of ${quantity(extreme, alert.temperatureUnit)}`;
  return `${subject} is ${value} at ${at}, no longer ${limit}${lasted}${worst}`;
}

/** It speaks for its whole device. */
const isOfDevice = ({ silentProbes }: AlertEvent): boolean => typeof silentProbes === 'number';

function silenceOfAll(event: AlertEvent, alert: TemperatureAlert, device: string): string {
  const seconds = 60 * silenceOf(event, alert);
  const since = new Date(event.measuredAt.getTime() - seconds * 1000);
  return `nothing was heard of ${device} for ${duration(seconds)}, since ${minuteOf(since)}: all ${event.silentProbes} watched probes are silent`;
}

const minuteOf = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

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
  const low = (critical ? alert.criticalMinTemperature : null) ?? alert.minTemperature;
  const high = (critical ? alert.criticalMaxTemperature : null) ?? alert.maxTemperature;
  const limit = alert.targetTemperature ?? (side === 'low' ? low : high);
  if (limit === null) return alertType.replaceAll('_', ' ');
  const words = { up: 'at or above', down: 'at or below', high: 'above', low: 'below' };
  return `${words[side]} ${quantity(limit, temperatureUnit)}`;
}

/** `203.2 °F`; humidity as `40 % RH`. */
export function quantity(value: number, unit: Unit | null): string {
  const suffix = unit === 'H' ? ' % RH' : unit === null ? '' : ` °${unit}`;
  return `${roundToHundredth(value)}${suffix}`;
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 120) return `${seconds} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
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
