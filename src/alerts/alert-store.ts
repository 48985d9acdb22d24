import type { EntityManager } from 'typeorm';
import { arrayOf, epochMs, numbersOf } from '../array-literal.js';
import type { ChannelKind } from '../entities/notification-channel.js';
import { groupBy } from '../group-by.js';
import type { AlertRule, AlertState, AlertTransition } from './types.js';

/** Channels that make a phone ring: what they tell must be fresh. */
const PHONE_KINDS: ChannelKind[] = ['ntfy', 'slack', 'discord', 'telegram'];

/** An alert in force. */
export interface LoadedAlert {
  /** The probe (`probes.id`) that it watches; of a battery alert: the device, as minus `devices.id`. */
  probeId: number;
  publicId: string;
  rule: AlertRule;
  states: AlertState[];
}

/** An alert, with one of its states where it has any. */
interface AlertRow
  extends Pick<AlertRule, 'id' | 'type' | 'temperatureUnit' | 'direction' | 'severity'>,
    Pick<AlertState, 'tier' | 'phase' | 'isUnknown' | 'isArmed' | 'isAnnounced' | 'isMuted' | 'recent'> {
  probeId: number;
  publicId: string;
  /** Null: it has none. */
  side: AlertState['side'] | null;
  numbers: Numbers;
}

/** Of the rule and, where there is one, of the state, in the order of {@link NUMBERS}. */
type Numbers = [
  target: number | null,
  min: number | null,
  max: number | null,
  criticalMin: number | null,
  criticalMax: number | null,
  threshold: number | null,
  windowSeconds: number | null,
  recoverySeconds: number | null,
  holdSeconds: number,
  hysteresis: number,
  cooldownSeconds: number,
  version: number,
  heldMs: number,
  heldReadings: number,
  rearmMs: number,
  evaluatedMs: number | null,
  firedMs: number | null,
  resolvedMs: number | null,
  extreme: number | null,
  silenceMinutes: number | null,
  criticalSilenceMinutes: number | null,
  repeatSeconds: number,
  acknowledgedMs: number | null,
  snoozedUntilMs: number | null,
  toldMs: number | null,
  preAlertDifference: number | null,
  batteryPercent: number | null,
  criticalBatteryPercent: number | null,
];

const NUMBERS = numbersOf(
  'a.target_temperature',
  'a.min_temperature',
  'a.max_temperature',
  'a.critical_min_temperature',
  'a.critical_max_temperature',
  'a.threshold_value',
  'a.window_seconds',
  'a.recovery_seconds',
  'a.hold_seconds',
  'a.hysteresis',
  'a.cooldown_seconds',
  's.version',
  's.held_ms',
  's.held_readings',
  's.rearm_ms',
  epochMs('s.evaluated_at'),
  epochMs('s.fired_at'),
  epochMs('s.resolved_at'),
  's.extreme',
  'a.silence_minutes',
  'a.critical_silence_minutes',
  'a.repeat_seconds',
  epochMs('s.acknowledged_at'),
  epochMs('s.snoozed_until'),
  epochMs('s.told_at'),
  'a.pre_alert_difference',
  'a.battery_percent',
  'a.critical_battery_percent',
);

/**
 * The alerts in force on these probes (`probes.id`), and on these devices (`devices.id`) as a whole, in order of their
 * ids. One statement.
 */
export async function loadAlerts(
  tx: EntityManager,
  probeIds: readonly number[],
  deviceRows: readonly number[] = [],
): Promise<LoadedAlert[]> {
  if (probeIds.length + deviceRows.length === 0) return [];
  const rows = await tx.query<AlertRow[]>(
    `${select('p.id', 'probes p JOIN temperature_alerts a USING (user_id, device_id, probe_id)')}
       AND p.id = ANY($1::integer[])
     UNION ALL
     ${select('-d.id', 'devices d JOIN temperature_alerts a USING (user_id, device_id)')}
       AND d.id = ANY($2::integer[]) AND a.probe_id IS NULL AND a.alert_type = 'battery'
     ORDER BY id, side, tier`,
    [arrayOf(probeIds), arrayOf(deviceRows)],
  );
  return [...groupBy(rows, ({ id }) => id).values()].map(toAlert);
}

const select = (watched: string, alerts: string): string =>
  `SELECT ${watched} AS "probeId", a.public_id AS "publicId", a.id, a.alert_type AS type,
     a.temperature_unit AS "temperatureUnit", a.direction, a.severity, s.side, s.tier, s.phase,
     s.is_unknown AS "isUnknown", s.is_armed AS "isArmed", s.is_announced AS "isAnnounced",
     s.is_muted AS "isMuted", s.recent,
     ${NUMBERS} AS numbers
   FROM ${alerts} JOIN users u ON u.id = a.user_id
   LEFT JOIN alert_states s ON s.alert_id = a.id
   WHERE a.is_active AND a.deleted_at IS NULL AND u.deleted_at IS NULL`;

function toAlert(rows: AlertRow[]): LoadedAlert {
  const [row] = rows;
  if (!row) throw new Error('an alert without rows');
  const { probeId, publicId, numbers } = row;
  const rule = {
    id: row.id,
    type: row.type,
    temperatureUnit: row.temperatureUnit,
    direction: row.direction,
    severity: row.severity,
    targetTemperature: numbers[0],
    minTemperature: numbers[1],
    maxTemperature: numbers[2],
    criticalMinTemperature: numbers[3],
    criticalMaxTemperature: numbers[4],
    thresholdValue: numbers[5],
    windowSeconds: numbers[6],
    recoverySeconds: numbers[7],
    holdSeconds: numbers[8],
    hysteresis: numbers[9],
    cooldownSeconds: numbers[10],
    silenceMinutes: numbers[19],
    criticalSilenceMinutes: numbers[20],
    repeatSeconds: numbers[21],
    preAlertDifference: numbers[25],
    batteryPercent: numbers[26],
    criticalBatteryPercent: numbers[27],
  };
  return { probeId, publicId, rule, states: rows.flatMap(toState) };
}

function toState({ side, numbers, ...row }: AlertRow): AlertState[] {
  if (side === null) return [];
  const state = {
    alertId: row.id,
    side,
    tier: row.tier,
    phase: row.phase,
    isUnknown: row.isUnknown,
    isArmed: row.isArmed,
    isAnnounced: row.isAnnounced,
    version: numbers[11],
    heldMs: numbers[12],
    heldReadings: numbers[13],
    rearmMs: numbers[14],
    evaluatedAtMs: numbers[15],
    firedAtMs: numbers[16],
    resolvedAtMs: numbers[17],
    extreme: numbers[18],
    recent: row.recent,
    acknowledgedAtMs: numbers[22],
    snoozedUntilMs: numbers[23],
    toldAtMs: numbers[24],
    isMuted: row.isMuted,
  };
  return [state];
}

/** Stores states, by key order. One statement. */
export async function saveStates(tx: EntityManager, states: readonly AlertState[]): Promise<void> {
  if (states.length === 0) return;
  const column = (pick: (state: AlertState) => number | boolean | string | null) => arrayOf(states.map(pick));
  await tx.query(
    `INSERT INTO alert_states (alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms,
       held_readings, rearm_ms, evaluated_at, fired_at, resolved_at, extreme, recent, acknowledged_at, snoozed_until, told_at,
       is_muted)
     SELECT alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms, held_readings, rearm_ms,
       to_timestamp(evaluated_ms / 1000), to_timestamp(fired_ms / 1000), to_timestamp(resolved_ms / 1000), extreme, recent,
       to_timestamp(acknowledged_ms / 1000), to_timestamp(snoozed_ms / 1000), to_timestamp(told_ms / 1000), is_muted
     FROM unnest($1::integer[], $2::varchar[], $3::varchar[], $4::varchar[], $5::boolean[], $6::boolean[], $7::boolean[],
       $8::integer[], $9::bigint[], $10::integer[], $11::bigint[], $12::float8[], $13::float8[], $14::float8[],
       $15::float8[], $16::jsonb[], $17::float8[], $18::float8[], $19::float8[], $20::boolean[])
       AS s (alert_id, side, tier, phase, is_unknown, is_armed, is_announced, version, held_ms, held_readings, rearm_ms,
         evaluated_ms, fired_ms, resolved_ms, extreme, recent, acknowledged_ms, snoozed_ms, told_ms, is_muted)
     ORDER BY alert_id, side, tier
     ON CONFLICT (alert_id, side, tier) DO UPDATE SET phase = excluded.phase, is_unknown = excluded.is_unknown,
       is_armed = excluded.is_armed, is_announced = excluded.is_announced, version = excluded.version,
       held_ms = excluded.held_ms, held_readings = excluded.held_readings, rearm_ms = excluded.rearm_ms,
       evaluated_at = excluded.evaluated_at, fired_at = excluded.fired_at, resolved_at = excluded.resolved_at,
       extreme = excluded.extreme, recent = excluded.recent, acknowledged_at = excluded.acknowledged_at,
       snoozed_until = excluded.snoozed_until, told_at = excluded.told_at, is_muted = excluded.is_muted`,
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
         duration_seconds, extreme, change, detected_late, is_muted)
       SELECT "publicId", "alertId", "sessionId", kind, side, tier, version, value, unit,
         to_timestamp("measuredAtMs" / 1000), "durationSeconds", extreme, change, "detectedLate", "isMuted"
       FROM ROWS FROM (jsonb_to_recordset($1) AS ("publicId" uuid, "alertId" integer, "sessionId" integer, kind text,
         side text, tier text, version integer, value float8, unit text, "measuredAtMs" float8,
         "durationSeconds" integer, extreme float8, change float8, "detectedLate" boolean,
         "isMuted" boolean)) WITH ORDINALITY AS e
       ORDER BY "alertId", ordinality
       RETURNING id, alert_id, kind, measured_at, is_muted
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
     WHERE event.kind IN ('fired', 'resolved', 'repeated') AND NOT event.is_muted
     ORDER BY event.id, c.id
     RETURNING id, channel_id AS "channelId"`,
    [JSON.stringify(events), PHONE_KINDS],
  );
}
