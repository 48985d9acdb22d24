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

/** `2026-11-21 15:59 EST`, as a clock of the time zone shows it; UTC without one, or where this machine does not know it. */
export function timeText(at: Date, timeZone: string | null): string {
  try {
    return inZone(at, timeZone ?? 'UTC');
  } catch {
    return inZone(at, 'UTC');
  }
}

function inZone(at: Date, timeZone: string): string {
  const [date, time] = [
    { year: 'numeric', month: '2-digit', day: '2-digit' } as const,
    { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' } as const,
  ];
  const parts = new Intl.DateTimeFormat('en-US', { ...date, ...time, timeZone }).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value;
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')} ${part('timeZoneName')}`;
}
