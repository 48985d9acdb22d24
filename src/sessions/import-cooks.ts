import type { DataSource, EntityManager } from 'typeorm';
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
const PIECE_MS = 3 * 24 * 3_600_000;

/**
 * Automatic sessions as the stored readings of a file and those around them have them, and the figures of all sessions
 * that these count in: some days in each transaction, since ingest of the device waits for it. After one that is killed,
 * the same file once more makes the rest.
 */
export async function findCooks(
  dataSource: DataSource,
  {
    user,
    contents,
    nowMs,
    pieceMs = PIECE_MS,
  }: { user: User; contents: Contents; nowMs: number; pieceMs?: number },
): Promise<void> {
  const { deviceId, firstMs, lastMs } = contents;
  const untilMs = Math.min(lastMs + AFTER_MS, nowMs);
  for (let fromMs = firstMs; fromMs <= lastMs; ) {
    const toMs = Math.min(fromMs + pieceMs - 1, lastMs);
    const doneMs = await dataSource.transaction(async (tx) => {
      const { id: device, userId } = await tx.findOneByOrFail(Device, { deviceId });
      if (userId !== user.id) return lastMs;
      return (await redetectStored(tx, { device, fromMs, toMs, nowMs: untilMs })).untilMs;
    });
    fromMs = Math.max(toMs, doneMs) + 1;
  }
}

/**
 * What came in counts in what is known of the probes; and in the sessions that were there, unless {@link findCooks} is to
 * follow. Under the device's lock.
 */
export async function takeIn(
  tx: EntityManager,
  { user, contents, probes }: { user: User; contents: Contents; probes: ReadonlyMap<string, Probe> },
): Promise<void> {
  const { deviceId, firstMs, lastMs, session } = contents;
  const ids = [...probes.values()].map(({ id }) => id);
  await raiseMarks(tx, ids);
  const { userId } = await tx.findOneByOrFail(Device, { deviceId });
  if (!session && userId === user.id) return;
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
