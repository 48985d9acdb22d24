import { roundToHundredth, type Unit } from '../readings/sample.js';
import { parseTimestamp } from './firestore-value.js';
import { epochToMs, judge } from './judge.js';
import type { ArchivedSamples, ArchiveRows } from './types.js';

/** Between two breaths for whoever else needs this process. */
const ROWS_AT_ONCE = 5_000;
/** A row takes some fifty characters, and a device has nine channels: what is far beyond is no reading, and costs nothing. */
const LONGEST_ROW = 10_000;
const MOST_CHANNELS = 100;
const READINGS = /\s*"readings"\s*:\s*\[/y;
const [QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [34, 44, 91, 92, 93, 123, 125];

/**
 * The rows of an archive file: `[channel, time, value, unit, …]` in any order, time in epoch ms, in seconds or as ISO
 * text. What is no reading is counted. One row is made an object at a time, so that the file's text is the most that it
 * costs; null where the text has no list of readings.
 * @param readAt the cloud's clock
 */
export async function readArchiveFile(text: string, readAt: Date): Promise<ArchiveRows | null> {
  const start = startOfReadings(text);
  if (start === -1) return null;
  const rows: ArchiveRows = { probes: new Map(), total: 0, bad: 0, isWhole: false };
  for (let at = start; ; ) {
    const end = endOfValue(text, at);
    if (end === -1) break;
    const row = end - at > LONGEST_ROW ? 'too long' : text.slice(at, end).trim();
    const isLast = text.charCodeAt(end) !== COMMA;
    if (row !== '' || !isLast) {
      rows.total += 1;
      if (!add(rows.probes, row, readAt.getTime())) rows.bad += 1;
    }
    if (isLast) {
      rows.isWhole = text.charCodeAt(end) === CLOSE_LIST && text.trimEnd().endsWith('}');
      break;
    }
    at = end + 1;
    if (rows.total % ROWS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const samples of rows.probes.values()) sort(samples);
  return rows;
}

/** Where the elements of the object's own `readings` begin; -1: it has none. */
function startOfReadings(text: string): number {
  const brace = /^\s*\{/.exec(text);
  for (let at = brace?.[0].length ?? -1; at > 0; ) {
    READINGS.lastIndex = at;
    if (READINGS.test(text)) return READINGS.lastIndex;
    const end = endOfValue(text, at);
    at = text.charCodeAt(end) === COMMA ? end + 1 : -1;
  }
  return -1;
}

/** Of the value that begins here, the comma or bracket behind it; -1: the text ends before. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  let isQuoted = false;
  for (let at = from; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (isQuoted) {
      if (char === BACKSLASH) at += 1;
      else if (char === QUOTE) isQuoted = false;
    } else if (char === QUOTE) isQuoted = true;
    else if (char === OPEN_LIST || char === OPEN_MAP) depth += 1;
    else if (depth === 0 && (char === COMMA || char === CLOSE_LIST || char === CLOSE_MAP)) return at;
    else if (char === CLOSE_LIST || char === CLOSE_MAP) depth -= 1;
  }
  return -1;
}

/** False where it is no reading. */
function add(probes: ArchiveRows['probes'], row: string, readMs: number): boolean {
  const fields = parsed(row);
  if (!Array.isArray(fields) || fields.length < 4) return false;
  const [channel, time, value, unit] = fields;
  const probeId = String(channel);
  const ms = typeof time === 'number' ? epochToMs(time) : (parseTimestamp(time)?.getTime() ?? Number.NaN);
  if (!/^[\x21-\x7e]{1,50}$/.test(probeId) || !isUnit(unit)) return false;
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  const flags = judge({ value, unit, ms }, readMs);
  if (typeof flags === 'string') return false;
  if (probes.size >= MOST_CHANNELS && !probes.has(probeId)) return false;
  const samples = probes.get(probeId) ?? { times: [], values: [], units: [], flags: [] };
  probes.set(probeId, samples);
  samples.times.push(ms);
  samples.values.push(roundToHundredth(value));
  samples.units.push(unit);
  samples.flags.push(flags);
  return true;
}

const isUnit = (unit: unknown): unit is Unit => unit === 'F' || unit === 'C' || unit === 'H';

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** By time; of one time the first stays the first. */
function sort(samples: ArchivedSamples): void {
  const { times } = samples;
  if (times.every((ms, at) => at === 0 || ms >= (times[at - 1] ?? 0))) return;
  const order = times.map((_, at) => at).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0));
  const sorted = <T>(column: readonly T[]): T[] => {
    const moved: T[] = [];
    for (const at of order) {
      const item = column[at];
      if (item !== undefined) moved.push(item);
    }
    return moved;
  };
  samples.values = sorted(samples.values);
  samples.units = sorted(samples.units);
  samples.flags = sorted(samples.flags);
  samples.times = sorted(times);
}
