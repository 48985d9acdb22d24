import type { JobSample } from '../queues/jobs.js';
import type { Observation } from '../readings/observation.js';
import { FLAG, toHundredths } from '../readings/sample.js';
import type { ArchivedSamples, ArchiveRows } from '../thermoworks/types.js';

/** A stretch of one probe (`probes.id`), both ends included. */
export interface Window {
  probe: number;
  fromMs: number;
  toMs: number;
}

/** Rows of an archive that are wanted: those from one index to before another. */
export interface Part {
  probe: number;
  samples: ArchivedSamples;
  from: number;
  to: number;
}

/** One probe's rows for a job, by time. */
export interface ProbeRows {
  probe: number;
  samples: JobSample[];
}

/** Rows of an archive and a reading that was seen live are the same within this time, if their values are. */
const SAME_WITHIN_MS = 1_000;
/** They change no present state, and say where they came from. */
const FROM_ARCHIVE = FLAG.late | FLAG.backfilled;

/**
 * What of an archive lies in these windows, by probe and then by time.
 * @param probes `probes.id` by the cloud's channel id
 */
export function select(
  rows: ArchiveRows,
  probes: ReadonlyMap<string, number>,
  windows: readonly Window[],
): Part[] {
  return [...rows.probes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([channel, samples]) =>
      windows
        .filter(({ probe }) => probe === probes.get(channel))
        .map(({ probe, fromMs, toMs }): Part => {
          const { times } = samples;
          return { probe, samples, from: indexOf(times, fromMs), to: indexOf(times, toMs + 1) };
        })
        .filter(({ from, to }) => to > from),
    );
}

/** Of the first time that is not before `ms`. */
function indexOf(times: readonly number[], ms: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const countRows = (parts: readonly Part[]): number =>
  parts.reduce((sum, { from, to }) => sum + to - from, 0);

/** The time of the first and of the last of them; null: there is none. */
export function spanOf(parts: readonly Part[]): { fromMs: number; toMs: number } | null {
  if (parts.length === 0) return null;
  const firsts = parts.map(({ samples, from }) => samples.times[from] ?? 0);
  const lasts = parts.map(({ samples, to }) => samples.times[to - 1] ?? 0);
  return { fromMs: Math.min(...firsts), toMs: Math.max(...lasts) };
}

/** So many rows at a time, after those that are done. */
export function* inChunks(
  parts: readonly Part[],
  { done, size }: { done: number; size: number },
): Generator<{ rows: ProbeRows[]; done: number }> {
  let chunk: ProbeRows[] = [];
  let [skip, room, count] = [done, size, done];
  for (const { probe, samples, from, to } of parts) {
    const start = Math.min(to, from + skip);
    skip -= start - from;
    for (let at = start; at < to; ) {
      const end = Math.min(to, at + room);
      chunk.push({ probe, samples: rowsOf(samples, at, end) });
      room -= end - at;
      count += end - at;
      at = end;
      if (room > 0) continue;
      yield { rows: chunk, done: count };
      [chunk, room] = [[], size];
    }
  }
  if (chunk.length > 0) yield { rows: chunk, done: count };
}

function rowsOf({ times, values, units, flags }: ArchivedSamples, from: number, to: number): JobSample[] {
  return times.slice(from, to).map((ms, index): JobSample => {
    const at = from + index;
    return [ms, values[at] ?? 0, units[at] ?? 'F', (flags[at] ?? 0) | FROM_ARCHIVE];
  });
}

/**
 * The rows that are no reading which is stored already: an archive may tell its time a little differently. A stored
 * reading stands for one row, that of its own time first, whatever its value: the first is kept. What came from an archive
 * has that archive's time.
 * @param stored of the same probe, by time, from a second before the first row to a second after the last
 */
export function unknownOf(samples: readonly JobSample[], stored: readonly Observation[]): JobSample[] {
  const times = new Set(stored.map(({ measuredAtMs }) => measuredAtMs));
  const own = new Set(samples.map(([ms]) => ms));
  const others = samples.filter(([ms]) => !times.has(ms));
  const near = stored.filter((one) => !own.has(one.measuredAtMs) && (one.flags & FLAG.backfilled) === 0);
  const taken = new Set<Observation>();
  let first = 0;
  return others.filter(([ms, value, unit]) => {
    while ((near[first]?.measuredAtMs ?? ms) < ms - SAME_WITHIN_MS) first += 1;
    for (
      let at = first;
      (near[at]?.measuredAtMs ?? Number.POSITIVE_INFINITY) <= ms + SAME_WITHIN_MS;
      at += 1
    ) {
      const reading = near[at];
      if (!reading || taken.has(reading) || !isSameValue(reading, value, unit)) continue;
      taken.add(reading);
      return false;
    }
    return true;
  });
}

function isSameValue(reading: Observation, value: JobSample[1], unit: string): boolean {
  return reading.unit === unit && typeof value === 'number' && reading.hundredths === toHundredths(value);
}
