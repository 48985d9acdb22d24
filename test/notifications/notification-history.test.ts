import { expect } from 'chai';
import { v7 } from 'uuid';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
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
