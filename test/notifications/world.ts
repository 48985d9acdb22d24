import type { DataSource, EntityManager } from 'typeorm';
import { v4, v7 } from 'uuid';
import { createSecretBox } from '../../src/accounts/secret-box.js';
import { createDatabase } from '../../src/database.js';
import { AlertEvent } from '../../src/entities/alert-event.js';
import { AlertState } from '../../src/entities/alert-state.js';
import { Device } from '../../src/entities/device.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { Notification } from '../../src/entities/notification.js';
import type { ChannelKind } from '../../src/entities/notification-channel.js';
import { Probe } from '../../src/entities/probe.js';
import { type Severity, TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { User } from '../../src/entities/user.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { createOutbound } from '../../src/notifications/outbound.js';
import { createTestDatabase } from '../support/servers.js';

export const FIRED_AT = new Date('2026-11-21T20:59:58.000Z');

export const secretBox = createSecretBox([{ id: 'test', key: Buffer.alloc(32, 7) }]);
export const outbound = createOutbound({ allowPrivate: true });

/** A database of its own, with one user who has a device, two probes and a session. */
export async function startWorld() {
  const database = await createTestDatabase();
  const pool = { size: 2, maxOverflow: 8, recycleSeconds: 600, prePing: false, timeoutSeconds: 10 };
  const { dataSource, pool: counts } = createDatabase({
    url: database.url,
    pool: { ...pool, statementTimeoutMs: 10_000, logQueries: false },
  });
  await dataSource.initialize();
  const close = async () => {
    await dataSource.destroy();
    await database.drop();
  };
  return { dataSource, counts, close, ...(await seed(dataSource.manager)) };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

async function seed(db: EntityManager) {
  const user = await db.save(
    Object.assign(new User(), { publicId: v7(), email: 'cook@example.com', passwordHash: '!' }),
  );
  const deviceId = 'M100000001';
  await db.save(
    Object.assign(new Device(), {
      publicId: v7(),
      userId: user.id,
      deviceId,
      nickname: 'Brisket',
      status: 'online',
    }),
  );
  await db.save(Object.assign(new Probe(), { userId: user.id, deviceId, probeId: '2', label: 'Pit' }));
  await db.save(Object.assign(new Probe(), { userId: user.id, deviceId, probeId: '1', label: 'Point' }));
  const session = await db.save(
    Object.assign(new GrillingSession(), {
      publicId: v7(),
      userId: user.id,
      deviceId,
      name: 'Saturday',
      startTime: new Date('2026-11-21T10:00:00.000Z'),
    }),
  );
  return { user, deviceId, session };
}

export function addAlert({ dataSource, user, deviceId }: World): Promise<TemperatureAlert> {
  return dataSource.manager.save(
    Object.assign(new TemperatureAlert(), {
      publicId: v7(),
      userId: user.id,
      deviceId,
      probeId: '1',
      name: 'Brisket done',
      alertType: 'target',
      targetTemperature: 203,
      direction: 'up',
      temperatureUnit: 'F',
      severity: 'warning',
    }),
  );
}

export function addChannel(
  { dataSource, user }: World,
  kind: ChannelKind,
  url: string,
  secret: string | null = null,
) {
  const channels = new ChannelManager(dataSource.manager, { channels: CHANNELS, secretBox, outbound });
  return channels.create({ userId: user.id, kind, url, secret });
}

/**
 * The next event of an alert (without one: of an alert of its own, so that it waits for nothing) and its notification to
 * one channel, as ingest stores them. @returns the notification's id
 */
export async function addNotification(
  world: World,
  channelId: string,
  {
    minutes = 1440,
    alert,
    tier = 'warning',
  }: { minutes?: number; alert?: TemperatureAlert; tier?: Severity } = {},
): Promise<string> {
  const { dataSource, session } = world;
  const alertId = (alert ?? (await addAlert(world))).id;
  const key = { alertId, side: 'up', tier } as const;
  const version = 1 + (await dataSource.manager.countBy(AlertEvent, key));
  const event = await dataSource.manager.save(
    Object.assign(new AlertEvent(), {
      ...key,
      publicId: v7(),
      sessionId: session.id,
      kind: 'fired',
      version,
      value: 203.2,
      unit: 'F',
      measuredAt: FIRED_AT,
    }),
  );
  await dataSource.manager.save(Object.assign(new AlertState(), { ...key, phase: 'firing', version }));
  const id = v4();
  await dataSource.query(
    `INSERT INTO notifications (id, alert_event_id, alert_id, channel_id, expires_at)
     SELECT $1, $2, $5, id, now() + $4 * interval '1 minute' FROM notification_channels WHERE public_id = $3`,
    [id, event.id, channelId, minutes, alertId],
  );
  return id;
}

export function getNotification(dataSource: DataSource, id: string): Promise<Notification> {
  return dataSource.manager.findOneByOrFail(Notification, { id });
}
