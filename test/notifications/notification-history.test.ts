import { expect } from 'chai';
import { v7 } from 'uuid';
import { AlertEvent } from '../../src/entities/alert-event.js';
import type { AlertSide } from '../../src/entities/alert-state.js';
import { Notification } from '../../src/entities/notification.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { type Severity, TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { NotificationHistory } from '../../src/notifications/notification-history.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { failureOf } from '../support/failure-of.js';
import { type Receiver, startReceiver } from './receiver.js';
import {
  addAlert,
  addChannel,
  addNotification,
  getNotification,
  outbound,
  secretBox,
  startWorld,
  type World,
} from './world.js';

describe('NotificationHistory', () => {
  let world: World;
  let receiver: Receiver;
  let history: NotificationHistory;
  let manager: NotificationManager;
  let channelId: string;

  before(async () => {
    world = await startWorld();
    receiver = await startReceiver();
    history = new NotificationHistory(world.dataSource.manager);
    manager = new NotificationManager(world.dataSource.manager);
  });
  beforeEach(async () => {
    receiver.received.length = 0;
    receiver.answer = (response) => response.writeHead(204).end();
    ({ id: channelId } = await addChannel(world, 'webhook', `${receiver.url}/in`));
  });
  afterEach(() => world.dataSource.manager.deleteAll(NotificationChannel));
  after(async () => {
    await world.close();
    await receiver.close();
  });

  const deliver = (id: string) =>
    createDeliverer({
      dataSource: world.dataSource,
      channels: CHANNELS,
      secretBox,
      outbound,
      random: () => 0.5,
    })(id);
  const set = (id: string, assignments: string) =>
    world.dataSource.query(`UPDATE notifications SET ${assignments} WHERE id = $1`, [id]);
  const row = (id: string) => getNotification(world.dataSource, id);

  it('lists the newest first, of one user or all, in one state or any, so many at most', async () => {
    const event = await addNotification(world, channelId);
    await set(event, "created_at = now() - interval '1 minute', status = 'failed'");
    const test = await manager.createChannelTest(channelId);
    const listed = await history.list({ limit: 10 });
    expect(listed.map(({ id, subject }) => [id, subject])).to.deep.equal([
      [test, 'channel.test'],
      [event, 'alert.fired'],
    ]);
    expect(listed[0]).to.include({ email: 'cook@example.com', channel_id: channelId, subject_id: channelId });
    expect(listed[1]).to.include({ kind: 'webhook', status: 'failed', attempts: 0, next_attempt_at: null });
    const ids = async (filter: Parameters<NotificationHistory['list']>[0]) =>
      (await history.list(filter)).map(({ id }) => id);
    expect(await ids({ limit: 1 })).to.deep.equal([test]);
    expect(await ids({ limit: 10, status: 'failed' })).to.deep.equal([event]);
    expect(await ids({ limit: 10, userId: world.user.id })).to.deep.equal([test, event]);
    expect(await ids({ limit: 10, userId: world.user.id + 1 })).to.deep.equal([]);
  });

  it('says which alert it is about, by its name or its type and limit', async () => {
    const alert = await addAlert(world);
    const shown = async (
      change: Partial<TemperatureAlert>,
      tier: Severity = 'warning',
      side: AlertSide = 'up',
    ) => {
      await world.dataSource.manager.update(TemperatureAlert, { id: alert.id }, change);
      const id = await addNotification(world, channelId, { alert, tier });
      const event = await world.dataSource.manager.findOneByOrFail(Notification, { id });
      await world.dataSource.manager.update(AlertEvent, { id: event.alertEventId ?? 0 }, { side });
      const { alert: name, device_id, probe_id } = await history.get(id);
      return [name, device_id, probe_id];
    };
    const there = [world.deviceId, '1'];
    expect(await shown({})).to.deep.equal(['Brisket done', ...there]);
    expect(await shown({ name: null })).to.deep.equal(['target 203 °F', ...there]);
    const range = { alertType: 'range', minTemperature: 225, criticalMaxTemperature: 300.5 } as const;
    expect(await shown({ ...range }, 'critical', 'high')).to.deep.equal(['range above 300.5 °F', ...there]);
    expect(await shown({}, 'critical', 'low')).to.deep.equal(['range below 225 °F', ...there]);
    const rising = { alertType: 'rising', thresholdValue: 27, windowSeconds: 600 } as const;
    expect(await shown({ ...rising })).to.deep.equal(['rising 27 °F in 600 s', ...there]);
    const silent = { alertType: 'no_data', silenceMinutes: 20, criticalSilenceMinutes: 60 } as const;
    expect(await shown({ ...silent })).to.deep.equal(['no data 20 min', ...there]);
    expect(await shown({}, 'critical')).to.deep.equal(['no data 60 min', ...there]);
    const pulled = { alertType: 'probe_removed', thresholdValue: null } as const;
    expect(await shown({ ...pulled })).to.deep.equal(['probe removed', ...there]);
    const battery = { alertType: 'battery', batteryPercent: 20, probeId: null } as const;
    expect(await shown({ ...battery })).to.deep.equal(['battery 20 %', world.deviceId, null]);
    const test = await manager.createChannelTest(channelId);
    expect(await history.get(test)).to.include({ alert: null, device_id: null, probe_id: null });
  });

  it('keeps every attempt', async () => {
    const id = await addNotification(world, channelId);
    receiver.answer = (response) => response.writeHead(500).end();
    await deliver(id);
    await set(id, 'next_attempt_at = now()');
    receiver.answer = (response) => response.writeHead(200).end();
    await deliver(id);
    expect(
      (await history.attempts(id)).map(({ attempt, statusCode }) => [attempt, statusCode]),
    ).to.deep.equal([
      [1, 500],
      [2, 200],
    ]);
    expect(await history.get(id)).to.include({ status: 'delivered', attempts: 2 });
  });

  for (const status of ['delivered', 'failed', 'expired']) {
    it(`sends what is ${status} again: the same id, a day’s time, the waits of a new one`, async () => {
      const id = await addNotification(world, channelId, { minutes: 30 });
      await set(
        id,
        `status = '${status}', attempts = 9, expires_at = now() - interval '1 hour', last_error = 'x', delivered_at = now()`,
      );
      await history.replay(id);
      const again = await row(id);
      expect(again).to.include({ status: 'pending', attempts: 9, lastError: null, deliveredAt: null });
      expect(again.expiresAt.getTime() - again.updatedAt.getTime()).to.equal(86_400_000);
      receiver.answer = (response) => response.writeHead(500).end();
      expect(await deliver(id)).to.deep.equal({ id, inMs: 2_000 });
      await set(id, 'next_attempt_at = now()');
      expect(await deliver(id)).to.deep.equal({ id, inMs: 8_000 });
      await set(id, 'next_attempt_at = now()');
      receiver.answer = (response) => response.writeHead(204).end();
      await deliver(id);
      expect(await row(id)).to.include({ status: 'delivered', attempts: 12 });
      expect(receiver.received.map(({ headers }) => headers['webhook-id'])).to.deep.equal([id, id, id]);
    });
  }

  it('neither waits behind what happens now nor holds it up', async () => {
    const alert = await addAlert(world);
    const ids = [];
    for (let index = 0; index < 3; index++) ids.push(await addNotification(world, channelId, { alert }));
    const [first = '', second = '', third = ''] = ids;
    await deliver(first);
    await history.replay(first);
    expect(await manager.claim(second), 'behind a replay').to.include({ id: second, sequence: 2 });
    await set(second, "status = 'failed', lease_until = NULL");
    expect(await manager.nextAfter(second)).to.equal(third);
    await set(first, "status = 'delivered'");
    await history.replay(second);
    await set(first, "status = 'pending', replayed_after = NULL");
    expect(await manager.claim(second), 'a replay behind another').to.include({ id: second, sequence: 2 });
    expect(await manager.claim(third), 'behind one that happens now').to.equal(undefined);
  });

  it('refuses what has not ended, what goes to a channel that is off, and what is not there', async () => {
    const id = await addNotification(world, channelId);
    const pending = await failureOf(history.replay(id));
    expect(pending).to.be.instanceOf(InputError);
    expect(pending).to.match(/still pending: its next attempt is at 20\d\d-/);
    await set(id, "status = 'failed'");
    await world.dataSource.manager.update(NotificationChannel, { publicId: channelId }, { isActive: false });
    const off = await failureOf(history.replay(id));
    expect(off).to.be.instanceOf(InputError);
    expect(off).to.match(new RegExp(`channel ${channelId} is switched off`));
    expect(await row(id)).to.include({ status: 'failed', replayedAfter: null });
    const test = await manager.createChannelTest(channelId);
    await deliver(test);
    await world.dataSource.manager.update(NotificationChannel, { publicId: channelId }, { isActive: false });
    await history.replay(test);
    for (const other of [v7(), channelId, 'no-id'])
      expect(await failureOf(history.replay(other)), other).to.be.instanceOf(NotFoundError);
  });
});
