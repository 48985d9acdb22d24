import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { insertEvents, type NewAlertEvent } from '../../src/alerts/alert-store.js';
import { Notification } from '../../src/entities/notification.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { NotificationHistory } from '../../src/notifications/notification-history.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { type Receiver, startReceiver } from './receiver.js';
import { addChannel, FIRED_AT, outbound, secretBox, startWorld, type World } from './world.js';

const HELD_MS = 300_000;

describe('grouping', () => {
  let world: World;
  let receiver: Receiver;
  let manager: NotificationManager;
  let versions = 0;

  before(async () => {
    world = await startWorld();
    receiver = await startReceiver();
    manager = new NotificationManager(world.dataSource.manager);
  });
  beforeEach(async () => {
    receiver.received.length = 0;
    receiver.answer = (response) => response.writeHead(200).end('{"id":"m1"}');
    await addChannel(world, 'ntfy', `${receiver.url}/cook`);
  });
  afterEach(() => world.dataSource.manager.deleteAll(NotificationChannel));
  after(async () => {
    await world.close();
    await receiver.close();
  });

  const query = <T = unknown>(sql: string, values: unknown[] = []) => world.dataSource.query<T>(sql, values);
  const rows = () =>
    world.dataSource.manager.find(Notification, { order: { alertEventId: 'ASC', channelId: 'ASC' } });

  function addRange(name: string, given: Partial<TemperatureAlert> = {}): Promise<TemperatureAlert> {
    const { user, deviceId, dataSource } = world;
    const place = { publicId: v7(), userId: user.id, deviceId, probeId: '1', severity: 'warning' as const };
    const limit = { alertType: 'range' as const, maxTemperature: 275, temperatureUnit: 'F' as const };
    return dataSource.manager.save(
      Object.assign(new TemperatureAlert(), { ...place, ...limit, name, ...given }),
    );
  }

  const event = (alert: TemperatureAlert, given: Partial<NewAlertEvent> = {}): NewAlertEvent => ({
    ...{ alertId: alert.id, publicId: v7(), kind: 'fired', side: 'high', tier: 'warning' },
    ...{
      version: ++versions,
      value: 280,
      unit: 'F',
      measuredAtMs: FIRED_AT.getTime(),
      durationSeconds: null,
    },
    ...{ extreme: null, change: null, sessionId: world.session.id, detectedLate: false, isMuted: false },
    ...given,
  });
  const resolved = { kind: 'resolved', value: 260, durationSeconds: 60, extreme: 281 } as const;
  const critical = { tier: 'critical', value: 310 } as const;

  /** As ingest does, in one transaction. @returns the ids that go out now */
  const happen = async (...events: NewAlertEvent[]): Promise<string[]> =>
    (await world.dataSource.transaction((tx) => insertEvents(tx, events))).map(({ id }) => id);

  /** So much later, by all that is stored. */
  const pass = (ms: number) =>
    query(
      `UPDATE notifications SET created_at = created_at - $1 * interval '1 ms', held_until = held_until - $1 * interval '1 ms',
         next_attempt_at = next_attempt_at - $1 * interval '1 ms', updated_at = updated_at - $1 * interval '1 ms',
         expires_at = expires_at - $1 * interval '1 ms'`,
      [ms],
    );
  const deliverer = () =>
    createDeliverer({
      dataSource: world.dataSource,
      channels: CHANNELS,
      secretBox,
      outbound,
      random: () => 0.5,
      now: () => FIRED_AT,
    });
  const deliver = async (ids: readonly string[]) => {
    for (const id of ids) await deliverer()(id);
  };
  const relay = async () => deliver(await manager.dueIds(100));
  const said = () => receiver.received.map(({ body }) => JSON.parse(body));
  const states = async () =>
    (await rows()).map(({ status, attempts, lastError }) =>
      `${status} ${attempts} ${lastError ?? ''}`.trim(),
    );

  /** A message that has just gone out, so that its group is no longer quiet. */
  async function speak(): Promise<TemperatureAlert> {
    const first = await addRange('First');
    await deliver(await happen(event(first)));
    expect(said()).to.have.lengthOf(1);
    return first;
  }

  it('sends the first message of a quiet group at once, and what follows within five minutes as one', async () => {
    await speak();
    const [pit, point] = [await addRange('Pit'), await addRange('Point', { probeId: '2' })];
    await pass(60_000);
    expect(await happen(event(pit))).to.deep.equal([]);
    await pass(120_000);
    expect(await happen(event(point), event(await addRange('Third'), resolved))).to.deep.equal([]);
    await relay();
    await pass(119_000);
    await relay();
    expect(said()).to.have.lengthOf(1);
    await pass(1_000);
    await relay();
    expect(said()).to.have.lengthOf(2);
    const { title, message, priority } = said()[1];
    expect([title, priority]).to.deep.equal(['2 alerts, 1 over: Pit, Point', 4]);
    expect(message.split('\n')).to.deep.equal([
      'Pit: Point is 280 °F, above 275 °F since 2026-11-21 20:59 UTC (read 0 s ago, 11 h into session Saturday)',
      'Point: Pit is 280 °F, above 275 °F since 2026-11-21 20:59 UTC (read 0 s ago, 11 h into session Saturday)',
      'Over – Third: Point is 260 °F at 2026-11-21 20:59 UTC, no longer above 275 °F, which lasted 60 s with an extreme of 281 °F (read 0 s ago, 11 h into session Saturday)',
    ]);
    await relay();
    expect(said()).to.have.lengthOf(2);
    const [, leader, ...others] = await rows();
    for (const one of others) expect(one.groupId).to.equal(leader?.id);
    const history = new NotificationHistory(world.dataSource.manager);
    const views = (await history.list({ limit: 10 })).filter(({ group_id }) => group_id !== null);
    expect(views).to.have.lengthOf(3);
    for (const view of views) {
      expect(view).to.include({ status: 'delivered', attempts: 1, group_id: leader?.id });
      expect(view.held_until).to.be.instanceOf(Date);
      expect(
        (await history.attempts(view.id)).map(({ outcome, receipt }) => [outcome, receipt]),
      ).to.deep.equal([['delivered', 'm1']]);
    }
  });

  it('is quiet again five minutes after its last message', async () => {
    await speak();
    await pass(HELD_MS);
    const later = await happen(event(await addRange('Later')), event(await addRange('With it')));
    expect(later).to.have.lengthOf(2);
    await deliver(later);
    expect(said().map(({ title }) => title)).to.deep.equal(['First', '2 alerts: Later, With it']);
  });

  it('holds nothing back from programs, nor over another channel, session or device', async () => {
    await speak();
    await addChannel(world, 'webhook', `${receiver.url}/hook`);
    await addChannel(world, 'ntfy', `${receiver.url}/second`);
    const [spoke] = await rows();
    const again = await addRange('Again');
    const now = await happen(event(again), event(again, { sessionId: null }));
    const stored = (await rows()).filter(({ id }) => id !== spoke?.id);
    expect(stored.map(({ groupKey, heldUntil }) => [groupKey, heldUntil !== null])).to.deep.equal([
      [`session ${world.session.id}`, true],
      [null, false],
      [`session ${world.session.id}`, false],
      [`device ${world.deviceId}`, false],
      [null, false],
      [`device ${world.deviceId}`, false],
    ]);
    expect(now).to.have.members(stored.flatMap(({ id, heldUntil }) => (heldUntil === null ? [id] : [])));
  });

  it('never holds a critical tier or a target, which go by themselves', async () => {
    await speak();
    const pit = await addRange('Pit');
    const steak = await addRange('Steak', {
      alertType: 'target',
      targetTemperature: 130,
      direction: 'up',
      maxTemperature: null,
    });
    const up = { side: 'up', value: 131 } as const;
    await deliver(
      await happen(event(pit, critical), event(steak, up), event(pit, { ...critical, kind: 'repeated' })),
    );
    expect(said().map(({ title }) => title)).to.have.members(['First', 'Pit', 'Pit', 'Steak']);
    expect(
      await happen(event(pit, { ...critical, ...resolved }), event(steak, { ...up, ...resolved })),
    ).to.deep.equal([]);
  });

  it('lets a critical tier take along what its alert had to say, and leaves out the warning', async () => {
    const first = await speak();
    await happen(event(first, resolved));
    await happen(event(first));
    await happen(event(first, critical));
    // Its job was lost: the relay does not wait for what is held before it.
    await pass(15_000);
    await relay();
    expect(said()).to.have.lengthOf(2);
    expect(said()[1].message.split('\n')).to.deep.equal([
      'First: Point is 310 °F, above 275 °F since 2026-11-21 20:59 UTC (read 0 s ago, 11 h into session Saturday)',
      'Over – First: Point is 260 °F at 2026-11-21 20:59 UTC, no longer above 275 °F, which lasted 60 s with an extreme of 281 °F (read 0 s ago, 11 h into session Saturday)',
    ]);
    expect(said()[1].priority).to.equal(5);
    expect((await states()).slice(1)).to.deep.equal([
      'delivered 1',
      'expired 0 what came after it was told instead',
      'delivered 1',
    ]);
  });

  it('says nothing of what is over before it is sent, and then is as quiet as before', async () => {
    await speak();
    const pit = await addRange('Pit');
    await happen(event(pit));
    await happen(event(pit, resolved));
    await pass(HELD_MS);
    await relay();
    expect(said()).to.have.lengthOf(1);
    const unsaid = 'expired 0 it was over before it was sent';
    expect(await states()).to.deep.equal(['delivered 1', unsaid, unsaid]);
    expect(await happen(event(pit))).to.have.lengthOf(1);
    const [, never] = await rows();
    await new NotificationHistory(world.dataSource.manager).replay(never?.id ?? '');
    await deliverer()(never?.id ?? '');
    expect(said().map(({ title }) => title)).to.deep.equal(['First', 'Pit']);
  });

  it('tries again as one message what failed as one, before what came after it', async () => {
    await speak();
    const [pit, point] = [await addRange('Pit'), await addRange('Point')];
    await happen(event(pit), event(point));
    await pass(HELD_MS);
    receiver.answer = (response) => response.writeHead(503).end();
    await relay();
    await happen(event(pit, resolved), event(await addRange('Third')));
    await pass(HELD_MS);
    expect((await states()).slice(1)).to.deep.equal([
      ...[
        'pending 1 the receiver answered 503',
        'pending 1 the receiver answered 503',
        'pending 0',
        'pending 0',
      ],
    ]);
    receiver.answer = (response) => response.writeHead(200).end();
    const [, leader, member] = await rows();
    await deliver([member?.id ?? '']);
    expect(leader?.groupId).to.equal(leader?.id);
    await relay();
    const [failed, again, last] = said().slice(1);
    expect(again).to.deep.equal(failed);
    expect([again.title, last.title]).to.deep.equal(['2 alerts: Pit, Point', '1 alert, 1 over: Third']);
    expect((await states()).slice(1)).to.deep.equal([
      'delivered 2',
      'delivered 2',
      'delivered 1',
      'delivered 1',
    ]);
  });

  it('sends a group once, however many notifiers take each of it at once', async () => {
    await speak();
    for (const name of ['a', 'b', 'c', 'd']) await happen(event(await addRange(name)));
    await pass(HELD_MS);
    const ids = (await rows()).slice(1).map(({ id }) => id);
    const notifiers = Array.from({ length: 2 }, deliverer);
    await Promise.all(notifiers.flatMap((notifier) => ids.map((id) => notifier(id))));
    expect(said().map(({ title }) => title)).to.deep.equal(['First', '4 alerts: a, b, c, …']);
    expect((await rows()).every(({ status, attempts }) => status === 'delivered' && attempts === 1)).to.equal(
      true,
    );
  });

  it('tells people of the end of a side once, and programs of the end of each tier', async () => {
    await addChannel(world, 'webhook', `${receiver.url}/hook`);
    const pit = await addRange('Pit');
    await happen(event(pit), event(pit, critical));
    await happen(event(pit, { ...critical, ...resolved, isSuperseded: true }), event(pit, resolved));
    const isForPeople = (await rows()).map(({ groupKey }) => groupKey !== null);
    expect([isForPeople.filter((one) => one).length, isForPeople.filter((one) => !one).length]).to.deep.equal(
      [3, 4],
    );
  });

  it('ends at once what goes to nobody or is too late, held or not', async () => {
    await speak();
    const [pit, point] = [await addRange('Pit'), await addRange('Point')];
    await happen(event(pit), event(point));
    await pass(HELD_MS);
    const [, first, second] = await rows();
    await query("UPDATE notifications SET expires_at = now() - interval '1 second' WHERE id = $1", [
      first?.id,
    ]);
    await deliver([second?.id ?? '']);
    expect((await states()).slice(1)).to.deep.equal(['expired 0', 'delivered 1']);
    await happen(event(pit));
    await pass(HELD_MS);
    await query('UPDATE notification_channels SET is_active = false');
    await relay();
    expect((await states()).at(-1)).to.equal('failed 0 the channel or its owner is switched off');
    expect(said()).to.have.lengthOf(2);
  });

  it('holds nothing for longer when the clock of the database was ahead and is set back', async () => {
    await speak();
    await happen(event(await addRange('Pit')));
    await pass(-7_200_000);
    await happen(event(await addRange('Point')));
    const [{ s: heldSeconds }] = await query<[{ s: number }]>(
      'SELECT extract(epoch FROM held_until - now())::float8 AS s FROM notifications ORDER BY alert_event_id DESC LIMIT 1',
    );
    expect(heldSeconds).to.be.within(0, HELD_MS / 1000);
  });

  it('tells what is new while a thousand repeats of another alert wait for their receiver', async () => {
    const first = await speak();
    receiver.answer = (response) => response.writeHead(503).end();
    await deliver(await happen(event(first, critical)));
    const repeats = Array.from({ length: 1_000 }, () => event(first, { ...critical, kind: 'repeated' }));
    await happen(...repeats);
    receiver.answer = (response) => response.writeHead(200).end();
    await deliver(await happen(event(await addRange('Fridge'), critical)));
    expect(said().at(-1).title).to.equal('Fridge');
    // Back again, it is told once how the other stands.
    await query("UPDATE notifications SET next_attempt_at = now() WHERE status = 'pending'");
    const [, failed] = await rows();
    for (let id = failed?.id; id; id = (await deliverer()(id))?.id);
    expect(said().map(({ title }) => title)).to.deep.equal(['First', 'First', 'Fridge', 'First', 'First']);
  });

  it('says nothing of what was held when its alert is deleted or changed, or nobody misses its probe any more', async () => {
    await speak();
    const [gone, changed, going] = [
      await addRange('Gone'),
      await addRange('Changed'),
      await addRange('Going'),
    ];
    await happen(event(gone), event(changed), event(going), event(going, { kind: 'repeated' }));
    const state = (alert: TemperatureAlert, phase: string) =>
      query("INSERT INTO alert_states (alert_id, side, tier, phase) VALUES ($1, 'high', 'warning', $2)", [
        alert.id,
        phase,
      ]);
    await state(changed, 'inactive');
    await state(going, 'firing');
    await query('UPDATE temperature_alerts SET deleted_at = now() WHERE id = $1', [gone.id]);
    await pass(HELD_MS);
    await relay();
    expect(said().map(({ title }) => title)).to.deep.equal(['First', '1 alert: Going']);
    expect((await states()).slice(1, 3)).to.deep.equal(
      Array(2).fill('expired 0 it was over before it was sent'),
    );
  });

  it('tells nothing before what the version before has stored and not yet told', async () => {
    const pit = await addRange('Pit');
    receiver.answer = (response) => response.writeHead(503).end();
    const [before] = await happen(event(pit));
    await query('UPDATE notifications SET group_key = NULL');
    await deliver([before ?? '']);
    receiver.answer = (response) => response.writeHead(200).end();
    await deliver(await happen(event(pit, resolved)));
    expect(await states()).to.deep.equal(['pending 1 the receiver answered 503', 'pending 0']);
    await query('UPDATE notifications SET next_attempt_at = now()');
    for (let id = before; id; id = (await deliverer()(id))?.id);
    expect(await states()).to.deep.equal(['delivered 2', 'delivered 1']);
  });

  it('holds nothing for longer than five minutes, and speaks no more often, whenever things happen', async () => {
    const alerts = await Promise.all(['a', 'b', 'c'].map((name) => addRange(name)));
    const step = fc.record({
      alert: fc.integer({ min: 0, max: 2 }),
      seconds: fc.constantFrom(0, 1, 59, 150, 299, 300, 301),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        await query('DELETE FROM notifications');
        for (const { alert, seconds } of steps) {
          await pass(seconds * 1000);
          const one = alerts[alert];
          if (one) await happen(event(one));
        }
        const times = (await rows()).map(({ createdAt, heldUntil }) => {
          const heldMs = heldUntil === null ? 0 : heldUntil.getTime() - createdAt.getTime();
          expect(heldMs).to.be.within(0, HELD_MS);
          return createdAt.getTime() + heldMs;
        });
        const messages = [...new Set(times)].sort((a, b) => a - b);
        // Real time passes between the transactions too.
        for (const [index, ms] of messages.slice(1).entries())
          expect(ms - (messages[index] ?? 0)).to.be.at.least(HELD_MS);
      }),
      { numRuns: 15 },
    );
  });
});
