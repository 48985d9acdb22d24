import { InputError } from '../errors.js';
import { type ProbeRole, toHundredths } from '../readings/sample.js';
import { convertDifference, type TemperatureUnit, toCelsius } from '../readings/temperature.js';
import { type Given, MAX_SECONDS, option, parseGiven } from './alert-input.js';
import { DEFAULT_TARGET_HOLD_SECONDS } from './evaluate.js';
import { isPresence, isSlope, roomOf } from './limits.js';
import type { AlertRule } from './types.js';

/** What a user sets, complete: the rule and what it is called. */
export type AlertSettings = Omit<AlertRule, 'id'> & { name: string | null; description: string | null };

/** A cook's probe: a fire that runs away or goes out. */
const COOK_SLOPE = { changeC: 15, windowSeconds: 600 };
/** A fridge whose door stayed open. */
const STORAGE_SLOPE = { changeC: 3, windowSeconds: 1800 };
// Enough readings to tell a change from a single odd one; their change counts as projected to an hour.
const LOGGER_CYCLES = 4;
const PROJECTED_SECONDS = 3600;

const PIT = { hysteresis: { C: 3, F: 5 }, rangeHoldSeconds: 180, recoverySeconds: null, slope: COOK_SLOPE };
// A minute outlasts a probe that is moved or touches bone for a reading or two, and is soon enough to save the food.
const FOOD = { hysteresis: { C: 1, F: 1.8 }, rangeHoldSeconds: 60, recoverySeconds: null, slope: COOK_SLOPE };
// Half an hour and ten minutes outlast a defrost and a door.
const STORAGE = {
  hysteresis: { C: 1, F: 1.8 },
  rangeHoldSeconds: 1800,
  recoverySeconds: 600,
  slope: STORAGE_SLOPE,
};
const DEFAULTS = { pit: PIT, food: FOOD, storage: STORAGE, other: FOOD };
/** In percent; what has charged past it by so much may fire again. */
const BATTERY = { warning: 20, critical: 10, hysteresis: 5 };
const MAX_CELSIUS = 1000;
const MIN_RECOVERY_SECONDS = 120;

/** What is known of the probe and of its owner. */
export interface Place {
  role: ProbeRole;
  temperatureUnit: TemperatureUnit | null;
  /** As the device states it; null: it does not. */
  transmitIntervalSeconds: number | null;
  /** The same, or as learned from its readings; null: not known yet. */
  intervalSeconds: number | null;
}

/**
 * A complete alert from what a user gave: a type and a number are enough (a rising or falling alert needs no number),
 * the rest is the default of the probe's role.
 * @param input options of `alert create` by their names in camel case, numbers also as text
 * @throws InputError that names the option
 */
export function withDefaults(input: Record<string, unknown>, place: Place): AlertSettings {
  const given = parseGiven(input);
  const isTarget = given.type === 'target';
  const foreign = isTarget || !given.direction ? foreignOf(given) : 'direction';
  if (foreign) throw new InputError(`${option(foreign)} is not for ${NAMES[given.type]}`);
  const temperatureUnit = given.temperatureUnit ?? place.temperatureUnit ?? 'F';
  const byRole = DEFAULTS[place.role];
  const settings: AlertSettings = {
    holdSeconds: isTarget ? DEFAULT_TARGET_HOLD_SECONDS : byRole.rangeHoldSeconds,
    recoverySeconds: byRole.recoverySeconds,
    hysteresis: byRole.hysteresis[temperatureUnit],
    ...given,
    ...(isSlope(given.type) && slopeOf(given, { ...place, temperatureUnit })),
    ...(isPresence(given.type) && presenceOf(given, place)),
    ...(given.type === 'battery' && batteryOf(given)),
    temperatureUnit,
    direction: isTarget ? (given.direction ?? 'up') : null,
  };
  if (given.type === 'target' || given.type === 'range') checkLimits(given.type, settings);
  if (isTarget) checkNear(settings);
  if (given.type !== 'range' || given.hysteresis !== undefined) return settings;
  // A narrow range has to be left by less than its own width.
  const half = Math.floor(roomOf({ ...settings, id: 0 }) / 2) / 100;
  return { ...settings, hysteresis: Math.min(settings.hysteresis, half) };
}

/** Two intervals of the device as it is when the alert is created, at least two minutes. */
export function defaultRecoverySeconds(intervalSeconds: number | null): number {
  return Math.max(Math.round(2 * (intervalSeconds ?? 0)), MIN_RECOVERY_SECONDS);
}

/**
 * A change and its window. By default a slow logger's window is four of its cycles, and the change that of the role,
 * at the same rate, projected to an hour at most. Half of it counts as calm again.
 */
function slopeOf(
  { thresholdValue, windowSeconds, hysteresis, holdSeconds = 0 }: Given,
  { role, temperatureUnit, transmitIntervalSeconds }: Place & { temperatureUnit: TemperatureUnit },
) {
  const { changeC, windowSeconds: usual } = DEFAULTS[role].slope;
  const intervalSeconds = transmitIntervalSeconds ?? 0;
  const window = windowSeconds ?? Math.min(Math.max(usual, LOGGER_CYCLES * intervalSeconds), MAX_SECONDS);
  if (window < 2 * intervalSeconds)
    throw new InputError(
      `--window-seconds must be at least ${2 * intervalSeconds}: the device sends a reading every ${intervalSeconds} s, and it takes three`,
    );
  const projected = windowSeconds ? 1 : Math.min(window, Math.max(usual, PROJECTED_SECONDS)) / usual;
  const change = toHundredths(thresholdValue ?? convertDifference(changeC * projected, 'C', temperatureUnit));
  const calm = hysteresis === undefined ? Math.floor(change / 2) : toHundredths(hysteresis);
  if (calm >= change) throw new InputError('--hysteresis must be below --threshold-value');
  return { thresholdValue: change / 100, windowSeconds: window, hysteresis: calm / 100, holdSeconds };
}

/** By default silence is a warning after three intervals and critical after six, at least 10 and 30 minutes. */
function presenceOf({ type, silenceMinutes, criticalSilenceMinutes, severity }: Given, place: Place) {
  const plain = { hysteresis: 0, holdSeconds: 0, recoverySeconds: 0 };
  if (type === 'probe_removed') return plain;
  const interval = place.intervalSeconds ?? 0;
  const isGiven = silenceMinutes !== null || criticalSilenceMinutes !== null;
  const warning = isGiven ? silenceMinutes : Math.max(10, Math.ceil((3 * interval) / 60));
  const usual = severity === 'critical' ? null : Math.max(30, Math.ceil((6 * interval) / 60));
  const critical = isGiven ? criticalSilenceMinutes : usual;
  const least = Math.ceil((2 * (place.transmitIntervalSeconds ?? 0)) / 60);
  if ((warning ?? critical ?? 0) < least)
    throw new InputError(
      `--silence-minutes must be at least ${least}: the device sends a reading every ${place.transmitIntervalSeconds} s`,
    );
  if (warning !== null && critical !== null && critical <= warning)
    throw new InputError('--critical-silence-minutes must be above --silence-minutes');
  if (critical !== null && warning !== null && severity === 'critical')
    throw new InputError(
      '--severity critical leaves room for one of --silence-minutes and --critical-silence-minutes',
    );
  return { ...plain, silenceMinutes: warning, criticalSilenceMinutes: critical };
}

/** By default low is a warning at 20 % and critical at 10 %. */
function batteryOf({ batteryPercent, criticalBatteryPercent, hysteresis, severity }: Given) {
  const isGiven = batteryPercent !== null || criticalBatteryPercent !== null;
  const warning = isGiven ? batteryPercent : severity === 'critical' ? BATTERY.critical : BATTERY.warning;
  const critical = isGiven || severity === 'critical' ? criticalBatteryPercent : BATTERY.critical;
  const calm = hysteresis ?? BATTERY.hysteresis;
  if (warning !== null && critical !== null && critical >= warning)
    throw new InputError('--critical-battery-percent must be below --battery-percent');
  if (warning !== null && critical !== null && severity === 'critical')
    throw new InputError(
      '--severity critical leaves room for one of --battery-percent and --critical-battery-percent',
    );
  if ((warning ?? critical ?? 0) + calm >= 100)
    throw new InputError('--hysteresis must leave room: a battery charges to 100 %');
  const held = { holdSeconds: 0, recoverySeconds: 0, hysteresis: calm };
  return { ...held, batteryPercent: warning, criticalBatteryPercent: critical };
}

const NAMES = {
  target: 'a target',
  range: 'a range',
  rising: 'a rising alert',
  falling: 'a falling alert',
  no_data: 'a no-data alert',
  battery: 'a battery alert',
  probe_removed: 'a probe-removed alert',
};
/** By type, from the coldest to the hottest. */
const LIMITS = {
  target: ['targetTemperature'],
  range: ['criticalMinTemperature', 'minTemperature', 'maxTemperature', 'criticalMaxTemperature'],
} as const;
const SLOPE = ['thresholdValue', 'windowSeconds'] as const;
const NEAR = ['preAlertDifference'] as const;
const SILENCE = ['silenceMinutes', 'criticalSilenceMinutes'] as const;
const POWER = ['batteryPercent', 'criticalBatteryPercent'] as const;
const HOLDS = ['holdSeconds', 'recoverySeconds'] as const;
/** What a type has no use for. */
const FOREIGN = {
  target: [...LIMITS.range, ...SLOPE, ...SILENCE, ...POWER],
  range: [...LIMITS.target, ...NEAR, ...SLOPE, ...SILENCE, ...POWER],
  rising: [...LIMITS.target, ...NEAR, ...LIMITS.range, ...SILENCE, ...POWER],
  falling: [...LIMITS.target, ...NEAR, ...LIMITS.range, ...SILENCE, ...POWER],
  no_data: [...LIMITS.target, ...NEAR, ...LIMITS.range, ...SLOPE, ...POWER, ...HOLDS, 'hysteresis'],
  // Once for each discharge: nothing is left to hold or to cool down.
  battery: [...LIMITS.target, ...NEAR, ...LIMITS.range, ...SLOPE, ...SILENCE, ...HOLDS, 'cooldownSeconds'],
  probe_removed: [
    ...[...LIMITS.target, ...NEAR, ...LIMITS.range, ...SLOPE, ...SILENCE, ...POWER, ...HOLDS],
    'hysteresis',
  ],
} as const;

/** What a type cannot be without: one of each. */
const NEEDS = {
  target: [LIMITS.target],
  range: [LIMITS.range],
  rising: SLOPE.map((key) => [key]),
  falling: SLOPE.map((key) => [key]),
  no_data: [SILENCE],
  battery: [POWER],
  probe_removed: [],
};

/** What is there may be taken away, but not all that a type needs: no default comes in its place. @throws InputError */
export function checkNeeds(type: AlertRule['type'], settings: Record<string, unknown>): void {
  const missing = NEEDS[type].find((keys) => keys.every((key) => (settings[key] ?? null) === null));
  if (missing) throw new InputError(`${NAMES[type]} needs ${missing.map(option).join(' or ')}`);
}

/** What comes back into a range can be back without leaving it on the other side. @throws InputError */
export function checkRoom(rule: AlertRule): void {
  const room = roomOf(rule);
  if (rule.type !== 'range' || toHundredths(rule.hysteresis) < room) return;
  throw new InputError(
    `--hysteresis must be below ${room / 100}, the distance of the limits: ${rule.hysteresis} is not`,
  );
}

function foreignOf(given: Given): string | undefined {
  // 0 is how a hold that is not there is stored.
  const isNone = (value: unknown) => value === null || value === undefined || value === 0;
  return FOREIGN[given.type].find((key) => !isNone(given[key]));
}

/** A target that is near is told as `info`, so the target itself is more than that. */
function checkNear({ preAlertDifference, severity }: AlertSettings): void {
  if (preAlertDifference !== null && severity === 'info')
    throw new InputError('--pre-alert-difference needs a --severity of warning or critical');
}

function checkLimits(type: keyof typeof LIMITS, settings: AlertSettings): void {
  const given = LIMITS[type].flatMap((key) => {
    const value = settings[key];
    return value === null
      ? []
      : [{ key, side: /min/i.test(key) ? 'low' : 'high', hundredths: toHundredths(value) }];
  });
  if (given.length === 0)
    throw new InputError(`${NAMES[type]} needs ${LIMITS[type].map(option).join(' or ')}`);
  for (const [index, { key, side, hundredths }] of given.entries()) {
    if (Math.abs(toCelsius(hundredths, settings.temperatureUnit)) > MAX_CELSIUS)
      throw new InputError(`${option(key)} must be within ±${MAX_CELSIUS} °C`);
    const below = given[index - 1];
    if (!below) continue;
    const isSameSide = below.side === side;
    if (isSameSide ? below.hundredths > hundredths : below.hundredths >= hundredths)
      throw new InputError(`${option(below.key)} must be ${isSameSide ? 'at most' : 'below'} ${option(key)}`);
    if (isSameSide && settings.severity === 'critical')
      throw new InputError(
        `--severity critical leaves room for one of ${option(below.key)} and ${option(key)}`,
      );
  }
}
