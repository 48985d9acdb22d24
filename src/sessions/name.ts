import { convertHundredths } from '../readings/temperature.js';
import type { DeviceFacts, Session } from './types.js';

const HOUR_MS = 3_600_000;
/** What people leave a probe called, or what it is called for its place: no name for a dish. */
const NO_DISH =
  /^((probe|channel|ch|sensor|port|input|food|meat|internal|core|temp|temperature|thermometer|unnamed)?[\s#:._-]*\d*)$/i;
const MOST_DISHES = 2;
const LONGEST_DISH = 30;

/** What a session that has ended is called, where nobody called it anything: `Brisket, overnight 21 Nov`. */
export function nameOf(session: Session, device: Pick<DeviceFacts, 'probes' | 'timeZone'>): string {
  const { startMs, endMs } = session;
  const dishes = dishesIn(session, device);
  const what = dishes.length > 0 ? listed(dishes) : fireOf(session);
  return `${what}, ${whenOf(startMs, endMs ?? startMs, device.timeZone ?? 'UTC')}`;
}

/** What a session is called in lists while it has no name: by the time in its owner's zone. */
export function neutralName(startMs: number, timeZone: string | null): string {
  const { hour, minute, date } = clockOf(timeZone ?? 'UTC')(startMs);
  return `Cook since ${hour}:${minute}, ${date}`;
}

function dishesIn({ members }: Session, { probes }: Pick<DeviceFacts, 'probes'>): string[] {
  const labels = members
    .filter(({ role }) => role === 'food')
    .map(({ probeId }) => plain(probes.find(({ id }) => id === probeId)?.label ?? ''));
  const words = labels.map((label) => label.toLowerCase());
  return labels.filter((label, index) => !NO_DISH.test(label) && words.indexOf(words[index] ?? '') === index);
}

function plain(label: string): string {
  const points = [...label.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()];
  return points.length > LONGEST_DISH ? `${points.slice(0, LONGEST_DISH - 1).join('')}…` : points.join('');
}

function listed(dishes: readonly string[]): string {
  if (dishes.length <= MOST_DISHES) return dishes.join(' and ');
  return `${dishes.slice(0, MOST_DISHES).join(', ')} and ${dishes.length - MOST_DISHES} more`;
}

/** By how hot the fire was, and for how long. */
function fireOf(session: Session): string {
  const { members, stats, temperatureUnit, startMs, endMs } = session;
  let peak: number | null = null;
  for (const { probeId, role } of members) {
    const max = role === 'pit' ? stats.get(probeId)?.maxHundredths : undefined;
    if (max !== undefined) peak = Math.max(peak ?? max, max);
  }
  if (peak === null) return 'Cook';
  const celsius = convertHundredths(peak, temperatureUnit, 'C') / 100;
  if (celsius >= 200) return 'Hot grill';
  if (celsius >= 150) return 'Roast';
  return (endMs ?? startMs) - startMs >= 3 * HOUR_MS ? 'Low and slow' : 'Smoke';
}

function whenOf(startMs: number, endMs: number, timeZone: string): string {
  const at = clockOf(timeZone);
  const [start, end] = [at(startMs), at(endMs)];
  if (endMs - startMs >= 30 * HOUR_MS) return `${start.date} to ${end.date}`;
  if (endMs - startMs >= 4 * HOUR_MS && isOvernight(startMs, endMs, at)) return `overnight ${start.date}`;
  return `${partOfDay(Number(at((startMs + endMs) / 2).hour))} ${start.date}`;
}

/** Whether it went on at three o'clock. */
function isOvernight(startMs: number, endMs: number, at: Clock): boolean {
  for (let ms = startMs; ms <= endMs; ms += HOUR_MS) if (at(ms).hour === '03') return true;
  return false;
}

function partOfDay(hour: number): string {
  if (hour < 5 || hour >= 22) return 'night';
  if (hour < 11) return 'morning';
  if (hour < 14) return 'midday';
  return hour < 18 ? 'afternoon' : 'evening';
}

type Clock = (ms: number) => { hour: string; minute: string; date: string };

const CLOCK = {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
} as const;

/** Of the zone; of UTC where this machine does not know it. */
function clockOf(timeZone: string): Clock {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { ...CLOCK, timeZone });
  } catch {
    format = new Intl.DateTimeFormat('en-US', { ...CLOCK, timeZone: 'UTC' });
  }
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const [hour = '', minute = ''] = [parts.get('hour'), parts.get('minute')];
    return { hour, minute, date: `${parts.get('day')} ${parts.get('month')}` };
  };
}
