import type { EntityManager } from 'typeorm';
import { epochMs } from '../array-literal.js';
import { RollUps } from './roll-up.js';
import { sessionReadings } from './session-readings.js';
import type { Session } from './types.js';

const LONG_MS = 48 * 3_600_000;

/** Whether its readings are too many to be held at once. */
export function isLong({ startMs, endMs, lastReadingMs }: Session): boolean {
  return (endMs ?? lastReadingMs ?? startMs) - startMs > LONG_MS;
}

/** {@link rebuildRollUps} of the stored readings, a part at a time: its memory does not grow with the session. */
export async function rebuildLong(tx: EntityManager, session: Session): Promise<Session> {
  const untilMs = session.endMs ?? (await newestMs(tx, session));
  const startMs = await firstMs(tx, session, untilMs);
  const rollUps = new RollUps();
  const blank: Session = { ...session, startMs, rebuild: false, stats: new Map(), lastReadingMs: null };
  let built = [blank];
  for await (const readings of sessionReadings(tx, { ...session, startMs }, untilMs))
    for (const reading of readings) built = rollUps.add(built, reading);
  return built[0] ?? session;
}

async function newestMs(tx: EntityManager, { members, startMs }: Session): Promise<number> {
  const rows = await tx.query<{ ms: number | null }[]>(
    `SELECT max(newest) AS ms FROM unnest($1::integer[]) AS p (id), LATERAL (
       SELECT ${epochMs('measured_at')} AS newest FROM readings WHERE probe_id = p.id ORDER BY measured_at DESC LIMIT 1) r`,
    [members.map(({ probeId }) => probeId)],
  );
  return rows[0]?.ms ?? startMs;
}

/** As {@link exactStartMs}. */
async function firstMs(tx: EntityManager, session: Session, untilMs: number): Promise<number> {
  const { startMs, startedBy, sessionType, isEdited } = session;
  if (sessionType !== 'auto' || isEdited) return startMs;
  let first: number | undefined;
  for await (const readings of sessionReadings(tx, session, untilMs)) {
    const ofStarter = readings.find(({ probeId }) => probeId === startedBy);
    if (ofStarter) return ofStarter.measuredAtMs;
    first ??= readings[0]?.measuredAtMs;
    if (startedBy === undefined && first !== undefined) break;
  }
  return first ?? startMs;
}
