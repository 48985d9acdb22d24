import { z } from 'zod';
import { InputError } from '../errors.js';
import {
  EARLIEST,
  FLAG,
  isPlausible,
  isStorable,
  type ProbeRole,
  toHundredths,
  type Unit,
} from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

const NEEDED = 'device_id,probe_id,measured_at,value,unit';
const HEADERS = [NEEDED, `${NEEDED},role`, `${NEEDED},battery`, `${NEEDED},role,battery`];
const EXPORTED = `${NEEDED},role`.split(',');
const WRONG_HEADER = `the header must be ${NEEDED} and optionally role,battery`;

/** One row of a recorded trace: what a probe showed, and what is said of it beside. */
export interface TraceRow {
  deviceId: string;
  probeId: string;
  measuredAtMs: number;
  /** Of `unit`; null: the probe was absent. */
  hundredths: number | null;
  /** Null: of an absent probe, where none is given. */
  unit: Unit | null;
  flags: number;
  role: ProbeRole | null;
  batteryPercent: number | null;
}

/**
 * The rows of a recorded trace (contract.md, Replay), in the order of arrival.
 * @param unit where a row names none
 * @throws InputError with the number of the first line that is wrong, and why
 */
export function parseTrace(bytes: Uint8Array, unit?: TemperatureUnit): TraceRow[] {
  const lines = textOf(bytes).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new InputError(`it is empty: ${WRONG_HEADER}`);
  const toTraceRow = traceReader(unit);
  return lines.flatMap((line, index) => inLine(index + 1, () => toTraceRow(line) ?? []));
}

/** The lines of a trace one after the other: null for its header. Each may throw an InputError. */
export function traceReader(unit?: TemperatureUnit): (line: string) => TraceRow | null {
  let columns: string[] | undefined;
  return (line) => {
    if (columns) return toRow(fieldsOf(line), columns, unit);
    columns = headerOf(line);
    return null;
  };
}

/** A row as the columns of an export name it, in text. @throws InputError */
export function traceRow(fields: readonly string[]): TraceRow {
  return toRow(fields, EXPORTED);
}

/** What `parse` makes of a line. @throws InputError that begins with the line's number */
export function inLine<T>(line: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`line ${line}: ${cause.message}`, { cause });
    throw cause;
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // leaves out a byte order mark
  } catch (cause) {
    throw new InputError('it is not text in UTF-8', { cause });
  }
}

function headerOf(line: string): string[] {
  const columns = fieldsOf(line);
  if (!HEADERS.includes(columns.join())) throw new InputError(WRONG_HEADER);
  return columns;
}

const FIELD = /(?:^|,)(?:"(?:[^"]|"")*"|[^",]*)/g;

/** The fields of one line of CSV (RFC 4180, but that no field holds a line break). */
function fieldsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const parts: string[] = line.match(FIELD) ?? [];
  if (parts.join('') !== line) throw new InputError('a quoted field does not end where it must');
  return parts.map((part, index) => {
    const field = index === 0 ? part : part.slice(1);
    return field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
  });
}

function toRow(
  fields: readonly string[],
  columns: readonly string[],
  defaultUnit?: TemperatureUnit,
): TraceRow {
  const [deviceId = '', probeId = '', measuredAt = '', valueText = '', unitText = '', ...more] = fields;
  if (fields.length !== columns.length)
    throw new InputError(`${fields.length} columns instead of ${columns.length}`);
  const unit = unitText === '' ? (defaultUnit ?? null) : oneOf(UNITS, 'unit', unitText);
  const value = valueText === '' ? null : numberOf('value', valueText);
  if (value !== null && unit === null)
    throw new InputError('unit is empty: fill it in (replay also takes --unit)');
  if (value !== null && !isStorable(value)) throw wrong('value', valueText, 'is too large');
  return {
    deviceId: idOf('device_id', deviceId),
    probeId: idOf('probe_id', probeId),
    measuredAtMs: instantOf(measuredAt),
    hundredths: value === null ? null : toHundredths(value),
    unit,
    flags: value === null || unit === null || isPlausible(value, unit) ? 0 : FLAG.suspect,
    role: columns[5] === 'role' && more[0] ? oneOf(ROLES, 'role', more[0]) : null,
    batteryPercent: columns.at(-1) === 'battery' ? batteryOf(more.at(-1) ?? '') : null,
  };
}

const UNITS = ['F', 'C', 'H'] as const;
const ROLES = ['pit', 'food', 'storage', 'other'] as const;

function oneOf<const T extends string>(words: readonly T[], column: string, text: string): T {
  const found = words.find((word) => word === text);
  if (found === undefined) throw wrong(column, text, `is none of ${words.join(', ')}`);
  return found;
}

const ID = /^[^\p{Cc}]{1,50}$/u;

function idOf(column: string, text: string): string {
  if (!ID.test(text)) throw wrong(column, text, 'must have 1 to 50 characters');
  return text;
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function numberOf(column: string, text: string): number {
  if (!DECIMAL.test(text)) throw wrong(column, text, 'is not a number');
  return Number(text);
}

function batteryOf(text: string): number | null {
  if (text === '') return null;
  const percent = numberOf('battery', text);
  if (percent < 0 || percent > 100) throw wrong('battery', text, 'is not from 0 to 100');
  return percent;
}

const instant = z.iso.datetime({ offset: true });

function instantOf(text: string): number {
  if (!instant.safeParse(text).success)
    throw wrong('measured_at', text, 'is not ISO 8601 with an offset, such as 2026-11-21T18:00:00Z');
  const ms = Date.parse(text);
  if (ms < EARLIEST) throw wrong('measured_at', text, 'is before 2015');
  return ms;
}

function wrong(column: string, text: string, why: string): InputError {
  return new InputError(`${column} ${JSON.stringify(text.slice(0, 60))} ${why}`);
}
