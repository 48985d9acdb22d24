import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { GrillingSession } from '../entities/grilling-session.js';
import type { Probe } from '../entities/probe.js';
import { SessionLogEntry } from '../entities/session-log-entry.js';
import type { User } from '../entities/user.js';
import { checkOverlaps, time } from './edit.js';
import type { ExportedSession } from './import-file.js';
import { rebuildSessions } from './rebuild.js';
import { sharesProbe } from './redetect.js';
import { loadSessions, saveSessions } from './session-store.js';
import type { Session } from './types.js';

/** @returns the public id of the file's session, as it is now or was already */
export async function storeImported(
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
  await saveSessions(tx, await rebuildSessions(tx, [{ ...wanted, publicId }]));
  await tx.update(GrillingSession, { publicId }, { name: session.name, editedAt: () => 'now()' });
  const { id } = await tx.findOneByOrFail(GrillingSession, { publicId });
  const { name, start_time: start, end_time: end } = session;
  await tx.insert(SessionLogEntry, {
    sessionId: id,
    actor: 'operator',
    action: 'imported',
    before: null,
    after: { name, start_time: time(start), end_time: end === null ? null : time(end) },
  });
  return publicId;
}

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
