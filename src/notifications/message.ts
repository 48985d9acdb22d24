import type { AlertEvent } from '../entities/alert-event.js';
import type { GrillingSession } from '../entities/grilling-session.js';
import type { NotificationSubject } from '../entities/notification.js';
import type { Severity, TemperatureAlert } from '../entities/temperature-alert.js';
import { PermanentError } from '../errors.js';
import { type Around, asidesOf } from './asides.js';
import type { Claimed } from './notification-manager.js';
import { isBattery, isOfDevice, isOfGateway, said, unitOf } from './sentence.js';
import { timeText } from './words.js';

/** As long as it may be stored. */
const MOST_DESCRIPTION = 2_000;
/** What fits into a message of each service beside the rest, whatever it is made of. */
const MOST_ADVICE = 300;

/** A stored notification in words and as data, before a channel gives it its form. All text is {@link inert}. */
export interface Message {
  type: `alert.${AlertEvent['kind']}` | NotificationSubject;
  severity: Severity;
  /** The alert and the side of it; left out: it is about no alert. */
  about?: string;
  title: string;
  /** Without the title, by the clock of who gets it: `Point is 203.2 °F, at or above 203 °F since … (read 25 s ago, rising 12 °F an hour, …)`. */
  text: string;
  /** The same, in several lines; left out: it is one. */
  lines?: string[];
  /** What the alert's owner wrote for whoever gets it, a line of its own at the end; left out: nothing, or it is over. */
  advice?: string;
  /** The same for machines, in UTC: the same on every attempt. Left out: `text` is. */
  summary?: string;
  /** What contract.md, Webhook says, but for `summary`. */
  body: Record<string, unknown>;
  /** Of what fires: pages with one button, for whoever gets the message. */
  links?: { acknowledge: string; snooze: string };
  /** Instead of `links`, where it is about several alerts. */
  actions?: Action[];
}

/** A page with one button, in words and as an address. */
export interface Action {
  /** With the names of others in it, {@link inert}. */
  label: string;
  url: string;
}

/** What one can do about a message, the most useful first. */
export function actionsOf({ links, actions = [] }: Pick<Message, 'links' | 'actions'>): Action[] {
  if (!links) return actions;
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
  const { id, subject, createdAt: timestamp, channel, alertEvent } = notification;
  if (alertEvent?.alert) return aboutAlert(alertEvent, alertEvent.alert, notification, around);
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
  const { long } = notification;
  if (subject === 'session.long' && long?.status === 'active')
    return { type: subject, severity: 'info', title: 'Long cook', ...aboutLong(long, about, channel) };
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

function aboutLong(
  { publicId: id, name: given, deviceId, device, startTime }: GrillingSession,
  about: Record<string, unknown>,
  channel: Claimed['channel'],
): Pick<Message, 'text' | 'body'> {
  const name = given && inert(given);
  const place = inert(device?.nickname ?? device?.label ?? deviceId);
  const since = timeText(startTime, channel?.user?.timeZone ?? null);
  const what = name ? `${name}, the cook on ${place},` : `the cook on ${place}`;
  const text = `${what} has gone on since ${since}: does it still? "session end ${id}" ends it, else it ends after 72 hours`;
  return { text, body: { ...about, session: { id, name, started_at: startTime } } };
}

function aboutAlert(
  event: AlertEvent,
  alert: TemperatureAlert,
  { sequence, channel }: Claimed,
  around: Around | undefined,
): Message {
  const timeZone = channel?.user?.timeZone ?? null;
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
  const gateway = isOfGateway(event) ? inert(around?.gateway ?? 'The gateway') : null;
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
    ...(isOfGateway(event) && { gateway: { name: gateway, silent_devices: event.silentDevices } }),
    ...(event.kind === 'resolved' && { duration_seconds: event.durationSeconds, extreme: event.extreme }),
  };
  const deviceName = nickname || inert(deviceId);
  const title = gateway ?? ((!isOfDevice(event) && name) || deviceName);
  const subject = subjectOf(event, alert, { title, deviceName, label });
  const since = around?.firedAt ?? null;
  return {
    type,
    severity: event.tier,
    about: `${alert.publicId} ${event.side}`,
    title,
    text: said(event, alert, { subject, since, timeZone }) + aside.text,
    ...(event.kind !== 'resolved' && alert.description && { advice: inert(alert.description, MOST_ADVICE) }),
    summary: said(event, alert, { subject, since, timeZone: null }) + aside.summary,
    body,
  };
}

/** What a message speaks of: once is enough where the title has the name. */
function subjectOf(
  event: AlertEvent,
  alert: TemperatureAlert,
  { title, deviceName, label }: { title: string; deviceName: string; label: string | null | undefined },
): string {
  const isWhole = isOfDevice(event) || (!label && alert.probeId === null);
  const name = isWhole ? deviceName : label || `Probe ${inert(alert.probeId ?? '')}`;
  const isBatterys = isWhole && isBattery(alert);
  if (isOfGateway(event) && deviceName !== title) return `${name} of ${deviceName}`;
  if (name === title) return isBatterys ? 'its battery' : 'it';
  return isBatterys ? `${name}'s battery` : name;
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
