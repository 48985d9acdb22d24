import type { EntityManager } from 'typeorm';
import { arrayOf } from '../array-literal.js';
import type { ChannelKind } from '../entities/notification-channel.js';
import type { AlertState, AlertTransition } from './types.js';

/** Channels that make a phone ring: what they tell must be fresh. */
const PHONE_KINDS: ChannelKind[] = ['ntfy', 'slack', 'discord', 'telegram'];
/** Channels that people read: one cause, one message. The others are for programs, which get each event at once. */
const PEOPLE_KINDS: ChannelKind[] = [...PHONE_KINDS, 'email'];

/** Between two messages of a group. */
const HOLD = "interval '5 minutes'";

/** Stores states, by key order. One statement. */
export async function saveStates(tx: EntityManager, states: readonly AlertState[]): Promise<void> {
  if (states.length === 0) return;
  const column = (pick: (state: AlertState) => number | boolean | string | null) => arrayOf(states.map(pick));
  await tx.query(
    `INSERT INTO alert_states (alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms,
       held_readings, rearm_ms, evaluated_at, fired_at, resolved_at, extreme, recent, acknowledged_at, snoozed_until, told_at,
       is_muted, is_inhibited)
     SELECT alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms, held_readings, rearm_ms,
       to_timestamp(evaluated_ms / 1000), to_timestamp(fired_ms / 1000), to_timestamp(resolved_ms / 1000), extreme, recent,
       to_timestamp(acknowledged_ms / 1000), to_timestamp(snoozed_ms / 1000), to_timestamp(told_ms / 1000), is_muted, is_inhibited
     FROM unnest($1::integer[], $2::varchar[], $3::varchar[], $4::varchar[], $5::boolean[], $6::boolean[], $7::boolean[],
       $8::integer[], $9::bigint[], $10::integer[], $11::bigint[], $12::float8[], $13::float8[], $14::float8[],
       $15::float8[], $16::json[], $17::float8[], $18::float8[], $19::float8[], $20::boolean[], $21::boolean[])
       AS s (alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms, held_readings, rearm_ms,
         evaluated_ms, fired_ms, resolved_ms, extreme, recent, acknowledged_ms, snoozed_ms, told_ms, is_muted, is_inhibited)
     ORDER BY alert_id, side, tier
     ON CONFLICT (alert_id, side, tier) DO UPDATE SET phase = excluded.phase, is_unknown = excluded.is_unknown,
       is_armed = excluded.is_armed, is_announced = excluded.is_announced, version = excluded.version,
       held_ms = excluded.held_ms, held_readings = excluded.held_readings, rearm_ms = excluded.rearm_ms,
       evaluated_at = excluded.evaluated_at, fired_at = excluded.fired_at, resolved_at = excluded.resolved_at,
       extreme = excluded.extreme, recent = excluded.recent, acknowledged_at = excluded.acknowledged_at,
       snoozed_until = excluded.snoozed_until, told_at = excluded.told_at, is_muted = excluded.is_muted,
       is_inhibited = excluded.is_inhibited`,
    [
      column(({ alertId }) => alertId),
      column(({ side }) => side),
      column(({ tier }) => tier),
      column(({ phase }) => phase),
      column(({ isUnknown }) => isUnknown),
      column(({ isArmed }) => isArmed),
      column(({ isAnnounced }) => isAnnounced),
      column(({ version }) => version),
      column(({ heldMs }) => heldMs),
      column(({ heldReadings }) => heldReadings),
      column(({ rearmMs }) => rearmMs),
      column(({ evaluatedAtMs }) => evaluatedAtMs),
      column(({ firedAtMs }) => firedAtMs),
      column(({ resolvedAtMs }) => resolvedAtMs),
      column(({ extreme }) => extreme),
      states.map(({ recent }) => recent && JSON.stringify(recent)),
      column(({ acknowledgedAtMs }) => acknowledgedAtMs),
      column(({ snoozedUntilMs }) => snoozedUntilMs),
      column(({ toldAtMs }) => toldAtMs),
      column(({ isMuted }) => isMuted),
      column(({ isInhibited }) => isInhibited),
    ],
  );
}

/** A transition as it is stored; `sessionId` is the row id of the session that its probe was in. */
export type NewAlertEvent = AlertTransition & {
  publicId: string;
  sessionId: number | null;
  detectedLate: boolean;
};

/**
 * Stores transitions, notes when each alert was last triggered, and stores a notification for each active channel of
 * the owner, in the order given for each alert. One statement. A fired target, rising or falling alert is worthless on a phone after half an hour.
 *
 * What people get follows a message of its group (session, or else device) by five minutes at least: until then it is
 * held. Never held are a critical tier and a target, which cannot wait, and what comes to a quiet group.
 * @returns the notifications that go out now, to be enqueued after the commit
 */
export async function insertEvents(
  tx: EntityManager,
  events: readonly NewAlertEvent[],
): Promise<{ id: string; channelId: number }[]> {
  if (events.length === 0) return [];
  return tx.query<{ id: string; channelId: number }[]>(
    `WITH given AS MATERIALIZED (
       SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS ("publicId" uuid, "alertId" integer, "sessionId" integer, kind text,
         side text, tier text, version integer, value float8, unit text, "measuredAtMs" float8,
         "durationSeconds" integer, extreme float8, change float8, "detectedLate" boolean,
         "isMuted" boolean, "isSuperseded" boolean, "silentProbes" integer, "silentDevices" integer)) WITH ORDINALITY AS e
     ), event AS (
       INSERT INTO alert_events (public_id, alert_id, session_id, kind, side, tier, version, value, unit, measured_at,
         duration_seconds, extreme, change, detected_late, is_muted, silent_probes, silent_devices)
       SELECT "publicId", "alertId", "sessionId", kind, side, tier, version, value, unit,
         to_timestamp("measuredAtMs" / 1000), "durationSeconds", extreme, change, "detectedLate", "isMuted", "silentProbes",
         "silentDevices"
       FROM given ORDER BY "alertId", ordinality
       RETURNING id, public_id, alert_id, session_id, kind, tier, measured_at, is_muted
     ), triggered AS (
       UPDATE temperature_alerts a SET last_triggered = greatest(a.last_triggered, f.measured_at), updated_at = now()
       FROM (SELECT alert_id, max(measured_at) AS measured_at FROM event WHERE kind = 'fired' GROUP BY alert_id) f
       WHERE a.id = f.alert_id
     ), message AS (
       SELECT event.id, event.alert_id, c.id AS channel_id, event.kind = 'fired' AND c.kind = ANY($2)
           AND a.alert_type IN ('target', 'rising', 'falling') AS is_brief,
         CASE WHEN c.kind = ANY($3) THEN coalesce('session ' || event.session_id, 'device ' || a.device_id) END AS group_key,
         event.kind <> 'resolved' AND (event.tier = 'critical' OR a.alert_type = 'target') AS is_urgent
       FROM event
       JOIN given ON given."publicId" = event.public_id
       JOIN temperature_alerts a ON a.id = event.alert_id
       JOIN notification_channels c ON c.user_id = a.user_id AND c.is_active
       WHERE event.kind IN ('fired', 'resolved', 'repeated') AND NOT event.is_muted
         AND NOT (given."isSuperseded" IS TRUE AND c.kind = ANY($3))
     ), stored AS (
       INSERT INTO notifications (id, alert_event_id, alert_id, channel_id, expires_at, group_key, held_until,
         next_attempt_at, updated_at)
       SELECT gen_random_uuid(), m.id, m.alert_id, m.channel_id,
         now() + CASE WHEN m.is_brief THEN interval '30 minutes' ELSE interval '24 hours' END, m.group_key, held.until,
         coalesce(held.until, now()),
         -- So that the relay takes what was held at its next round.
         CASE WHEN held.until IS NULL THEN now() ELSE now() - interval '15 seconds' END
       FROM message m
       LEFT JOIN LATERAL (
         SELECT max(n.held_until) AS held, max(coalesce(n.held_until, n.created_at)) AS at FROM notifications n
         WHERE n.channel_id = m.channel_id AND n.group_key = m.group_key AND n.status <> 'expired'
           AND n.created_at > now() - 2 * ${HOLD}
       ) last ON NOT m.is_urgent
       CROSS JOIN LATERAL (
         -- The bound is for a clock that was ahead when the last one was stored.
         SELECT CASE WHEN last.held > now() THEN least(last.held, now() + ${HOLD})
           WHEN last.at > now() - ${HOLD} THEN least(last.at, now()) + ${HOLD} END AS until
       ) held
       ORDER BY m.id, m.channel_id
       RETURNING id, channel_id, held_until
     )
     SELECT id, channel_id AS "channelId" FROM stored WHERE held_until IS NULL`,
    [JSON.stringify(events), PHONE_KINDS, PEOPLE_KINDS],
  );
}
