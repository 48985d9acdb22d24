import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { DetectionState } from '../entities/detection-state.js';
import { Device } from '../entities/device.js';
import type { Probe } from '../entities/probe.js';
import type { User } from '../entities/user.js';
import { FLAG } from '../readings/sample.js';
import { emptyDetection, parseDetection } from './detection-state.js';
import type { Contents } from './import-contents.js';
import { rebuildSessions } from './rebuild.js';
import { seenUntilMs } from './redetect.js';
import { redetect } from './redetect-store.js';
import { loadSessions, saveSessions } from './session-store.js';

/** So long after the last reading the timers run: whatever ended has ended by then. */
const AFTER_MS = 12 * 3_600_000;

/** What came in counts in the sessions that were there, and in what is known of the probes. */
export async function takeIn(
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

/** Automatic sessions as the readings of the file's time have them, with those that were stored before. */
export async function findCooks(
  tx: EntityManager,
  {
    user,
    contents,
    probes,
    nowMs,
  }: { user: User; contents: Contents; probes: ReadonlyMap<string, Probe>; nowMs: number },
): Promise<void> {
  const { deviceId, firstMs, lastMs } = contents;
  const { id, type, model, userId } = await tx.findOneByOrFail(Device, { deviceId });
  const isTheirs = userId === user.id;
  const row = isTheirs ? await tx.findOneBy(DetectionState, { deviceId: id }) : null;
  const sessions = (await loadSessions(tx, [deviceId], firstMs)).filter((one) => one.userId === user.id);
  const own = { userId: user.id, temperatureUnit: user.temperatureUnit ?? 'F', probes: [...probes.values()] };
  const world = {
    device: { id, deviceId, type, model, ...own },
    detection: row ? parseDetection(row.state) : emptyDetection(),
    sessions,
  };
  const seenMs = Math.max(isTheirs ? seenUntilMs(world) : 0, Math.min(lastMs + AFTER_MS, nowMs));
  const stretch = { fromMs: firstMs, toMs: lastMs, seenMs };
  const { changed, detection } = await redetect(tx, world, stretch, uuidv7);
  await saveSessions(tx, await rebuildSessions(tx, changed));
  // The timers look at the next tick, and set the time of their next look.
  const seen = { deviceId: id, state: detection, dueAt: new Date(0) };
  if (isTheirs && detection) await tx.save(Object.assign(new DetectionState(), seen));
}
