import {
  FLAG,
  isPlausible,
  isStorable,
  roundToHundredth,
  type Sample,
  type Unit,
} from '../readings/sample.js';
import {
  booleanOf,
  type Fields,
  fieldsOf,
  isPresent,
  isRecord,
  listOf,
  mapOf,
  numberOf,
  textOf,
  timeOf,
} from './firestore-value.js';
import { judge, type RejectReason } from './judge.js';
import type { CloudChannel, CloudDevice, CloudUser } from './types.js';

/** What is asked of each document, so that personal fields never reach us. */
export const USER_FIELDS = ['accountId', 'preferredUnits', 'timeZone'];
export const DEVICE_FIELDS = [
  ...['label', 'type', 'device', 'battery', 'batteryState', 'wifi_stength', 'gatewayRSSI', 'lastSeen'],
  ...['latestReading', 'lastTelemetrySaved', 'transmitIntervalInSeconds', 'recordingIntervalInSeconds'],
  ...['lastArchive', 'iotDeviceId', 'gatewayId'],
];
export const CHANNEL_FIELDS = [
  ...['value', 'units', 'status', 'type', 'label', 'enabled', 'lastTelemetrySaved', 'lastSeen'],
  ...['minimum', 'maximum', 'alarmHigh', 'recentReadings'],
];

const LONGEST_INTERVAL_SECONDS = 31 * 86_400;

/** What a shown 0 is in the unit of the minimum or maximum beside it. */
const ZERO_IN: Record<Unit, Partial<Record<Unit, number>>> = {
  F: { F: 0, C: -160 / 9 },
  C: { C: 0, F: 32 },
  H: { H: 0, F: 0, C: 0 },
};

/** Of `batteryState`; any other word says nothing. */
const CHARGING = new Map([
  ['charging', true],
  ['full', true],
  ['discharging', false],
]);

const ESCAPE_CODES = new RegExp(`${String.fromCharCode(27)}\\[[0-?]*[ -/]*[@-~]`, 'g');
/** What is stored as it came: nothing that PostgreSQL refuses, or that comes back as something else. */
const ACCOUNT_ID = /^[^\p{Cc}\p{Cs}]{1,100}$/u;
export const UPDATE_TIME = /^[\x20-\x7e]{1,40}$/;
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu;

/** The user document, or null where it names no account: nothing can be listed then. */
export function readUser(document: unknown): CloudUser | null {
  const fields = fieldsOf(document);
  const accountId = textOf(fields.accountId)?.trim();
  if (!accountId || !ACCOUNT_ID.test(accountId)) return null;
  const units = textOf(fields.preferredUnits);
  const preferredUnit = units === 'F' || units === 'C' ? units : null;
  return { accountId, preferredUnit, timeZone: timeZoneOf(fields.timeZone) };
}

/** @param readTime stands in for a missing `updateTime`, so that such a device counts as changed with every poll */
export function readDevice(document: unknown, readTime: Date): CloudDevice | null {
  const [collection, deviceId, ...rest] = pathOf(document);
  if (!isRecord(document) || collection !== 'devices' || !deviceId || rest.length > 0) return null;
  const { updateTime } = document;
  const fields = fieldsOf(document);
  const known = typeof updateTime === 'string' && UPDATE_TIME.test(updateTime);
  return {
    deviceId,
    updateTime: known ? updateTime : readTime.toISOString(),
    label: plainText(fields.label),
    type: plainText(fields.type),
    model: plainText(fields.device),
    batteryPercent: wholeNumber(fields.battery, 0, 100),
    isCharging: CHARGING.get(textOf(fields.batteryState)?.trim().toLowerCase() ?? '') ?? null,
    signalDbm: wholeNumber(fields.wifi_stength, -200, -1) ?? wholeNumber(fields.gatewayRSSI, -200, -1),
    lastSeenAt: timeOf(fields.lastSeen),
    lastTelemetryAt: timeOf(fields.latestReading) ?? timeOf(fields.lastTelemetrySaved),
    lastArchiveAt: timeOf(fields.lastArchive),
    transmitIntervalSeconds: wholeNumber(fields.transmitIntervalInSeconds, 1, LONGEST_INTERVAL_SECONDS),
    recordingIntervalSeconds: wholeNumber(fields.recordingIntervalInSeconds, 1, LONGEST_INTERVAL_SECONDS),
    iotDeviceId: plainText(fields.iotDeviceId),
    gatewayId: plainText(fields.gatewayId),
  };
}

/**
 * A channel document, and why some of what it shows gave no sample; null if it is no channel document.
 *
 * @param readTime when the cloud read the document: the clock that skew is judged against
 */
export function readChannel(
  document: unknown,
  readTime: Date,
): { channel: CloudChannel; rejected: RejectReason[] } | null {
  const [collection, deviceId, inner, probeId, ...rest] = pathOf(document);
  if (collection !== 'devices' || inner !== 'channels' || !deviceId || !probeId || rest.length > 0)
    return null;
  const fields = fieldsOf(document);
  const unit = unitOf(fields.units);
  const condition = conditionOf(fields, unit);
  const { samples, current, rejected } = samplesOf(fields, unit, condition, readTime);
  const humid = unit === null ? /humidity/i.test(textOf(fields.type) ?? '') : unit === 'H';
  const channel: CloudChannel = {
    deviceId,
    probeId,
    label: plainText(fields.label),
    kind: humid ? 'humidity' : 'temperature',
    condition,
    samples,
    current,
    unknownUnit: unit === null ? plainText(fields.units) : null,
    lastSeenAt: timeOf(fields.lastSeen),
    alarmHigh: alarmOf(fields.alarmHigh, unit),
  };
  return { channel, rejected };
}

function conditionOf(fields: Fields, unit: Unit | null): CloudChannel['condition'] {
  if (booleanOf(fields.enabled) === false) return 'disabled';
  const status = statusOf(fields);
  if (status === 'OFFLINE') return 'offline';
  const value = numberOf(fields.value);
  if (value === null || status === 'NO PROBE') return 'absent';
  return unit === null || !isStorable(value) ? 'fault' : 'ok';
}

function statusOf({ status }: Fields): string {
  return textOf(status)?.trim().toUpperCase() ?? '';
}

/** `value` and `recentReadings` by time. What a disabled, unplugged or offline probe shows is no measurement. */
function samplesOf(
  fields: Fields,
  unit: Unit | null,
  condition: CloudChannel['condition'],
  readTime: Date,
): { samples: Sample[]; current: Sample | null; rejected: RejectReason[] } {
  if (condition === 'disabled' || ['NO PROBE', 'OFFLINE'].includes(statusOf(fields)))
    return { samples: [], current: null, rejected: [] };
  const rejected: RejectReason[] = [];
  const take = (value: unknown, ofUnit: Unit | null, measuredAt: Date | null, flags = 0): Sample | null => {
    const sample = sampleOf({ value: numberOf(value), unit: ofUnit, measuredAt, flags }, fields, readTime);
    if (typeof sample !== 'string') return sample;
    rejected.push(sample);
    return null;
  };

  const recent = listOf(fields.recentReadings).flatMap((entry) => {
    const { v, ts, u } = mapOf(entry);
    return take(v, textOf(u) ? unitOf(u) : unit, timeOf(ts)) ?? [];
  });
  const measuredAt = timeOf(fields.lastTelemetrySaved);
  let current: Sample | null = null;
  // An unknown unit is a state of the probe, and an empty value says that there is none: neither is a rejection.
  if (isPresent(fields.value) && unit !== null) {
    const flags = measuredAt ? 0 : FLAG.estimatedTime;
    current = take(fields.value, unit, measuredAt ?? timeOf(fields.lastSeen), flags);
  }
  if (current && !measuredAt) current = sameAsNewest(current, recent) ?? current;
  return { samples: byTime(current ? [current, ...recent] : recent), current, rejected };
}

/** The newest recent reading, if it is the value whose own time is missing: then its time need not be estimated. */
function sameAsNewest({ value, unit }: Sample, recent: Sample[]): Sample | undefined {
  const newest = byTime(recent).at(-1);
  return newest?.value === value && newest.unit === unit ? newest : undefined;
}

function byTime(samples: Sample[]): Sample[] {
  const firstAt = new Map<number, Sample>();
  for (const sample of samples) {
    const time = sample.measuredAt.getTime();
    if (!firstAt.has(time)) firstAt.set(time, sample);
  }
  return [...firstAt].sort(([a], [b]) => a - b).map(([, sample]) => sample);
}

function sampleOf(
  shown: { value: number | null; unit: Unit | null; measuredAt: Date | null; flags: number },
  fields: Fields,
  readTime: Date,
): Sample | RejectReason {
  const { value, unit, measuredAt } = shown;
  if (value === null) return 'number';
  if (unit === null) return 'unit';
  if (!isStorable(value)) return 'range';
  if (measuredAt === null) return 'time';
  const judged = judge({ value, unit, ms: measuredAt.getTime() }, readTime.getTime());
  if (typeof judged === 'string') return judged;
  const trap = value === 0 && isZeroTrap(unit, fields) ? FLAG.suspect : 0;
  return { measuredAt, value: roundToHundredth(value), unit, flags: shown.flags | judged | trap };
}

/**
 * An exact 0 beyond the extremes of the same document: seen on unused sub-probes whose minimum was 69 °F
 * (nhorvath/python-thermoworks-smoke#2).
 */
function isZeroTrap(unit: Unit, fields: Fields): boolean {
  const signOf = (extreme: unknown) => {
    const { value, units } = mapOf(mapOf(extreme).reading);
    const zero = ZERO_IN[unit][unitOf(units) ?? unit];
    const number = numberOf(value);
    return zero === undefined || number === null ? 0 : Math.sign(number - zero);
  };
  return signOf(fields.minimum) > 0 || signOf(fields.maximum) < 0;
}

function alarmOf(value: unknown, channelUnit: Unit | null): CloudChannel['alarmHigh'] {
  const alarm = mapOf(value);
  const limit = numberOf(alarm.value);
  // The alarm of a humidity channel says F and means percent.
  const unit = channelUnit === 'H' ? 'H' : (unitOf(alarm.units) ?? channelUnit);
  if (limit === null || unit === null || !isPlausible(limit, unit)) return null;
  return { enabled: booleanOf(alarm.enabled) === true, value: roundToHundredth(limit), unit };
}

function unitOf(value: unknown): Unit | null {
  const text = textOf(value);
  return text === 'F' || text === 'C' || text === 'H' ? text : null;
}

export function wholeNumber(value: unknown, lowest: number, highest: number): number | null {
  const number = Math.round(numberOf(value) ?? Number.NaN);
  return number >= lowest && number <= highest ? number + 0 : null;
}

/** Without control characters, escape codes and marks that turn the direction of writing; null if nothing is left. */
function plainText(value: unknown): string | null {
  const text = textOf(value)?.slice(0, 1000).replace(ESCAPE_CODES, '').replace(UNPRINTABLE, '') ?? '';
  return [...text].slice(0, 100).join('').trim() || null;
}

function timeZoneOf(value: unknown): string | null {
  const timeZone = textOf(value);
  if (!timeZone || timeZone.length > 50) return null;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch {
    return null;
  }
}

/** The path of a document below `documents`; empty if an id is one that we would not store as a key. */
export function pathOf(document: unknown): string[] {
  if (!isRecord(document) || typeof document.name !== 'string') return [];
  const path = document.name.split('/documents/')[1]?.split('/') ?? [];
  return path.every((id) => /^[\x21-\x7e]{1,50}$/.test(id)) ? path : [];
}
