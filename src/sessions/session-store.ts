import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { groupBy } from '../group-by.js';
import { sessionFigures } from './roll-up.js';
import type { ProbeStats, Session } from './types.js';

const instant = z.date().transform((date) => date.getTime());
const role = z.enum(['pit', 'food', 'storage', 'other']);
const hundredths = z.number().transform((degrees) => Math.round(degrees * 100));

/** One row per member; a session's own columns repeat. */
const memberRow = z.object({
  id: z.number(),
  public_id: z.string(),
  user_id: z.number(),
  device_id: z.string(),
  session_type: z.enum(['auto', 'manual']),
  status: z.enum(['active', 'completed', 'cancelled']),
  phase: z.enum(['active', 'paused', 'ended']),
  end_reason: z.enum(['cooled', 'unplugged', 'lost_contact', 'manual', 'device_gone', 'too_long']).nullable(),
  start_time: instant,
  end_time: instant.nullable(),
  last_reading_at: instant.nullable(),
  temperature_unit: z.enum(['F', 'C']),
  probe_id: z.number().nullable(),
  role: role.nullable(),
  member_from: instant.nullable(),
  member_to: instant.nullable(),
  reading_count: z.number().nullable(),
  temperature_sum_hundredths: z.coerce.number().nullable(),
  min_temperature: hundredths.nullable(),
  min_at: instant.nullable(),
  max_temperature: hundredths.nullable(),
  max_at: instant.nullable(),
  first_measured_at: instant.nullable(),
  last_measured_at: instant.nullable(),
});
type MemberRow = z.infer<typeof memberRow>;

/** Data that returns within this time after contact was lost reopens the session. */
const REOPEN_WITHIN = "interval '6 hours'";

/**
 * The sessions that readings of these devices from `fromMs` on can touch: those that run, those that ended at or after
 * that time, and those that lost contact not long before it. One statement.
 */
export async function loadSessions(
  tx: EntityManager,
  deviceIds: readonly string[],
  fromMs: number,
): Promise<Session[]> {
  const rows: unknown = await tx.query(
    `SELECT s.id, s.public_id, s.user_id, s.device_id, s.session_type, s.status, s.phase, s.end_reason, s.start_time,
       s.end_time, s.last_reading_at, s.temperature_unit, m.probe_id, m.role, m.member_from, m.member_to,
       p.reading_count, p.temperature_sum_hundredths, p.min_temperature, p.min_at, p.max_temperature, p.max_at,
       p.first_measured_at, p.last_measured_at
     FROM grilling_sessions s
     LEFT JOIN session_members m ON m.session_id = s.id
     LEFT JOIN session_probe_stats p ON p.session_id = s.id AND p.probe_id = m.probe_id
     WHERE s.device_id = ANY($1) AND s.deleted_at IS NULL AND (s.status = 'active' OR s.end_time >= $2
       OR (s.end_reason = 'lost_contact' AND s.end_time >= $2 - ${REOPEN_WITHIN}))
     ORDER BY s.id, m.probe_id`,
    [deviceIds, new Date(fromMs)],
  );
  return [...groupBy(z.array(memberRow).parse(rows), ({ id }) => id).values()].map(toSession);
}

function toSession(rows: MemberRow[]): Session {
  const [row] = rows;
  if (!row) throw new Error('a session without rows');
  return {
    id: row.id,
    publicId: row.public_id,
    userId: row.user_id,
    deviceId: row.device_id,
    sessionType: row.session_type,
    status: row.status,
    phase: row.phase,
    endReason: row.end_reason,
    startMs: row.start_time,
    endMs: row.end_time,
    lastReadingMs: row.last_reading_at,
    temperatureUnit: row.temperature_unit,
    members: rows.flatMap(({ probe_id, role, member_from, member_to }) =>
      probe_id === null || role === null
        ? []
        : [{ probeId: probe_id, role, fromMs: member_from, toMs: member_to }],
    ),
    stats: new Map(
      rows.flatMap((member) => {
        const stats = toStats(member);
        return member.probe_id === null || stats === null ? [] : [[member.probe_id, stats] as const];
      }),
    ),
    rebuild: false,
  };
}

function toStats(row: MemberRow): ProbeStats | null {
  const { reading_count: count, temperature_sum_hundredths: sum, min_temperature: min, min_at: minAt } = row;
  const { max_temperature: max, max_at: maxAt, first_measured_at: first, last_measured_at: last } = row;
  if (count === null || sum === null || min === null || minAt === null) return null;
  if (max === null || maxAt === null || first === null || last === null) return null;
  return {
    count,
    sumHundredths: sum,
    minHundredths: min,
    minAtMs: minAt,
    maxHundredths: max,
    maxAtMs: maxAt,
    firstMs: first,
    lastMs: last,
  };
}

/**
 * Stores sessions as the fold left them, with members and roll-ups: one statement per table.
 * @param sessions each once
 * @returns the row id of each public id
 */
export async function saveSessions(
  tx: EntityManager,
  sessions: readonly Session[],
): Promise<Map<string, number>> {
  if (sessions.length === 0) return new Map();
  const ids = await upsertSessions(tx, sessions);
  const idOf = ({ publicId }: Session): number => {
    const id = ids.get(publicId);
    if (id === undefined) throw new Error(`session ${publicId} was not stored`);
    return id;
  };
  await upsertMembers(tx, sessions, idOf);
  await replaceStats(tx, sessions, idOf);
  return ids;
}

async function upsertSessions(tx: EntityManager, sessions: readonly Session[]): Promise<Map<string, number>> {
  const records = sessions.map((session) => {
    const { readingCount, min, max, avg } = sessionFigures(session);
    return {
      public_id: session.publicId,
      user_id: session.userId,
      device_id: session.deviceId,
      session_type: session.sessionType,
      status: session.status,
      phase: session.phase,
      end_reason: session.endReason,
      start_time: time(session.startMs),
      end_time: time(session.endMs),
      last_reading_at: time(session.lastReadingMs),
      temperature_unit: session.temperatureUnit,
      reading_count: readingCount,
      min_temperature: min,
      max_temperature: max,
      avg_temperature: avg,
    };
  });
  const rows: unknown = await tx.query(
    `INSERT INTO grilling_sessions (public_id, user_id, device_id, session_type, status, phase, end_reason, start_time,
       end_time, last_reading_at, temperature_unit, reading_count, min_temperature, max_temperature, avg_temperature)
     SELECT public_id, user_id, device_id, session_type, status, phase, end_reason, start_time,
       end_time, last_reading_at, temperature_unit, reading_count, min_temperature, max_temperature, avg_temperature
     FROM jsonb_populate_recordset(NULL::grilling_sessions, $1)
     ORDER BY public_id
     ON CONFLICT (public_id) DO UPDATE SET session_type = excluded.session_type, status = excluded.status,
       phase = excluded.phase, end_reason = excluded.end_reason, start_time = excluded.start_time,
       end_time = excluded.end_time, last_reading_at = excluded.last_reading_at,
       reading_count = excluded.reading_count, min_temperature = excluded.min_temperature,
       max_temperature = excluded.max_temperature, avg_temperature = excluded.avg_temperature, updated_at = now()
     RETURNING id, public_id`,
    [JSON.stringify(records)],
  );
  const stored = z.array(z.object({ id: z.number(), public_id: z.string() })).parse(rows);
  return new Map(stored.map(({ id, public_id }) => [public_id, id]));
}

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

async function upsertMembers(
  tx: EntityManager,
  sessions: readonly Session[],
  idOf: (session: Session) => number,
): Promise<void> {
  const records = sessions.flatMap((session) =>
    session.members.map(({ probeId, role: memberRole, fromMs, toMs }) => ({
      session_id: idOf(session),
      probe_id: probeId,
      role: memberRole,
      member_from: time(fromMs),
      member_to: time(toMs),
    })),
  );
  await tx.query(
    `INSERT INTO session_members (session_id, probe_id, role, member_from, member_to)
     SELECT session_id, probe_id, role, member_from, member_to
     FROM jsonb_populate_recordset(NULL::session_members, $1) ORDER BY session_id, probe_id
     ON CONFLICT (session_id, probe_id) DO UPDATE
       SET role = excluded.role, member_from = excluded.member_from, member_to = excluded.member_to,
           updated_at = now()`,
    [JSON.stringify(records)],
  );
}

/** A probe whose readings all fell out of a session that was cut loses its row. */
async function replaceStats(
  tx: EntityManager,
  sessions: readonly Session[],
  idOf: (session: Session) => number,
): Promise<void> {
  const records = sessions.flatMap((session) =>
    [...session.stats].map(([probeId, stats]) => ({
      session_id: idOf(session),
      probe_id: probeId,
      reading_count: stats.count,
      temperature_sum_hundredths: stats.sumHundredths,
      min_temperature: stats.minHundredths / 100,
      min_at: time(stats.minAtMs),
      max_temperature: stats.maxHundredths / 100,
      max_at: time(stats.maxAtMs),
      avg_temperature: stats.sumHundredths / (stats.count * 100),
      first_measured_at: time(stats.firstMs),
      last_measured_at: time(stats.lastMs),
    })),
  );
  await tx.query(
    `WITH new AS (SELECT * FROM jsonb_populate_recordset(NULL::session_probe_stats, $1)),
     gone AS (
       DELETE FROM session_probe_stats s WHERE s.session_id = ANY($2)
         AND NOT EXISTS (SELECT FROM new WHERE new.session_id = s.session_id AND new.probe_id = s.probe_id)
     )
     INSERT INTO session_probe_stats SELECT * FROM new ORDER BY session_id, probe_id
     ON CONFLICT (session_id, probe_id) DO UPDATE SET reading_count = excluded.reading_count,
       temperature_sum_hundredths = excluded.temperature_sum_hundredths, min_temperature = excluded.min_temperature,
       min_at = excluded.min_at, max_temperature = excluded.max_temperature, max_at = excluded.max_at,
       avg_temperature = excluded.avg_temperature, first_measured_at = excluded.first_measured_at,
       last_measured_at = excluded.last_measured_at`,
    [JSON.stringify(records), sessions.map(idOf)],
  );
}
