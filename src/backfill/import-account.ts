import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { lockDevices } from '../ingest/world-store.js';
import type { Call } from '../poller/poll-account.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import type { ArchiveRows } from '../thermoworks/types.js';
import { applyArchive } from './apply-archive.js';
import { beginCopy, probesOf, readArchive, type Wanted } from './archive-copy.js';
import { countRows, select } from './selection.js';

export interface ImportDependencies {
  dataSource: DataSource;
  client: CloudClient;
  call: Call;
  /** Of one archive, some thousands of rows at a time. */
  onProgress: (progress: { archive: string; done: number; of: number }) => void;
  signal: AbortSignal;
}

/** What became of one archive. */
export interface ImportedArchive {
  device_id: string;
  archive_id: string;
  start: Date;
  end: Date;
  /** `known`: imported before; `unfinished`: the file is not yet what its document says, but what it has is in. */
  status: 'imported' | 'known' | 'unfinished' | 'failed' | 'too_old';
  /** Rows that the file has; those that are no readings, and those too old to be kept or asked for. */
  rows: number;
  bad_rows: number;
  old_rows: number;
  /** Readings that were new. */
  stored: number;
  error: string | null;
}

interface Range {
  since: Date;
  /** Nothing older is kept. */
  keptSince: Date;
}

const NONE = { rows: 0, bad_rows: 0, old_rows: 0, stored: 0, error: null };

const deviceRow = z.object({ id: z.number(), device_id: z.string(), user_id: z.number() });
type DeviceRow = z.infer<typeof deviceRow>;

/**
 * Turns the archives of a user's devices into readings and sessions, device by device, the oldest archive first. Tells of
 * each when it is in: whoever stops it, or is stopped, goes on there the next time. No alert sees any of it.
 * @throws CloudError where the cloud is to blame; when `signal` ended it, its reason
 */
export async function* importArchives(
  deps: ImportDependencies,
  userId: number,
  range: Range,
): AsyncGenerator<ImportedArchive> {
  const rows: unknown = await deps.dataSource.query(
    'SELECT id, device_id, user_id FROM devices WHERE user_id = $1 AND deleted_at IS NULL ORDER BY id',
    [userId],
  );
  for (const device of z.array(deviceRow).parse(rows)) {
    const { device_id } = device;
    const archives = await deps.call((token) => deps.client.archives(token, device_id, range.since));
    for (const archive of archives.toReversed()) {
      deps.signal.throwIfAborted();
      const { archiveId: archive_id, startAt: start, endAt: end, count } = archive;
      if (end < range.since) continue;
      const named = { device_id, archive_id, start, end, ...NONE };
      if (end < range.keptSince) yield { ...named, status: 'too_old', old_rows: count ?? 0 };
      else {
        // The limit moves from day to day: an archive that it does not cut is the same archive tomorrow.
        const from = start < range.keptSince && range.since < range.keptSince ? range.keptSince : range.since;
        const wanted = { userId, device: device.id, archive, scope: `all ${from.toISOString()}` };
        yield { ...named, ...(await importOne(deps, device, wanted, from)) };
      }
    }
  }
}

async function importOne(
  { dataSource, client, call, signal, onProgress }: ImportDependencies,
  device: DeviceRow,
  wanted: Wanted,
  from: Date,
): Promise<Partial<ImportedArchive> & Pick<ImportedArchive, 'status'>> {
  const db = dataSource.manager;
  const copy = await beginCopy(db, wanted);
  if (copy.isApplied) return { status: 'known' };
  const { rows, fault, isWorthAnother } = await readArchive({ db, client, call }, wanted.archive, copy);
  if (!rows) return { status: 'failed', error: fault };
  const probes = await addProbes(dataSource, device, rows);
  const windows = [...probes.values()].map((probe) => {
    return { probe, fromMs: from.getTime(), toMs: Number.MAX_SAFE_INTEGER };
  });
  const parts = select(rows, probes, windows);
  const application = {
    dataSource,
    judgesLate: false,
    signal,
    onProgress: (progress: { done: number; of: number }) =>
      onProgress({ archive: wanted.archive.archiveId, ...progress }),
  };
  const finish = isWorthAnother ? null : async () => undefined;
  const stored = await applyArchive(application, wanted, copy, parts, finish);
  const old_rows = rows.total - rows.bad - countRows(parts);
  const counts = { rows: rows.total, bad_rows: rows.bad, old_rows, stored };
  return { status: isWorthAnother ? 'unfinished' : 'imported', ...counts, error: fault };
}

/** All that an archive tells of, also those that are gone from the device by now. */
async function addProbes(
  dataSource: DataSource,
  device: DeviceRow,
  { probes }: ArchiveRows,
): Promise<Map<string, number>> {
  const known = await probesOf(dataSource.manager, device);
  const missing = [...probes].filter(([channel]) => !known.has(channel));
  if (missing.length === 0) return known;
  return dataSource.transaction(async (tx) => {
    await lockDevices(tx, [device.id]);
    await tx.query(
      `INSERT INTO probes (user_id, device_id, probe_id, kind)
       SELECT $1, $2, probe_id, kind FROM unnest($3::varchar[], $4::varchar[]) AS new (probe_id, kind)
       ON CONFLICT DO NOTHING`,
      [
        device.user_id,
        device.device_id,
        missing.map(([channel]) => channel),
        missing.map(([, { units }]) => (units.every((unit) => unit === 'H') ? 'humidity' : 'temperature')),
      ],
    );
    return probesOf(tx, device);
  });
}
