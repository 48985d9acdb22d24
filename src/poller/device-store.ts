import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { groupBy } from '../group-by.js';
import { toHundredths } from '../readings/sample.js';
import { isTemperature, toCelsius } from '../readings/temperature.js';
import { endSessionsOf } from '../sessions/end-sessions.js';
import type { CloudChannel, CloudDevice } from '../thermoworks/types.js';
import { type KnownDevice, type KnownProbe, seenMark, shownAt } from './plan.js';

const ownerRow = z.object({ device_id: z.string(), user_id: z.number() });
const knownRow = z.object({
  id: z.number(),
  device_id: z.string(),
  is_active: z.boolean(),
  cloud_update_time: z.string().nullable(),
  channels_checked_at: z.date().nullable(),
  batteries_seen: z.array(z.array(z.tuple([z.number(), z.number(), z.number()])).nullable()).nullable(),
  probe: z.number().nullable(),
  probe_id: z.string().nullable(),
  state: z.enum(['ok', 'absent', 'disabled', 'fault', 'stale']).nullable(),
  last_value: z.number().nullable(),
  last_measured_at: z.date().nullable(),
  shown_at: z.date().nullable(),
  learned_interval_seconds: z.number().nullable(),
});
type KnownRow = z.infer<typeof knownRow>;

/** The user's devices and probes as stored, by serial; one statement. */
export async function loadKnown(
  db: DataSource | EntityManager,
  userId: number,
): Promise<Map<string, KnownDevice>> {
  const rows: unknown = await db.query(
    `SELECT d.id, d.device_id, d.is_active, d.cloud_update_time, d.channels_checked_at, b.batteries_seen, p.id AS probe,
       p.probe_id, p.state, p.last_value, p.last_measured_at, p.shown_at, p.learned_interval_seconds
     FROM devices d LEFT JOIN probes p ON p.device_id = d.device_id AND p.user_id = d.user_id
     LEFT JOIN (
       SELECT a.device_id, json_agg(s.recent) AS batteries_seen
       FROM temperature_alerts a JOIN alert_states s ON s.alert_id = a.id
       WHERE a.user_id = $1 AND a.alert_type = 'battery' AND a.is_active AND a.deleted_at IS NULL GROUP BY a.device_id
     ) b ON b.device_id = d.device_id
     WHERE d.user_id = $1 AND d.deleted_at IS NULL ORDER BY d.id, p.id`,
    [userId],
  );
  const devices = groupBy(z.array(knownRow).parse(rows), ({ device_id }) => device_id);
  return new Map([...devices].map(([deviceId, group]) => [deviceId, toKnown(deviceId, group)]));
}

function toKnown(deviceId: string, group: KnownRow[]): KnownDevice {
  const [row] = group;
  if (!row) throw new Error('a device without rows');
  return {
    id: row.id,
    deviceId,
    isActive: row.is_active,
    seenMark: row.cloud_update_time,
    channelsCheckedAt: row.channels_checked_at,
    batteriesSeen: row.batteries_seen ?? [],
    probes: group.flatMap(toKnownProbe),
  };
}

function toKnownProbe(row: KnownRow): KnownProbe[] {
  if (row.probe === null || row.probe_id === null || row.state === null) return [];
  return [
    {
      id: row.probe,
      probeId: row.probe_id,
      condition: row.state,
      lastValue: row.last_value,
      lastMeasuredAt: row.last_measured_at,
      shownAt: row.shown_at,
      learnedIntervalSeconds: row.learned_interval_seconds,
    },
  ];
}

/** A row of `devices` that another live account than that of `user` shows, or showed in its latest polls. */
const isHeld = (user: string) => `(devices.user_id <> ${user} AND devices.is_active AND EXISTS (
  SELECT FROM thermoworks_credentials c JOIN users u ON u.id = c.user_id
  WHERE c.user_id = devices.user_id AND u.deleted_at IS NULL))`;

/** Those of these serials that stay with another account. */
export async function serialsInUse(
  db: DataSource,
  userId: number,
  serials: readonly string[],
): Promise<Set<string>> {
  return serialsOf(
    await db.query(`SELECT device_id FROM devices WHERE device_id = ANY($1) AND ${isHeld('$2')}`, [
      serials,
      userId,
    ]),
  );
}

const serialsOf = (rows: unknown): Set<string> =>
  new Set(
    z
      .array(z.object({ device_id: z.string() }))
      .parse(rows)
      .map((row) => row.device_id),
  );

/** What one poll saw, to be stored. */
export interface Seen {
  userId: number;
  devices: readonly CloudDevice[];
  channels: readonly CloudChannel[];
  /** As {@link loadKnown} gave it before the channels were read. */
  before: ReadonlyMap<string, KnownDevice>;
  /** Serials whose wanted channels were all answered; a change of any other is still to be read. */
  readThrough: ReadonlySet<string>;
  /** Those of them that were asked for all of 1 to 9. */
  checked: ReadonlySet<string>;
  readTime: Date;
  /** A device is online while the cloud heard it within this time before `readTime`. */
  onlineWithinMs: (device: CloudDevice) => number;
}

/**
 * Stores devices and probes as the cloud shows them, and returns the user's rows. A serial that another live account
 * shows too stays there: such serials come back in `inUse`. Locks devices first, like everybody who writes probes.
 */
export async function storeSeen(
  tx: EntityManager,
  seen: Seen,
): Promise<{ known: Map<string, KnownDevice>; inUse: string[] }> {
  const rows: unknown = await tx.query(
    'SELECT device_id, user_id FROM devices WHERE device_id = ANY($1) OR user_id = $2 ORDER BY id FOR NO KEY UPDATE',
    [seen.devices.map(({ deviceId }) => deviceId), seen.userId],
  );
  const foreign = z
    .array(ownerRow)
    .parse(rows)
    .filter((row) => row.user_id !== seen.userId);
  const ours = await upsertDevices(tx, seen);
  const moved = foreign.filter((row) => ours.has(row.device_id));
  for (const [owner, rows] of groupBy(moved, ({ user_id }) => user_id)) {
    await endSessionsOf(
      tx,
      owner,
      rows.map((row) => row.device_id),
    );
  }
  await upsertProbes(
    tx,
    seen.userId,
    seen.channels.filter(({ deviceId }) => ours.has(deviceId)),
  );
  await countMissing(tx, seen);
  const inUse = seen.devices.map(({ deviceId }) => deviceId).filter((deviceId) => !ours.has(deviceId));
  return { known: await loadKnown(tx, seen.userId), inUse };
}

async function upsertDevices(tx: EntityManager, seen: Seen): Promise<Set<string>> {
  const channels = groupBy(seen.channels, ({ deviceId }) => deviceId);
  const records = seen.devices.map((device) => ({
    public_id: uuidv7(),
    user_id: seen.userId,
    device_id: device.deviceId,
    label: device.label,
    type: cut(device.type),
    model: cut(device.model),
    status: isOnline(device, seen) ? 'online' : 'offline',
    battery_percent: device.batteryPercent,
    signal_dbm: device.signalDbm,
    last_seen_at: device.lastSeenAt,
    last_telemetry_at: device.lastTelemetryAt,
    last_archive_at: device.lastArchiveAt,
    transmit_interval_seconds: device.transmitIntervalSeconds,
    recording_interval_seconds: device.recordingIntervalSeconds,
    iot_device_id: cut(device.iotDeviceId),
    gateway_id: cut(device.gatewayId),
    // Only what was read through counts as seen: else the change would be missed if this poll dies.
    cloud_update_time: seen.readThrough.has(device.deviceId)
      ? seenMark(
          device,
          channels.get(device.deviceId) ?? [],
          seen.before.get(device.deviceId)?.seenMark ?? null,
        )
      : null,
    channels_checked_at: seen.checked.has(device.deviceId) ? seen.readTime : null,
  }));
  const rows: unknown = await tx.query(
    `INSERT INTO devices (public_id, user_id, device_id, label, type, model, status, battery_percent, signal_dbm,
       last_seen_at, last_telemetry_at, last_archive_at, transmit_interval_seconds, recording_interval_seconds,
       cloud_update_time, channels_checked_at, iot_device_id, gateway_id)
     SELECT public_id, user_id, device_id, label, type, model, status, battery_percent, signal_dbm, last_seen_at,
       last_telemetry_at, last_archive_at, transmit_interval_seconds, recording_interval_seconds, cloud_update_time,
       channels_checked_at, iot_device_id, gateway_id
     FROM jsonb_populate_recordset(NULL::devices, $1) ORDER BY device_id
     ON CONFLICT (device_id) DO UPDATE SET user_id = excluded.user_id,
       nickname = CASE WHEN devices.user_id = excluded.user_id THEN devices.nickname END, label = excluded.label, type = excluded.type,
       model = excluded.model, status = excluded.status, battery_percent = excluded.battery_percent,
       signal_dbm = excluded.signal_dbm, last_seen_at = excluded.last_seen_at,
       last_telemetry_at = excluded.last_telemetry_at,
       last_archive_at = coalesce(excluded.last_archive_at, devices.last_archive_at),
       archives_due_at = CASE WHEN excluded.last_archive_at <> devices.last_archive_at OR
         (excluded.last_archive_at IS NOT NULL AND devices.last_archive_at IS NULL)
         THEN now() ELSE devices.archives_due_at END,
       transmit_interval_seconds = excluded.transmit_interval_seconds,
       recording_interval_seconds = excluded.recording_interval_seconds,
       iot_device_id = excluded.iot_device_id, gateway_id = excluded.gateway_id,
       cloud_update_time = coalesce(excluded.cloud_update_time, devices.cloud_update_time),
       channels_checked_at = coalesce(excluded.channels_checked_at, devices.channels_checked_at),
       missed_polls = 0, is_active = true, deleted_at = NULL, updated_at = now()
     WHERE NOT ${isHeld('excluded.user_id')}
     RETURNING device_id`,
    [JSON.stringify(records)],
  );
  return serialsOf(rows);
}

/** To the width of the columns of what is shown as the cloud says it; the cloud promises no length. */
function cut(text: string | null): string | null {
  return text && [...text].slice(0, 50).join('');
}

function isOnline(device: CloudDevice, { readTime, onlineWithinMs }: Seen): boolean {
  const heard = device.lastSeenAt ?? device.lastTelemetryAt;
  return heard !== null && readTime.getTime() - heard.getTime() <= onlineWithinMs(device);
}

async function upsertProbes(
  tx: EntityManager,
  userId: number,
  channels: readonly CloudChannel[],
): Promise<void> {
  if (channels.length === 0) return;
  const records = channels.map((channel) => ({
    device_id: channel.deviceId,
    probe_id: channel.probeId,
    label: channel.label,
    kind: channel.kind,
    unknown_unit: cut(channel.unknownUnit),
    shown_at: shownAt(channel),
    high_alarm_celsius: highAlarmCelsius(channel),
  }));
  await tx.query(
    `INSERT INTO probes (user_id, device_id, probe_id, label, kind, unknown_unit, shown_at, high_alarm_celsius)
     SELECT $2, device_id, probe_id, label, kind, unknown_unit, shown_at, high_alarm_celsius
     FROM jsonb_populate_recordset(NULL::probes, $1) ORDER BY device_id, probe_id
     ON CONFLICT (user_id, device_id, probe_id) DO UPDATE SET kind = excluded.kind,
       label = CASE WHEN probes.label_set_by_user THEN probes.label ELSE excluded.label END,
       unknown_unit = excluded.unknown_unit, shown_at = excluded.shown_at, high_alarm_celsius = excluded.high_alarm_celsius, updated_at = now()`,
    [JSON.stringify(records), userId],
  );
}

function highAlarmCelsius({ alarmHigh }: CloudChannel): number | null {
  if (!alarmHigh?.enabled || !isTemperature(alarmHigh.unit)) return null;
  return toCelsius(toHundredths(alarmHigh.value), alarmHigh.unit);
}

/** A device that is gone from the account for three polls in a row goes to rest; its history stays. */
async function countMissing(tx: EntityManager, { userId, devices }: Seen): Promise<void> {
  await tx.query(
    `UPDATE devices SET missed_polls = missed_polls + 1, is_active = missed_polls + 1 < 3,
       status = CASE WHEN missed_polls + 1 < 3 THEN status ELSE 'offline' END, updated_at = now()
     WHERE user_id = $1 AND device_id <> ALL($2) AND is_active`,
    [userId, devices.map(({ deviceId }) => deviceId)],
  );
}
