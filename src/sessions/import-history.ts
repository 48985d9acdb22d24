import type { DataSource, EntityManager } from 'typeorm';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import { DeviceManager } from '../accounts/device-manager.js';
import { markLate } from '../buckets/bucket-store.js';
import type { Probe } from '../entities/probe.js';
import type { User } from '../entities/user.js';
import {
  countConflicts,
  ensurePartitions,
  insertNewReadings,
  type NewReading,
  readingKey,
} from '../readings/reading-store.js';
import { FLAG } from '../readings/sample.js';
import { type Contents, lookThrough } from './import-contents.js';
import { takeIn } from './import-cooks.js';
import { type FileRow, readHistoryFile } from './import-file.js';
import { makePlace, placeOf } from './import-place.js';
import { storeImported } from './import-session.js';

/** A device's clock may run ahead by so much. */
const SKEW_MS = 2 * 60_000;

/** What became of a file. */
export interface Imported {
  /** Null: the file is of no session. */
  sessionId: string | null;
  deviceId: string;
  /** Rows with a value; those without say that a probe was absent, which is not stored. */
  readings: number;
  stored: number;
  /** They had another value before, which was kept. */
  conflicts: number;
}

/**
 * Stores the readings of an exported file that are not stored yet, and its session. The file is read twice, a part at a
 * time: once to see that all of it is right, and once in the transaction that stores it. Nobody is alerted.
 * @throws InputError, NotFoundError: then nothing of it is stored
 */
export async function importHistory(dataSource: DataSource, user: User, path: string): Promise<Imported> {
  const nowMs = await cloudNowMs(dataSource.manager, user.id);
  const contents = await lookThrough(path, nowMs + SKEW_MS);
  const { firstMs, lastMs } = contents;
  await placeOf(dataSource.manager, user, contents);
  if (contents.readings > 0) await ensurePartitions(dataSource.manager, [{ fromMs: firstMs, toMs: lastMs }]);
  return dataSource.transaction((tx) => store(tx, { user, path, contents, nowMs }));
}

async function store(
  tx: EntityManager,
  { user, path, contents, nowMs }: { user: User; path: string; contents: Contents; nowMs: number },
): Promise<Imported> {
  const { session, deviceId, readings } = contents;
  const probes = await makePlace(tx, user, contents);
  let [stored, conflicts] = [0, 0];
  for await (const part of readHistoryFile(path)) {
    if ('session' in part) continue;
    const added = await insert(tx, part.rows, probes);
    stored += added.stored;
    conflicts += added.conflicts;
  }
  // Only now: ingest of the device does not wait for the file.
  await new DeviceManager(tx).hold(deviceId);
  if (stored > 0) await takeIn(tx, { user, contents, probes, nowMs });
  const sessionId = session && (await storeImported(tx, { user, session, probes, lastMs: contents.lastMs }));
  return { sessionId, deviceId, readings, stored, conflicts };
}

async function insert(tx: EntityManager, rows: readonly FileRow[], probes: ReadonlyMap<string, Probe>) {
  const byKey = new Map<string, NewReading>();
  for (const { probeId: name, measuredAtMs, hundredths, unit, flags, isFlagged } of rows) {
    const probeId = probes.get(name)?.id;
    if (probeId === undefined || hundredths === null || unit === null) continue;
    const key = readingKey(probeId, measuredAtMs);
    const given = { value: hundredths / 100, unit, flags: isFlagged ? flags : flags | FLAG.backfilled };
    if (!byKey.has(key)) byKey.set(key, { probeId, measuredAtMs, ...given });
  }
  const all = [...byKey.values()];
  const fresh = await insertNewReadings(tx, all);
  const news = all.filter(({ probeId, measuredAtMs }) => fresh.has(readingKey(probeId, measuredAtMs)));
  // Buckets are out of date whatever the flags were when it was stored first.
  await markLate(
    tx,
    news.map((reading) => ({ ...reading, flags: reading.flags | FLAG.backfilled })),
  );
  const repeated = all.filter(({ probeId, measuredAtMs }) => !fresh.has(readingKey(probeId, measuredAtMs)));
  return { stored: fresh.size, conflicts: await countConflicts(tx, repeated) };
}
