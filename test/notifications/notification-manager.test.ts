import { expect } from 'chai';
import { v7 } from 'uuid';
import { Notification, type NotificationStatus } from '../../src/entities/notification.js';
import { NotificationAttempt } from '../../src/entities/notification-attempt.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { NotFoundError } from '../../src/errors.js';
import { type Attempt, NotificationManager } from '../../src/notifications/notification-manager.js';
import { waitFor } from '../support/wait-for.js';
import {
  addAlert,
  addChannel,
  addNotification,
  FIRED_AT,
  getNotification,
  startWorld,
  type World,
} from './world.js';

const DELIVERED: Attempt = {
  outcome: 'delivered',
  startedAt: FIRED_AT,
  statusCode: 204,
  latencyMs: 12,
  receipt: 'r1',
  error: null,
};
const FAILED: Attempt = {
  ...DELIVERED,
  outcome: 'failed',
  statusCode: 500,
  receipt: null,
  error: 'the receiver answered 500',
};

/** However slow the machine is. */
const PATIENT =
  'SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0';

describe('NotificationManager', () => {
  let world: World;
  let manager: NotificationManager;
  let channelId: string;

  before(async () => {
    world = await startWorld();
    manager = new NotificationManager(world.dataSource.manager);
  });
  beforeEach(async () => {
    ({ id: channelId } = await addChannel(world, 'webhook', 'http://127.0.0.1:9/'));
  });
  afterEach(async () => {
    await world.dataSource.manager.deleteAll(NotificationChannel);
    await world.dataSource.query('UPDATE users SET is_active = true, deleted_at = NULL');
  });
  after(() => world.close());

  const addHook = async () => (await addChannel(world, 'webhook', 'http://127.0.0.1:9/other')).id;
  const set = (id: string, assignments: string) =>
    world.dataSource.query(`UPDATE notifications SET ${assignments} WHERE id = $1`, [id]);
  const channel = () =>
    world.dataSource.manager.findOneByOrFail(NotificationChannel, { publicId: channelId });
  const rows = () => world.dataSource.manager.find(Notification, { order: { id: 'ASC' } });
  const attempts = (notificationId: string) =>
    world.dataSource.manager.find(NotificationAttempt, { where: { notificationId }, order: { id: 'ASC' } });

  describe('claim', () => {
    it('takes a pending notification with all that its message says', async () => {
      const id = await addNotification(world, channelId);
      const claimed = await manager.claim(id);
      expect(claimed?.channel?.publicId).to.equal(channelId);
      expect(claimed?.channel?.user?.email).to.equal('cook@example.com');
      expect(claimed?.alertEvent?.alert?.name).to.equal('Brisket done');
      expect(claimed?.alertEvent?.alert?.device?.probes).to.have.lengthOf(2);
      expect(claimed?.alertEvent?.session?.name).to.equal('Saturday');
      expect(claimed?.alertEvent?.measuredAt).to.deep.equal(FIRED_AT);
    });

    it('gives it to one of many who ask at once', async () => {
      const id = await addNotification(world, channelId);
      const claims = await Promise.all(Array.from({ length: 8 }, () => manager.claim(id)));
      expect(claims.filter((claimed) => claimed !== undefined)).to.have.lengthOf(1);
    });

    it('gives it to another when the lease of the first has passed', async () => {
      const id = await addNotification(world, channelId);
      await manager.claim(id);
      await set(id, "lease_until = lease_until - interval '14 seconds'");
      expect(await manager.claim(id)).to.equal(undefined);
      await set(id, "lease_until = now() - interval '1 ms'");
      expect(await manager.claim(id)).to.include({ id });
    });

    it('waits for the time of the next attempt', async () => {
      const id = await addNotification(world, channelId);
      await set(id, "next_attempt_at = now() + interval '1500 ms'");
      expect(await manager.claim(id)).to.equal(undefined);
      await set(id, "next_attempt_at = now() + interval '100 ms'");
      expect(await manager.claim(id)).to.include({ id });
    });

    for (const status of ['delivered', 'failed', 'expired']) {
      it(`leaves what is ${status}`, async () => {
        const id = await addNotification(world, channelId);
        await set(id, `status = '${status}'`);
        expect(await manager.claim(id)).to.equal(undefined);
        expect(await getNotification(world.dataSource, id)).to.include({ status, leaseUntil: null });
      });
    }

    it('knows nothing of an id that is not there', async () => {
      expect(await manager.claim(v7())).to.equal(undefined);
    });

    for (const [lifetime, status] of [
      ['30 minutes', 'expired'],
      ['24 hours', 'failed'],
    ])
      it(`lets go of what is too late: after ${lifetime} it has ${status}`, async () => {
        const id = await addNotification(world, channelId);
        // Not at this very moment: the columns are rounded to milliseconds, up as well as down.
        const before = "now() - interval '1 second'";
        await set(id, `expires_at = ${before}, created_at = ${before} - interval '${lifetime}'`);
        expect(await manager.claim(id)).to.equal(undefined);
        expect(await getNotification(world.dataSource, id)).to.include({ status });
      });

    const off = [
      'notification_channels SET is_active = false',
      'users SET is_active = false',
      'users SET deleted_at = now()',
    ];
    for (const change of off) {
      it(`tells nobody after ${change}`, async () => {
        const id = await addNotification(world, channelId);
        await world.dataSource.query(`UPDATE ${change}`);
        expect(await manager.claim(id)).to.equal(undefined);
        const row = await getNotification(world.dataSource, id);
        expect(row).to.include({ status: 'failed', lastError: 'the channel or its owner is switched off' });
      });
    }
  });

  describe('the order of one alert over one channel', () => {
    const row = (id: string) => getNotification(world.dataSource, id);
    let alert: Awaited<ReturnType<typeof addAlert>>;
    let add: () => Promise<string>;

    beforeEach(async () => {
      alert = await addAlert(world);
      add = () => addNotification(world, channelId, { alert });
    });

    const ends: [string, (id: string) => Promise<unknown>][] = [
      ['was delivered', (id) => manager.markDelivered(id, DELIVERED)],
      ['failed for good', (id) => manager.markFailed(id, FAILED, { waitMs: null, disable: false })],
      ['was given up', (id) => manager.markFailed(id, FAILED, { waitMs: 86_400_001, disable: false })],
    ];
    for (const [what, end] of ends)
      it(`the second is not taken before the first ${what}`, async () => {
        const [first, second, third] = [await add(), await add(), await add()];
        expect(await manager.claim(second)).to.equal(undefined);
        expect(await manager.claim(first)).to.include({ id: first, sequence: 1 });
        expect(await manager.claim(second), 'while the first is sent').to.equal(undefined);
        await manager.markFailed(first, FAILED, { waitMs: 0, disable: false });
        expect(await manager.claim(second), 'while the first waits').to.equal(undefined);
        expect(await manager.nextAfter(first)).to.equal(undefined);
        await end(first);
        expect(await manager.nextAfter(first)).to.equal(second);
        expect(await manager.claim(third)).to.equal(undefined);
        expect(await manager.claim(second)).to.include({ id: second, sequence: 2 });
      });

    it('other alerts and other channels do not wait', async () => {
      await add();
      const other = await addChannel(world, 'webhook', 'http://127.0.0.1:9/other');
      const elsewhere = await addNotification(world, other.id, { alert });
      const another = await addNotification(world, channelId);
      const test = await manager.createChannelTest(channelId);
      for (const id of [elsewhere, another, test]) expect(await manager.claim(id)).to.include({ id });
    });

    it('of all who ask at once for any of them only one gets one, the first', async () => {
      const ids = [await add(), await add(), await add()];
      const asked = Array.from({ length: 12 }, (_, index) => ids[2 - (index % 3)] ?? '');
      const claims = await Promise.all(asked.map((id) => manager.claim(id)));
      expect(claims.flatMap((claimed) => claimed?.id ?? [])).to.deep.equal([ids[0]]);
    });

    it('who asked in vain just before the end is named after it', async () => {
      const [first, second] = [await add(), await add()];
      await world.dataSource.transaction(async (tx) => {
        await new NotificationManager(tx).markDelivered(first, DELIVERED);
        expect(await manager.claim(second)).to.equal(undefined);
      });
      expect(await manager.nextAfter(first)).to.equal(second);
    });

    it('what is too late, or goes to nobody, ends without waiting for its turn', async () => {
      const [first, second, third] = [await add(), await add(), await add()];
      await set(second, "expires_at = now() - interval '1 second'");
      expect(await manager.claim(second)).to.equal(undefined);
      expect(await row(second)).to.include({ status: 'expired', attempts: 0 });
      expect(await manager.nextAfter(second)).to.equal(first);
      await world.dataSource.query('UPDATE notification_channels SET is_active = false');
      expect(await manager.claim(third)).to.equal(undefined);
      expect(await row(third)).to.include({ status: 'failed' });
    });

    it('what waits uses up no place among those that are due, until it is too late', async () => {
      const first = await add();
      const waiting = [await add(), await add(), await add()];
      const free = await addNotification(world, channelId);
      for (const id of [...waiting, free]) await set(id, "updated_at = now() - interval '1 minute'");
      for (const id of waiting) await set(id, "next_attempt_at = now() - interval '2 minutes'");
      expect(await manager.dueIds(1)).to.deep.equal([free]);
      await set(waiting[1] ?? '', "expires_at = now() - interval '1 second'");
      expect(await manager.dueIds(10)).to.deep.equal([waiting[1]]);
      await manager.markDelivered(first, DELIVERED);
      expect(await manager.dueIds(10)).to.deep.equal([waiting[0]]);
    });

    it('counts the events of all sides and tiers together', async () => {
      const sequences = [];
      for (const tier of ['warning', 'critical', 'critical', 'warning', 'critical'] as const) {
        const id = await addNotification(world, channelId, { alert, tier });
        sequences.push((await manager.claim(id))?.sequence);
        await manager.markDelivered(id, DELIVERED);
      }
      expect(sequences).to.deep.equal([1, 2, 3, 4, 5]);
      expect(await manager.claim(await manager.createChannelTest(channelId))).to.include({ sequence: null });
    });
  });

  it('release gives back without counting an attempt', async () => {
    const id = await addNotification(world, channelId);
    await manager.claim(id);
    await manager.release(id, 60_000);
    expect(await getNotification(world.dataSource, id)).to.include({
      leaseUntil: null,
      attempts: 0,
      status: 'pending',
    });
    expect(await manager.claim(id)).to.equal(undefined);
    await manager.release(id, 0);
    expect(await manager.claim(id)).to.include({ id });
  });

  it('markDelivered keeps the receipt, once', async () => {
    const id = await addNotification(world, channelId);
    expect(await manager.markDelivered(id, DELIVERED)).to.equal('delivered');
    const row = await getNotification(world.dataSource, id);
    expect(row).to.include({ status: 'delivered', attempts: 1, lastError: null });
    expect(row.deliveredAt).to.be.instanceOf(Date);
    expect((await channel()).lastDeliveredAt).to.deep.equal(row.deliveredAt);
    expect(await channel()).to.include({ lastProvenAt: null });
    expect((await attempts(id))[0]).to.deep.include({ ...DELIVERED, attempt: 1 });
    await manager.markFailed(id, FAILED, { waitMs: 1_000, disable: true });
    expect(await getNotification(world.dataSource, id)).to.deep.equal(row);
    expect(await attempts(id)).to.have.lengthOf(1);
    expect(await channel()).to.include({ isActive: true });
  });

  describe('markFailed', () => {
    it('sets the time of the next attempt, by the database’s clock', async () => {
      const id = await addNotification(world, channelId);
      await manager.claim(id);
      expect(await manager.markFailed(id, FAILED, { waitMs: 8_000, disable: false })).to.equal('pending');
      const row = await getNotification(world.dataSource, id);
      expect(row).to.include({ status: 'pending', attempts: 1, lastError: FAILED.error, leaseUntil: null });
      expect(row.nextAttemptAt.getTime() - row.updatedAt.getTime()).to.equal(8_000);
      expect((await attempts(id)).map(({ attempt, outcome }) => ({ attempt, outcome }))).to.deep.equal([
        { attempt: 1, outcome: 'failed' },
      ]);
      expect(await channel()).to.include({ isActive: true, lastError: FAILED.error, lastDeliveredAt: null });
    });

    it('ends at once without a next attempt', async () => {
      const id = await addNotification(world, channelId);
      expect(await manager.markFailed(id, FAILED, { waitMs: null, disable: false })).to.equal('failed');
      expect(await channel()).to.include({ isActive: true });
    });

    it('switches the channel off when its receiver is gone', async () => {
      const id = await addNotification(world, channelId);
      await manager.markFailed(id, FAILED, { waitMs: null, disable: true });
      expect(await channel()).to.include({ isActive: false });
    });

    describe('with other channels', () => {
      const about = () => world.dataSource.manager.findBy(Notification, { subject: 'channel.disabled' });
      const isActive = async (publicId: string) =>
        (await world.dataSource.manager.findOneByOrFail(NotificationChannel, { publicId })).isActive;
      const switchOff = (publicId: string) =>
        world.dataSource.manager.update(NotificationChannel, { publicId }, { isActive: false });

      it('tells each active one that this one is off, at the relay’s next round', async () => {
        const [second, third] = [await addHook(), await addHook()];
        await switchOff(third);
        const id = await addNotification(world, channelId);
        await manager.markFailed(id, FAILED, { waitMs: null, disable: true });
        const [warning, ...more] = await about();
        expect(more).to.deep.equal([]);
        expect(warning).to.include({ subjectId: channelId, status: 'pending', alertEventId: null });
        expect(await manager.dueIds(10)).to.deep.equal([warning?.id]);
        const claimed = await manager.claim(warning?.id ?? '');
        expect(claimed?.channel?.publicId).to.equal(second);
        expect(claimed?.disabled).to.include({
          publicId: channelId,
          isActive: false,
          lastError: FAILED.error,
        });
      });

      it('tells nobody of a channel that was off, of an attempt of a done notification, of one that may work again', async () => {
        await addHook();
        const [done, retried, late] = [
          await addNotification(world, channelId),
          await addNotification(world, channelId),
          await addNotification(world, channelId),
        ];
        await manager.markDelivered(done, DELIVERED);
        await manager.markFailed(done, FAILED, { waitMs: null, disable: true });
        await manager.markFailed(retried, FAILED, { waitMs: 1_000, disable: false });
        expect(await isActive(channelId)).to.equal(true);
        await switchOff(channelId);
        await manager.markFailed(late, FAILED, { waitMs: null, disable: true });
        expect(await about()).to.deep.equal([]);
      });

      it('switches it off for less than a receiver that is gone only while there is another', async () => {
        const second = await addHook();
        const end = { waitMs: null, disable: 'unless_last' } as const;
        await manager.markFailed(await addNotification(world, channelId), FAILED, end);
        await manager.markFailed(await addNotification(world, second), FAILED, end);
        expect([await isActive(channelId), await isActive(second)]).to.deep.equal([false, true]);
        expect(await about()).to.have.lengthOf(1);
      });

      it('leaves one on, and warns once, however many fail at once', async () => {
        const channels = [channelId, await addHook(), await addHook()];
        const ids = [];
        for (const one of [...channels, ...channels]) ids.push(await addNotification(world, one));
        const end = { waitMs: null, disable: 'unless_last' } as const;
        const holder = world.dataSource.createQueryRunner();
        await holder.startTransaction();
        await holder.query('SELECT FROM notification_channels FOR UPDATE');
        await holder.query(PATIENT);
        const fail = (id: string) =>
          world.dataSource.transaction(async (tx) => {
            await tx.query(PATIENT);
            await new NotificationManager(tx).markFailed(id, FAILED, end);
          });
        const ends = Promise.all(ids.map(fail));
        // All have begun, with the same view of what is on, before the first may end.
        await waitFor(
          async () => {
            const waiting = await world.dataSource.query(
              "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            );
            return waiting.length === ids.length;
          },
          { what: 'all to wait for the channels' },
        );
        await holder.rollbackTransaction();
        await holder.release();
        await ends;
        expect((await Promise.all(channels.map(isActive))).filter((on) => on)).to.have.lengthOf(1);
        // The first to go is told over two, the second over the one that is left.
        expect(await about()).to.have.lengthOf(3);
        expect(new Set((await about()).map(({ subjectId }) => subjectId)).size).to.equal(2);
      });
    });

    const ends: [number, number, NotificationStatus][] = [
      [1440, 3_600_000, 'pending'],
      [1440, 86_399_000, 'pending'],
      [1440, 86_401_000, 'failed'],
      [30, 1_799_000, 'pending'],
      [30, 1_801_000, 'expired'],
    ];
    for (const [minutes, waitMs, status] of ends) {
      it(`leaves ${status} what lives ${minutes} min and would be tried again after ${waitMs / 1000} s`, async () => {
        const id = await addNotification(world, channelId, { minutes });
        expect(await manager.markFailed(id, FAILED, { waitMs, disable: false })).to.equal(status);
      });
    }
  });

  describe('dueIds', () => {
    it('names what nobody has touched for 15 s, and then not again for 15 s', async () => {
      const id = await addNotification(world, channelId);
      expect(await manager.dueIds(10)).to.deep.equal([]);
      await set(id, "updated_at = now() - interval '15.1 seconds'");
      expect(await manager.dueIds(10)).to.deep.equal([id]);
      expect(await manager.dueIds(10)).to.deep.equal([]);
      expect(await manager.claim(id)).to.include({ id });
    });

    it('leaves what is leased, done or not due', async () => {
      const old = "updated_at = now() - interval '1 minute'";
      const changes = [
        "lease_until = now() + interval '1 second'",
        "status = 'delivered'",
        "next_attempt_at = now() + interval '1 second'",
      ];
      for (const change of changes) await set(await addNotification(world, channelId), `${old}, ${change}`);
      const stale = await addNotification(world, channelId);
      await set(stale, `${old}, lease_until = now() - interval '1 second'`);
      expect(await manager.dueIds(10)).to.deep.equal([stale]);
    });

    it('does not wait for a row that another asker holds', async () => {
      const [held, free] = [await addNotification(world, channelId), await addNotification(world, channelId)];
      for (const id of [held, free]) await set(id, "updated_at = now() - interval '1 minute'");
      await world.dataSource.transaction(async (tx) => {
        await tx.query('SELECT id FROM notifications WHERE id = $1 FOR UPDATE', [held]);
        expect(await manager.dueIds(10)).to.deep.equal([free]);
      });
    });

    it('shares the rows among those who ask at once, the longest due first', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 9; index++) {
        const id = await addNotification(world, channelId);
        await set(
          id,
          `updated_at = now() - interval '1 minute', next_attempt_at = now() - ${9 - index} * interval '1 s'`,
        );
        ids.push(id);
      }
      expect((await manager.dueIds(2)).toSorted()).to.deep.equal(ids.slice(0, 2).toSorted());
      const shares = await Promise.all([manager.dueIds(10), manager.dueIds(10), manager.dueIds(10)]);
      expect(shares.flat().toSorted()).to.deep.equal(ids.slice(2).toSorted());
    });
  });

  it('createAboutAccount tells every active channel of the owner', async () => {
    const second = await addChannel(world, 'ntfy', 'http://127.0.0.1:9/topic');
    const third = await addChannel(world, 'webhook', 'http://127.0.0.1:9/');
    await world.dataSource.manager.update(NotificationChannel, { publicId: third.id }, { isActive: false });
    const credential = v7();
    const ids = await manager.createAboutAccount(world.user.id, credential);
    expect(ids).to.have.lengthOf(2);
    const stored = await rows();
    expect(stored.map(({ id }) => id).toSorted()).to.deep.equal(ids.toSorted());
    for (const row of stored) {
      expect(row).to.include({ subject: 'account.needs_reauth', subjectId: credential, alertEventId: null });
      expect(row.expiresAt.getTime() - row.createdAt.getTime()).to.equal(86_400_000);
    }
    expect(second.is_active).to.equal(true);
    expect(await manager.createAboutAccount(world.user.id + 1, credential)).to.deep.equal([]);
  });

  it('createChannelTest goes to a channel that is switched off, and its delivery switches it on and proves it', async () => {
    await world.dataSource.manager.update(NotificationChannel, { publicId: channelId }, { isActive: false });
    const id = await manager.createChannelTest(channelId);
    expect(await manager.claim(id)).to.include({ id, subject: 'channel.test', subjectId: channelId });
    await manager.markDelivered(id, DELIVERED);
    const row = await channel();
    expect(row).to.include({ isActive: true, lastError: null });
    expect(row.lastProvenAt).to.be.instanceOf(Date).and.deep.equal(row.lastDeliveredAt);
  });

  it('createChannelTest knows no other channels', async () => {
    for (const id of [v7(), 'no-id']) {
      const error: unknown = await manager.createChannelTest(id).catch((e: unknown) => e);
      expect(error, id).to.be.instanceOf(NotFoundError);
    }
  });
});
