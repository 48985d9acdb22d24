import { z } from 'zod';
import type { TemperatureAlert } from '../entities/temperature-alert.js';
import { InputError } from '../errors.js';
import { roundToHundredth, toHundredths } from '../readings/sample.js';
import { convertDifference, convertHundredths } from '../readings/temperature.js';

const TYPES = 'target, range, rising, falling, no_data, battery or probe_removed';
export const MAX_SECONDS = 86_400;

/** A command line gives numbers as text. */
const number = z.preprocess(
  (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
  z.number('must be a number'),
);
const limit = number.nullable().default(null);
const difference = number.pipe(z.number().min(0.01, 'must be above 0').max(1000, 'must be at most 1000'));
const secondsFrom = (least: number) => {
  const message = `must be a whole number of seconds from ${least} to ${MAX_SECONDS}`;
  return number.pipe(z.int(message).min(least, message).max(MAX_SECONDS, message));
};
const seconds = secondsFrom(0);
const MINUTES = 'must be a whole number of minutes from 1 to 10080';
const minutes = number.pipe(z.int(MINUTES).min(1, MINUTES).max(10_080, MINUTES));
const PERCENT = 'must be a whole number of percent from 1 to 99';
const percent = number.pipe(z.int(PERCENT).min(1, PERCENT).max(99, PERCENT));
const REPEAT = `must be 0 (never) or a whole number of seconds from 60 to ${MAX_SECONDS}`;
const repeat = z
  .int(REPEAT)
  .max(MAX_SECONDS, REPEAT)
  .refine((value) => value === 0 || value >= 60, REPEAT);
const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, `must be one of ${words.join(', ')}`);
const text = (length: number) =>
  z.string().max(length, `must not be longer than ${length} characters`).nullable().default(null);
const alertInput = z.strictObject({
  type: z.enum(
    ['target', 'range', 'rising', 'falling', 'no_data', 'battery', 'probe_removed'],
    `must be one of ${TYPES}`,
  ),
  name: text(100),
  description: text(2000),
  targetTemperature: limit,
  direction: oneOf(['up', 'down']).nullable().default(null),
  preAlertDifference: difference.nullable().default(null),
  criticalMinTemperature: limit,
  minTemperature: limit,
  maxTemperature: limit,
  criticalMaxTemperature: limit,
  thresholdValue: difference.nullable().default(null),
  windowSeconds: secondsFrom(60).nullable().default(null),
  silenceMinutes: minutes.nullable().default(null),
  criticalSilenceMinutes: minutes.nullable().default(null),
  batteryPercent: percent.nullable().default(null),
  criticalBatteryPercent: percent.nullable().default(null),
  temperatureUnit: oneOf(['F', 'C']).optional(),
  holdSeconds: seconds.optional(),
  recoverySeconds: seconds.nullable().optional(),
  hysteresis: number
    .pipe(z.number().min(0, 'must be at least 0').max(1000, 'must be at most 1000'))
    .optional(),
  cooldownSeconds: seconds.default(0),
  repeatSeconds: number.pipe(repeat).default(0),
  severity: oneOf(['info', 'warning', 'critical']).default('warning'),
});

/** What a user gave; what is left out is null, or undefined where the default depends on the probe. */
export type Given = z.infer<typeof alertInput>;

/** What is given to `withDefaults` by name. */
export const OPTIONS = alertInput.keyof().options;

/** What is 0 where there is none of it. */
const AMOUNTS = ['holdSeconds', 'recoverySeconds', 'hysteresis', 'cooldownSeconds', 'repeatSeconds'];

/** What a user changes, where `none` takes an option away. */
export function withoutNone(given: Record<string, unknown>): Record<string, unknown> {
  const entryOf = ([key, value]: [string, unknown]): [string, unknown] =>
    value === 'none' ? [key, AMOUNTS.includes(key) ? 0 : null] : [key, value];
  return Object.fromEntries(Object.entries(given).map(entryOf));
}

const DIFFERENCES = ['preAlertDifference', 'thresholdValue', 'hysteresis'];

/** What is set of an alert, in another unit (nothing but F or C is one), to the hundredth; what is null is left out. */
export function inUnit(
  { alertType, temperatureUnit: from }: Pick<TemperatureAlert, 'alertType' | 'temperatureUnit'>,
  stored: Record<string, unknown>,
  to: unknown,
): Record<string, unknown> {
  const known = Object.entries(stored).filter(([, value]) => value !== null);
  // A battery's hysteresis is in percent.
  if ((to !== 'F' && to !== 'C') || to === from || alertType === 'battery') return Object.fromEntries(known);
  const converted = known.map(([key, value]) => {
    if (typeof value !== 'number') return [key, value];
    if (DIFFERENCES.includes(key)) return [key, roundToHundredth(convertDifference(value, from, to))];
    const isLimit = key.endsWith('Temperature');
    return [key, isLimit ? convertHundredths(toHundredths(value), from, to) / 100 : value];
  });
  return Object.fromEntries(converted);
}

/** @throws InputError that names the option */
export function parseGiven(input: Record<string, unknown>): Given {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const { data, error } = alertInput.safeParse(given);
  if (data) return data;
  const [issue] = error.issues;
  if (issue?.code !== 'unrecognized_keys')
    throw new InputError(`${option(issue?.path[0])} ${issue?.message}`);
  throw new InputError(`${option(issue.keys[0])} is not an option of a ${TYPES} alert`);
}

/** As it is typed: `minTemperature` is `--min-temperature`. */
export function option(key: PropertyKey | undefined): string {
  return `--${String(key).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
