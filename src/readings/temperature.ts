import type { Unit } from './sample.js';

export type TemperatureUnit = 'F' | 'C';

/** Half away from zero, in integers: `numerator / denominator` with a positive denominator. Never -0. */
function divideHalfAway(numerator: number, denominator: number): number {
  return Math.sign(numerator) * Math.floor((2 * Math.abs(numerator) + denominator) / (2 * denominator)) + 0;
}

/** Whole hundredths of a degree in another unit (domain-rules.md, Readings 15). */
export function convertHundredths(hundredths: number, from: TemperatureUnit, to: TemperatureUnit): number {
  if (from === to) return hundredths;
  return from === 'C'
    ? divideHalfAway(9 * hundredths + 16_000, 5)
    : divideHalfAway(5 * (hundredths - 3_200), 9);
}

/** Degrees Celsius, unrounded: for rules whose limits are stated in Celsius. */
export function toCelsius(hundredths: number, unit: TemperatureUnit): number {
  return unit === 'C' ? hundredths / 100 : ((hundredths / 100 - 32) * 5) / 9;
}

/** A difference of temperatures converts by factor only, without the offset of 32. */
export function convertDifference(difference: number, from: TemperatureUnit, to: TemperatureUnit): number {
  if (from === to) return difference;
  return from === 'C' ? (difference * 9) / 5 : (difference * 5) / 9;
}

export function isTemperature(unit: Unit): unit is TemperatureUnit {
  return unit !== 'H';
}
