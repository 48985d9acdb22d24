import type { AlertEvent } from '../entities/alert-event.js';
import type { TemperatureAlert } from '../entities/temperature-alert.js';
import type { Surroundings, Trend } from './surroundings.js';
import { duration, quantity } from './words.js';

/** When a message is sent, and what is known around its event by then. */
export interface Around extends Partial<Surroundings> {
  now: Date;
}

/** A device that sends more rarely makes every message late. */
const LONG_INTERVAL_SECONDS = 600;

/** What helps to judge an event, in brackets: `summary` is the same whenever it is sent, `text` tells the age of the reading. */
export function asidesOf(
  event: AlertEvent,
  { alertType, device }: TemperatureAlert,
  { now, trend, sessionName }: Around & { sessionName: string | null | undefined },
): { summary: string; text: string } {
  const { kind, measuredAt, session } = event;
  const secondsSince = (from: Date, to: Date) =>
    Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
  const cook = session ? secondsSince(session.startTime, measuredAt) : 0;
  const interval = device?.transmitIntervalSeconds ?? 0;
  const known = [
    kind !== 'resolved' && trend && trendText(trend),
    cook > 0 && `${duration(cook)} into ${sessionName ? `session ${sessionName}` : 'the session'}`,
    interval >= LONG_INTERVAL_SECONDS && `this device transmits every ${duration(interval)}`,
  ].filter(Boolean);
  const age = isReading(event, alertType) && `read ${duration(secondsSince(measuredAt, now))} ago`;
  return { summary: inBrackets(known), text: inBrackets(age ? [age, ...known] : known) };
}

const inBrackets = (parts: readonly unknown[]): string => (parts.length > 0 ? ` (${parts.join(', ')})` : '');

/** Whether the event's time is that of a reading. */
function isReading({ value }: AlertEvent, type: TemperatureAlert['alertType']): boolean {
  return value !== null && type !== 'no_data' && type !== 'probe_removed';
}

/** A slope over a quarter of an hour is not known to the tenth, but where it is small. */
function trendText({ direction, perHour, unit }: Trend): string {
  const size = Math.abs(perHour);
  const told = size < 10 ? size : Math.round(size);
  return direction === 'steady' ? direction : `${direction} ${quantity(told, unit)} an hour`;
}
