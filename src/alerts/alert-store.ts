import type { EntityManager } from 'typeorm';
import type { ChannelKind } from '../entities/notification-channel.js';
import type { AlertRule, AlertState, AlertTransition } from './types.js';

/** Channels that make a phone ring: what they tell must be fresh. */
const PHONE_KINDS: ChannelKind[] = ['ntfy', 'slack', 'discord', 'telegram'];

/** An alert in force, with the probe (`probes.id`) that it watches. */
export interface LoadedAlert {
  probeId: number;
  publicId: string;
  rule: AlertRule;
  states: AlertState[];
}

const toMs = (column: string) => `(extract(epoch FROM ${column}) * 1000)::bigint`;

/** The alerts in force on these probes (`probes.id`), in order of their ids. One statement. */
export async function loadAlerts(tx: EntityManager, probeIds: readonly number[]): Promise<LoadedAlert[]> {
  if (probeIds.length === 0) return [];
  return tx.query<LoadedAlert[]>(
    `SELECT p.id AS "probeId", a.public_id AS "publicId",
       jsonb_build_object('id', a.id, 'type', a.alert_type, 'temperatureUnit', a.temperature_unit,
         'targetTemperature', a.target_temperature, 'direction', a.direction,
         'minTemperature', a.min_temperature, 'maxTemperature', a.max_temperature,
         'criticalMinTemperature', a.critical_min_temperature,
         'criticalMaxTemperature', a.critical_max_temperature, 'thresholdValue', a.threshold_value,
         'windowSeconds', a.window_seconds, 'holdSeconds', a.hold_seconds,
         'recoverySeconds', a.recovery_seconds, 'hysteresis', a.hysteresis,
         'cooldownSeconds', a.cooldown_seconds, 'severity', a.severity) AS rule,
       coalesce(jsonb_agg(jsonb_build_object('alertId', s.alert_id, 'side', s.side, 'tier', s.tier,
         'phase', s.phase, 'isUnknown', s.is_unknown, 'isArmed', s.is_armed, 'isAnnounced', s.is_announced,
         'version', s.version, 'heldMs', s.held_ms, 'heldReadings', s.held_readings, 'rearmMs', s.rearm_ms,
         'evaluatedAtMs', ${toMs('s.evaluated_at')}, 'firedAtMs', ${toMs('s.fired_at')},
         'resolvedAtMs', ${toMs('s.resolved_at')}, 'extreme', s.extreme, 'recent', s.recent) ORDER BY s.side, s.tier)
         FILTER (WHERE s.alert_id IS NOT NULL), '[]') AS states
     FROM probes p
     JOIN temperature_alerts a USING (user_id, device_id, probe_id)
     JOIN users u ON u.id = a.user_id
     LEFT JOIN alert_states s ON s.alert_id = a.id
     WHERE p.id = ANY($1::integer[]) AND a.is_active AND a.deleted_at IS NULL AND u.deleted_at IS NULL
     GROUP BY p.id, a.id
     ORDER BY a.id`,
    [probeIds],
  );
}

/** Stores states, by key order. One statement. */
export async function saveStates(tx: EntityManager, states: readonly AlertState[]): Promise<void> {
  if (states.length === 0) return;
  await tx.query(
    `INSERT INTO alert_states (alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms,
       held_readings, rearm_ms, evaluated_at, fired_at, resolved_at, extreme, recent)
     SELECT "alertId", side, tier, phase, "isUnknown", "isArmed", "isAnnounced", version, "heldMs",
       "heldReadings", "rearmMs", to_timestamp("evaluatedAtMs" / 1000), to_timestamp("firedAtMs" / 1000),
       to_timestamp("resolvedAtMs" / 1000), extreme, recent
     FROM jsonb_to_recordset($1) AS s ("alertId" integer, side text, tier text, phase text, "isUnknown" boolean,
       "isArmed" boolean, "isAnnounced" boolean, version integer, "heldMs" bigint, "heldReadings" integer,
       "rearmMs" bigint, "evaluatedAtMs" float8, "firedAtMs" float8, "resolvedAtMs" float8, extreme float8,
       recent jsonb)
     ORDER BY "alertId", side, tier
     ON CONFLICT (alert_id, side, tier) DO UPDATE SET phase = excluded.phase, is_unknown = excluded.is_unknown,
       is_armed = excluded.is_armed, is_announced = excluded.is_announced, version = excluded.version,
       held_ms = excluded.held_ms, held_readings = excluded.held_readings, rearm_ms = excluded.rearm_ms,
       evaluated_at = excluded.evaluated_at, fired_at = excluded.fired_at, resolved_at = excluded.resolved_at,
       extreme = excluded.extreme, recent = excluded.recent`,
    [JSON.stringify(states)],
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
 * @returns the notifications, to be enqueued after the commit
 */
export async function insertEvents(
  tx: EntityManager,
  events: readonly NewAlertEvent[],
): Promise<{ id: string; channelId: number }[]> {
  if (events.length === 0) return [];
  return tx.query<{ id: string; channelId: number }[]>(
    `WITH event AS (
       INSERT INTO alert_events (public_id, alert_id, session_id, kind, side, tier, version, value, unit, measured_at,
         duration_seconds, extreme, change, detected_late)
       SELECT "publicId", "alertId", "sessionId", kind, side, tier, version, value, unit,
         to_timestamp("measuredAtMs" / 1000), "durationSeconds", extreme, change, "detectedLate"
       FROM ROWS FROM (jsonb_to_recordset($1) AS ("publicId" uuid, "alertId" integer, "sessionId" integer, kind text,
         side text, tier text, version integer, value float8, unit text, "measuredAtMs" float8,
         "durationSeconds" integer, extreme float8, change float8, "detectedLate" boolean)) WITH ORDINALITY AS e
       ORDER BY "alertId", ordinality
       RETURNING id, alert_id, kind, measured_at
     ), triggered AS (
       UPDATE temperature_alerts a SET last_triggered = greatest(a.last_triggered, f.measured_at), updated_at = now()
       FROM (SELECT alert_id, max(measured_at) AS measured_at FROM event WHERE kind = 'fired' GROUP BY alert_id) f
       WHERE a.id = f.alert_id
     )
     INSERT INTO notifications (id, alert_event_id, alert_id, channel_id, expires_at)
     SELECT gen_random_uuid(), event.id, event.alert_id, c.id, now() + CASE
       WHEN event.kind = 'fired' AND a.alert_type IN ('target', 'rising', 'falling') AND c.kind = ANY($2)
       THEN interval '30 minutes' ELSE interval '24 hours' END
     FROM event
     JOIN temperature_alerts a ON a.id = event.alert_id
     JOIN notification_channels c ON c.user_id = a.user_id AND c.is_active
     WHERE event.kind IN ('fired', 'resolved', 'repeated')
     ORDER BY event.id, c.id
     RETURNING id, channel_id AS "channelId"`,
    [JSON.stringify(events), PHONE_KINDS],
  );
}
