import { toHundredths, type Unit } from '../readings/sample.js';
import { convertHundredths, isTemperature, type TemperatureUnit } from '../readings/temperature.js';

const SYMBOLS = { F: '°F', C: '°C', H: '%' };

/** A value to one decimal, as in `203.2`, with its unit; temperatures in the unit that the viewer prefers. */
export function shown(
  value: number,
  unit: Unit,
  preferred: TemperatureUnit | null,
): { number: string; unit: string } {
  if (!preferred || !isTemperature(unit)) return { number: value.toFixed(1), unit: SYMBOLS[unit] };
  const converted = convertHundredths(toHundredths(value), unit, preferred) / 100;
  return { number: converted.toFixed(1), unit: SYMBOLS[preferred] };
}

/** The time of day in a time zone, as in `18:02`, with the date if that was over 20 hours ago; UTC for an unknown zone. */
export function timeOf(instant: Date, timeZone: string | null, now: Date): string {
  const isRecent = Math.abs(now.getTime() - instant.getTime()) < 20 * 3_600_000;
  const date = isRecent ? {} : { day: 'numeric' as const, month: 'short' as const };
  const format = (zone: string) =>
    new Intl.DateTimeFormat('en-GB', { ...date, hour: '2-digit', minute: '2-digit', timeZone: zone }).format(
      instant,
    );
  try {
    return format(timeZone ?? 'UTC');
  } catch {
    return format('UTC');
  }
}

/** A duration in its largest unit or two: `12 s`, `3 min`, `5 h 12 min`, `4 d`. */
export function durationOf(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d`;
}
