import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { DetectionState as StateRow } from '../entities/detection-state.js';
import { dueAtMs, reduceDevice } from './detection.js';
import { type DetectionState, emptyDetection, type ProbeTrack, parseDetection } from './detection-state.js';
import { saveNames } from './name-store.js';
import { rebuildSessions } from './rebuild.js';
import { loadSessions, saveSessions } from './session-store.js';
import type { DeviceFacts, Session } from './types.js';

/**
 * A session that a person changed, with roll-ups computed anew, and detection told of it. Under the device's lock.
 * @param isTheirs whether the session's user still has the device
 * @param before the session as it was, if it was there
 */
export async function storeSession(
  tx: EntityManager,
  device: DeviceFacts,
  session: Session,
  { before, isTheirs = true }: { before?: Session | undefined; isTheirs?: boolean } = {},
): Promise<void> {
  const rebuilt = await rebuildSessions(tx, [session]);
  await saveSessions(tx, rebuilt);
  await saveNames(tx, rebuilt, before ? [before] : [], () => device);
  if (isTheirs) await tellDetection(tx, device, session);
}

/** Detection takes up what was done by hand: so its timers run though no reading may ever come. */
async function tellDetection(tx: EntityManager, device: DeviceFacts, session: Session): Promise<void> {
  const { startMs, endMs } = session;
  const row = await tx.findOneBy(StateRow, { deviceId: device.id });
  const detection = endedBefore(row ? parseDetection(row.state) : emptyDetection(), session);
  const stored = await loadSessions(tx, [device.deviceId], endMs ?? startMs);
  const sessions = stored.filter(({ userId }) => userId === device.userId);
  // A moment long ago lets no timer run out: it only makes detection take up what was done by hand.
  const { world } = reduceDevice({ device, detection, sessions }, { nowMs: 0 }, uuidv7);
  // Alerts have timers there too. One that comes too early finds nothing to do and sets the right one.
  const dueMs = Math.min(
    dueAtMs(world) ?? Number.POSITIVE_INFINITY,
    row?.dueAt?.getTime() ?? Number.POSITIVE_INFINITY,
  );
  await tx.save(
    Object.assign(new StateRow(), {
      deviceId: device.id,
      state: world.detection,
      dueAt: Number.isFinite(dueMs) ? new Date(dueMs) : null,
    }),
  );
}

/** What its probes rose until its end was its own: no later session begins there. */
function endedBefore(detection: DetectionState, { members, endMs }: Session): DetectionState {
  if (endMs === null) return detection;
  const after = Object.entries(detection.probes).map(([id, track]): [string, ProbeTrack] => {
    const isOurs = members.some(({ probeId }) => String(probeId) === id);
    const isBefore = track.riseMs !== undefined && track.riseMs <= endMs;
    return [id, isOurs && isBefore ? { ...track, riseMs: endMs + 1 } : track];
  });
  return { ...detection, probes: Object.fromEntries(after) };
}
