import { basename } from 'node:path';
import type { Probe } from '../entities/probe.js';
import { InputError } from '../errors.js';
import { EARLIEST } from '../readings/sample.js';
import { LONGEST_DAYS, time } from './edit.js';
import { type ExportedSession, type FileRow, readHistoryFile } from './import-file.js';

const DAY_MS = 24 * 3_600_000;
/** No device has more: a file with more is none of ours, and each would be held. */
const MOST_PROBES = 100;

/** What a file holds. */
export interface Contents {
  session: ExportedSession | null;
  deviceId: string;
  /** By `probe_id`. */
  probes: Map<string, Pick<Probe, 'kind' | 'role'>>;
  readings: number;
  firstMs: number;
  lastMs: number;
}

/**
 * All of the file, before anything is stored.
 * @param latestMs what is later is in the future
 * @throws InputError with the file's name and the number of the line
 */
export async function lookThrough(path: string, latestMs: number): Promise<Contents> {
  const found: Contents = {
    session: null,
    deviceId: '',
    probes: new Map(),
    readings: 0,
    firstMs: Number.POSITIVE_INFINITY,
    lastMs: 0,
  };
  for await (const part of readHistoryFile(path)) {
    if ('session' in part) {
      found.session = part.session;
      found.deviceId = part.session.device_id;
      for (const { probe_id } of part.session.probes)
        found.probes.set(probe_id, { kind: 'temperature', role: null });
    } else for (const row of part.rows) note(found, row, { latestMs, file: basename(path) });
  }
  if (found.deviceId === '') throw new InputError(`${basename(path)}: it has no reading`);
  if (found.session) checkSession(found.session, { latestMs, file: basename(path) });
  return found;
}

function note(found: Contents, row: FileRow, { latestMs, file }: { latestMs: number; file: string }): void {
  const wrong = (why: string) => new InputError(`${file}: line ${row.line}: ${why}`);
  found.deviceId ||= row.deviceId;
  if (row.deviceId !== found.deviceId)
    throw wrong(`device_id ${row.deviceId} is not ${found.deviceId}: import a file for each device`);
  if (row.measuredAtMs > latestMs) throw wrong(`measured_at ${time(row.measuredAtMs)} is in the future`);
  const known = found.probes.get(row.probeId);
  if (found.session && !known) throw wrong(`probe_id ${row.probeId} is not in the session`);
  if (!known && found.probes.size === MOST_PROBES) throw wrong(`it has more than ${MOST_PROBES} probes`);
  const kind = row.unit === 'H' ? 'humidity' : 'temperature';
  found.probes.set(row.probeId, known ?? { kind, role: found.session ? null : row.role });
  if (row.hundredths === null) return;
  found.readings += 1;
  found.firstMs = Math.min(found.firstMs, row.measuredAtMs);
  found.lastMs = Math.max(found.lastMs, row.measuredAtMs);
}

function checkSession(
  { start_time: startMs, end_time: endMs, probes }: ExportedSession,
  { latestMs, file }: { latestMs: number; file: string },
): void {
  const wrong = (why: string) => new InputError(`${file}: line 1: ${why}`);
  if (startMs < EARLIEST) throw wrong(`start_time ${time(startMs)} is before 2015`);
  if (endMs !== null && endMs < startMs) throw wrong('end_time is before start_time');
  if ((endMs ?? startMs) > latestMs) throw wrong('the session is in the future');
  if ((endMs ?? startMs) - startMs > LONGEST_DAYS * DAY_MS)
    throw wrong(`the session has more than ${LONGEST_DAYS} days`);
  if (new Set(probes.map(({ probe_id }) => probe_id)).size < probes.length)
    throw wrong('a probe is in the session twice');
}
