import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import { DeviceManager } from '../accounts/device-manager.js';
import { Device } from '../entities/device.js';
import { GrillingSession } from '../entities/grilling-session.js';
import { Probe } from '../entities/probe.js';
import { SessionLogEntry } from '../entities/session-log-entry.js';
import type { User } from '../entities/user.js';
import { NotFoundError } from '../errors.js';
import {
  countConflicts,
  ensurePartitions,
  insertNewReadings,
  type NewReading,
  readingKey,
} from '../readings/reading-store.js';
import { FLAG } from '../readings/sample.js';
import { checkOverlaps, time } from './edit.js';
import { type Contents, lookThrough } from './import-contents.js';
import { type ExportedSession, type FileRow, readHistoryFile } from './import-file.js';
import { rebuildSessions } from './rebuild.js';
import { loadSessions, saveSessions } from './session-store.js';
import { storeSession } from './store-session.js';
import type { Session } from './types.js';

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
  return dataSource.transaction((tx) => store(tx, { user, path, contents }));
}

/** Where the file's readings belong. */
interface Place {
  device: Device | null;
  probes: Map<string, Probe>;
  /** To be made: nobody but an import knows of the device. */
  missing: string[];
}

/** @throws InputError, NotFoundError where the device or a probe is not the user's */
async function placeOf(db: EntityManager, user: User, { deviceId, probes }: Contents): Promise<Place> {
  const device = await db.findOneBy(Device, { deviceId });
  const own = await db.find(Probe, { where: { deviceId, userId: user.id }, order: { id: 'ASC' } });
  if (device && device.userId !== user.id && own.length === 0)
    throw new NotFoundError(`device ${deviceId} belongs to another user, and ${user.email} never had it`);
  const missing = [...probes.keys()].filter((name) => !own.some(({ probeId }) => probeId === name));
  const isImported = device?.userId === user.id && !device.isActive && device.cloudUpdateTime === null;
  if (device && !isImported && missing.length > 0) {
    const there = own.map(({ probeId }) => probeId).join(', ') || 'none';
    throw new NotFoundError(`no probe ${missing[0]}: device ${deviceId} has ${there}`);
  }
  return { device, probes: new Map(own.map((probe) => [probe.probeId, probe])), missing };
}

/** With what is missing of a device that no cloud account shows: it is the user's, and not active. */
async function makePlace(tx: EntityManager, user: User, contents: Contents): Promise<Map<string, Probe>> {
  const { deviceId } = contents;
  const { device, missing } = await placeOf(tx, user, contents);
  if (!device) await tx.insert(Device, { publicId: uuidv7(), userId: user.id, deviceId, isActive: false });
  if (missing.length > 0)
    await tx.insert(
      Probe,
      missing.map((probeId) => ({ userId: user.id, deviceId, probeId, ...contents.probes.get(probeId) })),
    );
  return (await placeOf(tx, user, contents)).probes;
}

async function store(
  tx: EntityManager,
  { user, path, contents }: { user: User; path: string; contents: Contents },
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
  if (stored > 0) await takeIn(tx, contents, probes);
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
  const repeated = all.filter(({ probeId, measuredAtMs }) => !fresh.has(readingKey(probeId, measuredAtMs)));
  return { stored: fresh.size, conflicts: await countConflicts(tx, repeated) };
}

/** What came in counts in the sessions that were there, and in what is known of the probes. */
async function takeIn(
  tx: EntityManager,
  { deviceId, firstMs, lastMs }: Contents,
  probes: ReadonlyMap<string, Probe>,
): Promise<void> {
  const ids = [...probes.values()].map(({ id }) => id);
  await tx.query(
    `UPDATE probes p SET last_measured_at = r.measured_at, last_value = r.value, last_unit = r.unit, updated_at = now()
     FROM unnest($1::integer[]) AS i (id), LATERAL (
       SELECT * FROM readings WHERE probe_id = i.id AND flags & $2 = 0 ORDER BY measured_at DESC LIMIT 1) r
     WHERE p.id = i.id AND (p.last_measured_at IS NULL OR p.last_measured_at < r.measured_at)`,
    [ids, FLAG.skewed],
  );
  const touched = (await loadSessions(tx, [deviceId], firstMs)).filter(
    ({ startMs, members }) => startMs <= lastMs && members.some(({ probeId }) => ids.includes(probeId)),
  );
  const stale = touched.map((session) => ({ ...session, rebuild: true }));
  await saveSessions(tx, await rebuildSessions(tx, stale));
}

/** @returns the public id of the file's session, as it is now or was already */
async function storeImported(
  tx: EntityManager,
  given: { user: User; session: ExportedSession; probes: ReadonlyMap<string, Probe>; lastMs: number },
): Promise<string> {
  const { user, session, probes } = given;
  const known = await tx.findOneBy(GrillingSession, { publicId: session.id });
  if (known?.userId === user.id && known.deviceId === session.device_id && !known.deletedAt)
    return session.id;
  const others = await loadSessions(tx, [session.device_id], session.start_time);
  const theirs = others.filter(({ userId }) => userId === user.id);
  const wanted = toSession(given);
  const there = theirs.find(
    (one) => one.startMs === wanted.startMs && one.endMs === wanted.endMs && sharesProbe(one, wanted),
  );
  if (there) return there.publicId;
  const names = new Map([...probes].map(([name, { id }]) => [id, name]));
  if (wanted.status !== 'cancelled') checkOverlaps(wanted, theirs, names);
  const publicId = known ? uuidv7() : session.id;
  await storeSession(tx, null, { ...wanted, publicId });
  await tx.update(GrillingSession, { publicId }, { name: session.name, editedAt: () => 'now()' });
  const { id } = await tx.findOneByOrFail(GrillingSession, { publicId });
  const entry = { sessionId: id, actor: 'operator', action: 'imported' as const, before: null };
  await tx.insert(SessionLogEntry, { ...entry, after: asText(session) });
  return publicId;
}

const sharesProbe = (one: Session, other: Session): boolean =>
  one.members.some(({ probeId }) => other.members.some((member) => member.probeId === probeId));

/** One that ran when it was exported ended with its last reading here. */
function toSession({ user, session, probes, lastMs }: Parameters<typeof storeImported>[1]): Session {
  const isOver = session.end_time !== null;
  return {
    publicId: session.id,
    id: null,
    userId: user.id,
    deviceId: session.device_id,
    sessionType: session.session_type,
    status: session.status === 'cancelled' ? 'cancelled' : 'completed',
    phase: 'ended',
    endReason: isOver ? session.end_reason : 'manual',
    startMs: session.start_time,
    endMs: session.end_time ?? Math.max(session.start_time, lastMs),
    lastReadingMs: null,
    temperatureUnit: session.temperature_unit,
    isEdited: true,
    members: session.probes.flatMap(({ probe_id, role, member_from: fromMs, member_to: toMs }) => {
      const probeId = probes.get(probe_id)?.id;
      return probeId === undefined ? [] : [{ probeId, role, fromMs, toMs }];
    }),
    stats: new Map(),
    rebuild: true,
  };
}

function asText({ start_time, end_time, ...session }: ExportedSession): object {
  const probes = session.probes.map(({ member_from: from, member_to: to, ...probe }) => ({
    ...probe,
    member_from: from === null ? null : time(from),
    member_to: to === null ? null : time(to),
  }));
  return {
    ...session,
    start_time: time(start_time),
    end_time: end_time === null ? null : time(end_time),
    probes,
  };
}
