/** Of a reading: degrees Fahrenheit, degrees Celsius, or percent relative humidity. */
export type Unit = 'F' | 'C' | 'H';

/** Of what a probe shows: a value to believe, or why there is none. */
export type ProbeCondition = 'ok' | 'absent' | 'disabled' | 'fault' | 'stale';

/** The same on its way from the cloud: whoever is `offline` lost contact, which is no word on what is plugged in. */
export type ToldCondition = ProbeCondition | 'offline';

/** As it is stored and shown. */
export function storedCondition(told: ToldCondition): ProbeCondition {
  return told === 'offline' ? 'absent' : told;
}

/** What a probe measures: the fire, the food, a place where food is kept, or something else. */
export type ProbeRole = 'pit' | 'food' | 'storage' | 'other';

/** Bits of `readings.flags`. */
export const FLAG = { suspect: 1, stuck: 2, skewed: 4, estimatedTime: 8, late: 16, backfilled: 32 } as const;

/** Readings with one of these flags are stored and shown, but never enter rules, sessions or statistics. */
export const UNTRUSTED = FLAG.suspect | FLAG.stuck | FLAG.skewed;

/** One measurement on its way from the cloud to the store. */
export interface Sample {
  /** When the device measured (the cloud's clock, whole milliseconds). */
  measuredAt: Date;
  /** As reported, rounded to hundredths, in `unit`. */
  value: number;
  unit: Unit;
  /** {@link FLAG} bits. */
  flags: number;
}

/**
 * A value in whole hundredths of its unit. Half away from zero; the 1e-6 takes back what float32 lost, so that 36.9
 * as the cloud sends it (36.900001525878906) and as a person types it are the same number.
 */
export function toHundredths(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) * 100 + 0.5 + 1e-6) + 0; // + 0: never -0
}

/** `value` rounded to hundredths, as it is stored and compared. */
export function roundToHundredth(value: number): number {
  return toHundredths(value) / 100;
}

/** What was measured before is no reading: a clock that was never set. */
export const EARLIEST = Date.UTC(2015, 0);

const LARGEST_SINGLE = 3.4028234663852886e38;

/** ±1,000 °C. Percent take the same numbers. */
const PLAUSIBLE = { F: [-1768, 1832], C: [-1000, 1000], H: [-1000, 1000] } as const;

/** Readings are kept in single precision, as the cloud measures them. */
export function isStorable(value: number): boolean {
  return Math.abs(value) <= LARGEST_SINGLE;
}

/** What is not is stored with {@link FLAG}.suspect and never believed. */
export function isPlausible(value: number, unit: Unit): boolean {
  const [lowest, highest] = PLAUSIBLE[unit];
  return value >= lowest && value <= highest;
}
