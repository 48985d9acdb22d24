import type { EntityManager } from 'typeorm';
import { Device } from '../entities/device.js';
import type { Probe } from '../entities/probe.js';
import type { User } from '../entities/user.js';
import { redetectStored } from '../ingest/late-sessions.js';
import { FLAG } from '../readings/sample.js';
import type { Contents } from './import-contents.js';
import { rebuildSessions } from './rebuild.js';
import { loadSessions, saveSessions } from './session-store.js';

/** So long after the last reading the timers run: whatever ended has ended by then. */
const AFTER_MS = 12 * 3_600_000;

/**
 * What came in counts in the sessions that were there, and in what is known of the probes. A file without a session makes
 * automatic ones, as its readings and those stored before have them. Under the device's lock.
 */
export async function takeIn(
  tx: EntityManager,
  {
    user,
    contents,
    probes,
    nowMs,
  }: { user: User; contents: Contents; probes: ReadonlyMap<string, Probe>; nowMs: number },
): Promise<void> {
  const { deviceId, firstMs, lastMs, session } = contents;
  const ids = [...probes.values()].map(({ id }) => id);
  await raiseMarks(tx, ids);
  const { id: device, userId } = await tx.findOneByOrFail(Device, { deviceId });
  if (!session && userId === user.id) {
    const untilMs = Math.min(lastMs + AFTER_MS, nowMs);
    await redetectStored(tx, { device, fromMs: firstMs, toMs: lastMs, nowMs: untilMs });
    return;
  }
  const touched = (await loadSessions(tx, [deviceId], firstMs)).filter(
    ({ startMs, members }) => startMs <= lastMs && members.some(({ probeId }) => ids.includes(probeId)),
  );
  const stale = touched.map((one) => ({ ...one, rebuild: true }));
  await saveSessions(tx, await rebuildSessions(tx, stale));
}

/** The newest reading that is stored of each probe. */
async function raiseMarks(tx: EntityManager, probeIds: readonly number[]): Promise<void> {
  await tx.query(
    `UPDATE probes p SET last_measured_at = r.measured_at, last_value = r.value, last_unit = r.unit, updated_at = now()
     FROM unnest($1::integer[]) AS i (id), LATERAL (
       SELECT * FROM readings WHERE probe_id = i.id AND flags & $2 = 0 ORDER BY measured_at DESC LIMIT 1) r
     WHERE p.id = i.id AND (p.last_measured_at IS NULL OR p.last_measured_at < r.measured_at)`,
    [probeIds, FLAG.skewed],
  );
}
