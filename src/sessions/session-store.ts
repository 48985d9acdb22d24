import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs, numbersOf } from '../array-literal.js';
import { groupBy } from '../group-by.js';
import type { ProbeRole } from '../readings/sample.js';
import { sessionFigures } from './roll-up.js';
import { saveStats } from './roll-up-store.js';
import type { ProbeStats, Session } from './types.js';

/** One row per member, as the columns' types and CHECKs have it; a session's own columns repeat. Times are epoch ms. */
interface MemberRow {
  id: number;
  public_id: string;
  user_id: number;
  device_id: string;
  session_type: Session['sessionType'];
  status: Session['status'];
  phase: Session['phase'];
  end_reason: Session['endReason'];
  temperature_unit: Session['temperatureUnit'];
  is_edited: boolean;
  is_deleted: boolean;
  probe_id: number | null;
  role: ProbeRole | null;
  times: [
    startMs: number,
    endMs: number | null,
    lastMs: number | null,
    fromMs: number | null,
    toMs: number | null,
  ];
  /** Null: no reading of the probe is in the session. */
  stats:
    | [
        count: number,
        sum: number,
        min: number,
        minMs: number,
        max: number,
        maxMs: number,
        firstMs: number,
        lastMs: number,
      ]
    | null;
}

/** Data that returns within this time after contact was lost reopens the session; after an unplugged end it may come late. */
const REOPEN_WITHIN = "interval '6 hours'";

const TIMES = numbersOf(
  ...['s.start_time', 's.end_time', 's.last_reading_at', 'm.member_from', 'm.member_to'].map(epochMs),
);
const STATS = numbersOf(
  'p.reading_count',
  'p.temperature_sum_hundredths',
  'round(p.min_temperature * 100)',
  epochMs('p.min_at'),
  'round(p.max_temperature * 100)',
  epochMs('p.max_at'),
  epochMs('p.first_measured_at'),
  epochMs('p.last_measured_at'),
);

/**
 * The sessions that readings of these devices from `fromMs` on can touch: those that run, those that ended at or after
 * that time, and those that timers ended not long before it. One statement.
 */
export async function loadSessions(
  tx: EntityManager,
  deviceIds: readonly string[],
  fromMs: number,
): Promise<Session[]> {
  const rows = await queryMembers(
    tx,
    `s.device_id = ANY($1) AND s.deleted_at IS NULL AND (s.status = 'active' OR s.end_time >= $2
       OR (s.end_reason IN ('lost_contact', 'unplugged') AND s.end_time >= $2 - ${REOPEN_WITHIN}))`,
    [deviceIds, new Date(fromMs)],
  );
  return [...groupBy(rows, ({ id }) => id).values()].map(toSession);
}

/** All sessions of a device with this owner that run, or ended at or after `fromMs`; also deleted ones. */
export async function loadPastSessions(
  tx: EntityManager,
  { deviceId, userId }: { deviceId: string; userId: number },
  fromMs: number,
): Promise<(Session & { isDeleted: boolean })[]> {
  const rows = await queryMembers(
    tx,
    "s.device_id = $1 AND s.user_id = $2 AND (s.status = 'active' OR s.end_time >= $3)",
    [deviceId, userId, new Date(fromMs)],
  );
  return [...groupBy(rows, ({ id }) => id).values()].map((own) => ({
    ...toSession(own),
    isDeleted: own[0]?.is_deleted === true,
  }));
}

function queryMembers(tx: EntityManager, condition: string, values: unknown[]): Promise<MemberRow[]> {
  return tx.query(
    `SELECT s.id, s.public_id, s.user_id, s.device_id, s.session_type, s.status, s.phase, s.end_reason,
       s.temperature_unit, s.edited_at IS NOT NULL AS is_edited, s.deleted_at IS NOT NULL AS is_deleted, m.probe_id,
       m.role, ${TIMES} AS times, CASE WHEN p.probe_id IS NOT NULL THEN ${STATS} END AS stats
     FROM grilling_sessions s
     LEFT JOIN session_members m ON m.session_id = s.id
     LEFT JOIN session_probe_stats p ON p.session_id = s.id AND p.probe_id = m.probe_id
     WHERE ${condition}
     ORDER BY s.id, m.probe_id`,
    values,
  );
}

function toSession(rows: MemberRow[]): Session {
  const [row] = rows;
  if (!row) throw new Error('a session without rows');
  const [startMs, endMs, lastReadingMs] = row.times;
  return {
    id: row.id,
    publicId: row.public_id,
    userId: row.user_id,
    deviceId: row.device_id,
    sessionType: row.session_type,
    status: row.status,
    phase: row.phase,
    endReason: row.end_reason,
    startMs,
    endMs,
    lastReadingMs,
    temperatureUnit: row.temperature_unit,
    isEdited: row.is_edited,
    members: rows.flatMap(({ probe_id: probeId, role, times: [, , , fromMs, toMs] }) =>
      probeId === null || role === null ? [] : [{ probeId, role, fromMs, toMs }],
    ),
    stats: new Map(rows.flatMap(toStats)),
    rebuild: false,
  };
}

function toStats({ probe_id: probeId, stats }: MemberRow): [number, ProbeStats][] {
  if (probeId === null || stats === null) return [];
  const [count, sumHundredths, minHundredths, minAtMs, maxHundredths, maxAtMs, firstMs, lastMs] = stats;
  const extremes = { minHundredths, minAtMs, maxHundredths, maxAtMs };
  return [[probeId, { count, sumHundredths, ...extremes, firstMs, lastMs }]];
}

/**
 * Stores sessions as the fold left them, with members and roll-ups: one statement per table, or none where nothing of
 * it changed.
 * @param sessions each once
 * @param before those that were there, as {@link loadSessions} read them in this transaction; of others all is written
 * @returns the row id of each public id
 */
export async function saveSessions(
  tx: EntityManager,
  sessions: readonly Session[],
  before: readonly Session[] = [],
): Promise<Map<string, number>> {
  if (sessions.length === 0) return new Map();
  const ids = await upsertSessions(tx, sessions);
  const idOf = ({ publicId }: Session): number => {
    const id = ids.get(publicId);
    if (id === undefined) throw new Error(`session ${publicId} was not stored`);
    return id;
  };
  const known = new Map(before.map((session) => [session.publicId, session]));
  const changed = sessions.filter(({ publicId, members }) => known.get(publicId)?.members !== members);
  await upsertMembers(tx, changed, idOf);
  await saveStats(
    tx,
    sessions.map((session) => ({ session, was: known.get(session.publicId), id: idOf(session) })),
  );
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
      start_ms: session.startMs,
      end_ms: session.endMs,
      last_ms: session.lastReadingMs,
      temperature_unit: session.temperatureUnit,
      reading_count: readingCount,
      min,
      max,
      avg,
    };
  });
  const rows: unknown = await tx.query(
    `INSERT INTO grilling_sessions (public_id, user_id, device_id, session_type, status, phase, end_reason, start_time,
       end_time, last_reading_at, temperature_unit, reading_count, min_temperature, max_temperature, avg_temperature)
     SELECT public_id, user_id, device_id, session_type, status, phase, end_reason, to_timestamp(start_ms / 1000),
       to_timestamp(end_ms / 1000), to_timestamp(last_ms / 1000), temperature_unit, reading_count, min, max, avg
     FROM jsonb_to_recordset($1) AS s (public_id uuid, user_id integer, device_id text, session_type text, status text,
       phase text, end_reason text, start_ms float8, end_ms float8, last_ms float8, temperature_unit text,
       reading_count integer, min float8, max float8, avg float8)
     ORDER BY status = 'active', public_id
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
  if (sessions.length === 0) return;
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
    `WITH new AS (SELECT * FROM jsonb_populate_recordset(NULL::session_members, $1)), gone AS (
       DELETE FROM session_members m WHERE m.session_id = ANY($2::integer[])
         AND NOT EXISTS (SELECT FROM new WHERE new.session_id = m.session_id AND new.probe_id = m.probe_id)
     )
     INSERT INTO session_members (session_id, probe_id, role, member_from, member_to)
     SELECT session_id, probe_id, role, member_from, member_to FROM new ORDER BY session_id, probe_id
     ON CONFLICT (session_id, probe_id) DO UPDATE
       SET role = excluded.role, member_from = excluded.member_from, member_to = excluded.member_to,
           updated_at = now()`,
    [JSON.stringify(records), sessions.map(idOf)],
  );
}

/** Stores what happened to probes of these sessions (`grilling_sessions.id`), once. One statement, or none. */
export async function saveTags(
  tx: EntityManager,
  tags: readonly { sessionId: number; probeId: number; fromMs: number; toMs: number }[],
): Promise<void> {
  if (tags.length === 0) return;
  await tx.query(
    `INSERT INTO session_tags (session_id, probe_id, tag, tag_from, tag_to)
     SELECT "sessionId", "probeId", 'lid_open', to_timestamp("fromMs" / 1000), to_timestamp("toMs" / 1000)
     FROM jsonb_to_recordset($1) AS t ("sessionId" integer, "probeId" integer, "fromMs" float8, "toMs" float8)
     ORDER BY 1, 2, 4 ON CONFLICT DO NOTHING`,
    [JSON.stringify(tags)],
  );
}
