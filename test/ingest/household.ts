import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { createDatabase } from '../../src/database.js';
import { Device } from '../../src/entities/device.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { type ChannelKind, NotificationChannel } from '../../src/entities/notification-channel.js';
import { Probe } from '../../src/entities/probe.js';
import { SessionMember } from '../../src/entities/session-member.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { User } from '../../src/entities/user.js';
import type { JobSample, ReadingsJob } from '../../src/queues/jobs.js';
import { TEST_POOL } from '../support/pool-settings.js';
import { createTestDatabase } from '../support/servers.js';

export const T0 = Date.UTC(2026, 10, 21, 12);
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** A database of its own. `connect` makes another data source on it, as another process has. */
export async function openDatabase() {
  const { url, drop } = await createTestDatabase();
  const open: DataSource[] = [];
  const connect = async (to = url) => {
    const { dataSource } = createDatabase({ url: to, pool: { ...TEST_POOL, prePing: false } });
    open.push(dataSource);
    return dataSource.initialize();
  };
  const close = async () => {
    for (const dataSource of open) if (dataSource.isInitialized) await dataSource.destroy();
    await drop();
  };
  return { url, db: await connect(), connect, close };
}

/** One device with its owner and probes, numbered from 1 in the cloud; ids are rows. */
export interface Home {
  userId: number;
  device: number;
  deviceId: string;
  probes: number[];
}

let serials = 0;

export async function addHome(
  db: DataSource,
  {
    user = {},
    device = {},
    probes = [{}],
    userId,
  }: { user?: Partial<User>; device?: Partial<Device>; probes?: Partial<Probe>[]; userId?: number } = {},
): Promise<Home> {
  serials += 1;
  const deviceId = `M1${String(serials).padStart(8, '0')}`;
  const named = { publicId: uuidv7(), email: `cook${serials}@example.com` };
  const owner = userId ?? (await db.manager.save(User, { ...named, ...user })).id;
  const { id } = await db.manager.save(Device, { publicId: uuidv7(), userId: owner, deviceId, ...device });
  const rows = await db.manager.save(
    probes.map((probe, index) =>
      Object.assign(new Probe(), { userId: owner, deviceId, probeId: `${index + 1}`, ...probe }),
    ),
  );
  return { userId: owner, device: id, deviceId, probes: rows.map((row) => row.id) };
}

/** A session begun by hand, of the whole device, kept in `temperatureUnit`. @returns its row id */
export async function addSession(
  db: DataSource,
  home: Home,
  given: Partial<GrillingSession> = {},
): Promise<number> {
  const { userId, deviceId, probes } = home;
  const owned = { publicId: uuidv7(), userId, deviceId, sessionType: 'manual' as const };
  const { id } = await db.manager.save(
    Object.assign(new GrillingSession(), { ...owned, startTime: new Date(T0), ...given }),
  );
  await db.manager.save(
    probes.map((probeId) => Object.assign(new SessionMember(), { sessionId: id, probeId, role: 'food' })),
  );
  return id;
}

/** @returns its row id */
export async function addAlert(
  db: DataSource,
  { userId, deviceId }: Home,
  options: Record<string, unknown> & { probeId?: string } = { type: 'target', targetTemperature: 203 },
): Promise<number> {
  const { alert } = await db.transaction((tx) =>
    new AlertManager(tx).create(userId, { deviceId, probeId: '1', ...options }),
  );
  return (await db.manager.findOneByOrFail(TemperatureAlert, { publicId: alert.publicId })).id;
}

export async function addChannel(
  db: DataSource,
  userId: number,
  kind: ChannelKind,
  { isActive = true }: { isActive?: boolean } = {},
): Promise<number> {
  const row = { publicId: uuidv7(), userId, kind, config: {}, isActive };
  return (await db.manager.save(Object.assign(new NotificationChannel(), row))).id;
}

/** A job with samples by probe, each `[ms, value, unit = F, flags = 0]`. */
export function job(
  { device, probes }: Home,
  ...samples: [ms: number, value: JobSample[1], unit?: JobSample[2], flags?: number][][]
): ReadingsJob {
  return {
    version: 1,
    account: 1,
    previousPollMs: null,
    failedBetween: false,
    probes: samples.flatMap((list, index) =>
      list.length === 0
        ? []
        : [
            {
              device,
              probe: probes[index] ?? 0,
              samples: list.map(([ms, value, unit = 'F', flags = 0]): JobSample => [ms, value, unit, flags]),
            },
          ],
    ),
  };
}

/** All that ingest writes, as text, to be compared. */
const DUMPED = {
  readings: 'probe_id, measured_at',
  probes: 'id',
  grilling_sessions: 'id',
  session_members: 'session_id, probe_id',
  session_probe_stats: 'session_id, probe_id',
  session_tags: 'session_id, probe_id, tag_from',
  reading_gaps: 'id',
  detection_states: 'device_id',
  temperature_alerts: 'id',
  alert_states: 'alert_id, side, tier',
  alert_events: 'id',
  notifications: 'alert_event_id, channel_id',
};

/** Every row of those tables but when it was written last. */
export async function dump(db: DataSource): Promise<Record<string, unknown[]>> {
  const tables: Record<string, unknown[]> = {};
  for (const [table, order] of Object.entries(DUMPED)) {
    tables[table] = await db.query(
      `SELECT to_jsonb(t) - 'updated_at' - 'created_at' AS row FROM ${table} t ORDER BY ${order}`,
    );
  }
  return tables;
}

/** Readings as `[probe, ms, value, unit, flags]`, in order. */
export async function readingsOf(db: DataSource): Promise<[number, number, number, string, number][]> {
  const rows = await db.query<{ row: [number, number, number, string, number] }[]>(
    `SELECT jsonb_build_array(probe_id, (extract(epoch FROM measured_at) * 1000)::bigint, value, unit, flags) AS row
     FROM readings ORDER BY probe_id, measured_at`,
  );
  return rows.map(({ row }) => row);
}
