import { roundToHundredth, type Unit } from '../readings/sample.js';

/** `203.2 °F`; humidity as `40 % RH`, a battery as `18 %`. */
export function quantity(value: number, unit: Unit | '%' | null): string {
  const suffix = unit === null ? '' : unit === 'H' ? ' % RH' : unit === '%' ? ' %' : ` °${unit}`;
  return `${roundToHundredth(value)}${suffix}`;
}

/** `45 s`, `75 min`, `2 h`. */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 120) return `${seconds} s`;
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** `2026-11-21 20:59 UTC`. */
export function timeText(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
