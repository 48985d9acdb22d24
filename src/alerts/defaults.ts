import { z } from 'zod';
import { InputError } from '../errors.js';
import { type ProbeRole, toHundredths } from '../readings/sample.js';
import { type TemperatureUnit, toCelsius } from '../readings/temperature.js';
import { DEFAULT_TARGET_HOLD_SECONDS } from './evaluate.js';
import type { AlertRule } from './types.js';

/** What a user sets, complete: the rule and what it is called. */
export type AlertSettings = Omit<AlertRule, 'id'> & { name: string | null; description: string | null };

const PIT = { hysteresis: { C: 3, F: 5 }, rangeHoldSeconds: 180, recoverySeconds: null };
// A minute outlasts a probe that is moved or touches bone for a reading or two, and is soon enough to save the food.
const FOOD = { hysteresis: { C: 1, F: 1.8 }, rangeHoldSeconds: 60, recoverySeconds: null };
// Half an hour and ten minutes outlast a defrost and a door.
const STORAGE = { hysteresis: { C: 1, F: 1.8 }, rangeHoldSeconds: 1800, recoverySeconds: 600 };
const DEFAULTS = { pit: PIT, food: FOOD, storage: STORAGE, other: FOOD };
const MAX_CELSIUS = 1000;

/** A command line gives numbers as text. */
const number = z.preprocess(
  (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
  z.number('must be a number'),
);
const limit = number.nullable().default(null);
const wholeSeconds = 'must be a whole number of seconds from 0 to 86400';
const seconds = number.pipe(z.int(wholeSeconds).min(0, wholeSeconds).max(86_400, wholeSeconds));
const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, `must be one of ${words.join(', ')}`);
const text = (length: number) =>
  z.string().max(length, `must not be longer than ${length} characters`).nullable().default(null);
const alertInput = z.strictObject({
  type: z.enum(['target', 'range'], 'is not supported yet: use target or range'),
  name: text(100),
  description: text(2000),
  targetTemperature: limit,
  direction: oneOf(['up', 'down']).nullable().default(null),
  criticalMinTemperature: limit,
  minTemperature: limit,
  maxTemperature: limit,
  criticalMaxTemperature: limit,
  temperatureUnit: oneOf(['F', 'C']).optional(),
  holdSeconds: seconds.optional(),
  recoverySeconds: seconds.nullable().optional(),
  hysteresis: number
    .pipe(z.number().min(0, 'must be at least 0').max(1000, 'must be at most 1000'))
    .optional(),
  cooldownSeconds: seconds.default(0),
  severity: oneOf(['info', 'warning', 'critical']).default('warning'),
});

/**
 * A complete alert from what a user gave: a type and a number are enough, the rest is the default of the probe's role.
 * @param input options of `alert create` by their names in camel case, numbers also as text
 * @throws InputError that names the option
 */
export function withDefaults(
  input: Record<string, unknown>,
  { role, temperatureUnit: preferred }: { role: ProbeRole; temperatureUnit: TemperatureUnit | null },
): AlertSettings {
  const given = parse(input);
  const isTarget = given.type === 'target';
  if (given.direction && !isTarget) throw new InputError('--direction is not for a range');
  const temperatureUnit = given.temperatureUnit ?? preferred ?? 'F';
  const byRole = DEFAULTS[role];
  const settings: AlertSettings = {
    holdSeconds: isTarget ? DEFAULT_TARGET_HOLD_SECONDS : byRole.rangeHoldSeconds,
    recoverySeconds: byRole.recoverySeconds,
    hysteresis: byRole.hysteresis[temperatureUnit],
    ...given,
    temperatureUnit,
    direction: isTarget ? (given.direction ?? 'up') : null,
  };
  checkLimits(given.type, settings);
  return settings;
}

function parse(input: Record<string, unknown>): z.infer<typeof alertInput> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const { data, error } = alertInput.safeParse(given);
  if (data) return data;
  const [issue] = error.issues;
  if (issue?.code !== 'unrecognized_keys')
    throw new InputError(`${option(issue?.path[0])} ${issue?.message}`);
  throw new InputError(`${option(issue.keys[0])} is not an option of a target or a range`);
}

/** As it is typed: `minTemperature` is `--min-temperature`. */
function option(key: PropertyKey | undefined): string {
  return `--${String(key).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** By type, from the coldest to the hottest. */
const LIMITS = {
  target: ['targetTemperature'],
  range: ['criticalMinTemperature', 'minTemperature', 'maxTemperature', 'criticalMaxTemperature'],
} as const;

function checkLimits(type: keyof typeof LIMITS, settings: AlertSettings): void {
  const foreign = LIMITS[type === 'target' ? 'range' : 'target'].find((key) => settings[key] !== null);
  if (foreign) throw new InputError(`${option(foreign)} is not for a ${type}`);
  const given = LIMITS[type].flatMap((key) => {
    const value = settings[key];
    return value === null
      ? []
      : [{ key, side: /min/i.test(key) ? 'low' : 'high', hundredths: toHundredths(value) }];
  });
  if (given.length === 0) throw new InputError(`a ${type} needs ${LIMITS[type].map(option).join(' or ')}`);
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
