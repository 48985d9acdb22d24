import { expect } from 'chai';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { insertEvents, type NewAlertEvent, saveStates } from '../../src/alerts/alert-store.js';
import { initialStates } from '../../src/alerts/evaluate.js';
import { loadAlerts } from '../../src/alerts/load-alerts.js';
import type { AlertState } from '../../src/alerts/types.js';
import { createDatabase } from '../../src/database.js';
import { AlertEvent } from '../../src/entities/alert-event.js';
import { AlertState as AlertStateRow } from '../../src/entities/alert-state.js';
import { Device } from '../../src/entities/device.js';
import { Notification } from '../../src/entities/notification.js';
import { type ChannelKind, NotificationChannel } from '../../src/entities/notification-channel.js';
import { Probe } from '../../src/entities/probe.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { User } from '../../src/entities/user.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { TEST_POOL } from '../support/pool-settings.js';
import { createTestDatabase } from '../support/servers.js';

const T0 = new Date('2026-11-21T12:00:00.123Z');

let db: DataSource;
let drop: () => Promise<void>;
interface Home {
  userId: number;
  deviceId: string;
  /** `probes.id` of probe 1. */
  probe: number;
}
let homes = 0;

/** A user with one device and its probe 1, as far as a test does not say otherwise. */
async function home({
  user = {},
  probe = {},
}: {
  user?: Partial<User>;
  probe?: Partial<Probe>;
} = {}): Promise<Home> {
  homes += 1;
  const deviceId = `M10000000${homes}`;
  const { id: userId } = await db.manager.save(User, {
    publicId: uuidv7(),
    email: `u${homes}@example.com`,
    ...user,
  });
  await db.manager.save(Device, { publicId: uuidv7(), userId, deviceId });
  const { id } = await db.manager.save(Probe, { userId, deviceId, probeId: '1', label: 'Point', ...probe });
  return { userId, deviceId, probe: id };
}

const within = <T>(work: (alerts: AlertManager, tx: EntityManager) => Promise<T>): Promise<T> =>
  db.transaction((tx) => work(new AlertManager(tx), tx));
const createAlert = (
  { userId, deviceId }: Pick<Home, 'userId' | 'deviceId'>,
  options: Record<string, unknown> & { probeId?: string } = { type: 'target', targetTemperature: 203 },
) => within((alerts) => alerts.create(userId, { deviceId, probeId: '1', ...options }));
const load = (...probes: number[]) => db.transaction((tx) => loadAlerts(tx, probes));
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('alerts in PostgreSQL', () => {
  before(async () => {
    const database = await createTestDatabase();
    drop = database.drop;
    db = await createDatabase({ url: database.url, pool: TEST_POOL }).dataSource.initialize();
  });
  after(async () => {
    await db.destroy();
    await drop();
  });

  describe('loadAlerts', () => {
    it('knows a rule as it is in its transaction, however often that changed it', async () => {
      const place = await home();
      const {
        alert: { publicId },
      } = await createAlert(place);
      const set = (tx: EntityManager, targetTemperature: number) =>
        tx.update(TemperatureAlert, { publicId }, { targetTemperature });
      const targets = async (tx: EntityManager = db.manager) =>
        (await loadAlerts(tx, [place.probe])).map(({ rule }) => rule.targetTemperature);
      expect(await targets()).to.deep.equal([203]);
      await db
        .transaction(async (tx) => {
          for (const value of [190, 191, 192]) {
            await set(tx, value);
            expect(await targets(tx)).to.deep.equal([value]);
          }
          expect(await targets(), 'to others').to.deep.equal([203]);
          throw new Error('given up');
        })
        .catch(() => undefined);
      expect(await targets(), 'given up').to.deep.equal([203]);
      await db.transaction(async (tx) => {
        await set(tx, 180);
        await targets(tx);
        await set(tx, 181);
      });
      expect(await targets(), 'read before its last change').to.deep.equal([181]);
      await within((alerts) => alerts.delete(publicId));
      expect(await targets()).to.deep.equal([]);
    });

    it('reads no rule again that has not changed, and orders states by side and tier', async () => {
      const place = await home();
      await createAlert(place, {
        type: 'range',
        minTemperature: 40,
        maxTemperature: 100,
        criticalMinTemperature: 30,
        criticalMaxTemperature: 110,
      });
      const [first] = await load(place.probe);
      const [again] = await load(place.probe);
      expect(again?.rule).to.equal(first?.rule);
      expect(again?.states.map(({ side, tier }) => `${side} ${tier}`)).to.deep.equal([
        'high critical',
        'high warning',
        'low critical',
        'low warning',
      ]);
    });
  });

  describe('AlertManager', () => {
    it('creates an alert with the defaults of the role and the unit its owner prefers', async () => {
      const place = await home({ user: { temperatureUnit: 'C' }, probe: { role: 'pit' } });
      const { alert, alreadyMet } = await createAlert(place, {
        type: 'range',
        minTemperature: 100,
        criticalMaxTemperature: 150,
      });
      expect(alreadyMet).to.equal(false);
      expect(await within((alerts) => alerts.toJson(alert))).to.deep.include({
        id: alert.publicId,
        device_id: place.deviceId,
        probe_id: '1',
        alert_type: 'range',
        min_temperature: 100,
        max_temperature: null,
        critical_max_temperature: 150,
        temperature_unit: 'C',
        hold_seconds: 180,
        recovery_seconds: 120,
        hysteresis: 3,
        severity: 'warning',
        is_active: true,
        last_triggered: null,
      });
      const [loaded] = await load(place.probe);
      expect(loaded?.states).to.deep.equal(
        initialStates({ ...(loaded?.rule ?? expect.fail('no alert')) })
          .map((state) => ({ ...state, rearmMs: -1 }))
          .sort((a, b) => (a.side < b.side ? -1 : 1)),
      );
      expect(loaded).to.deep.include({ probeId: place.probe, publicId: alert.publicId });
    });

    it('guesses the role that nobody set from the device and the label', async () => {
      const hold = async (place: Home) =>
        (await createAlert(place, { type: 'range', maxTemperature: 100 })).alert.holdSeconds;
      const logger = await home();
      await db.manager.update(Device, { deviceId: logger.deviceId }, { type: 'datalogger' });
      expect([
        await hold(logger),
        await hold(await home({ probe: { label: 'Pit' } })),
        await hold(await home()),
      ]).to.deep.equal([1800, 180, 60]);
    });

    const cooked = { type: 'target', targetTemperature: 203, preAlertDifference: 9, hysteresis: 1.8 };
    const units: [string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>][] = [
      ['a target', cooked, {}, { targetTemperature: 95, preAlertDifference: 5, hysteresis: 1 }],
      [
        'a target but for what is given with it',
        cooked,
        { targetTemperature: 96, hysteresis: 2 },
        { targetTemperature: 96, preAlertDifference: 5, hysteresis: 2 },
      ],
      [
        'a range with both tiers',
        {
          ...{ type: 'range', criticalMinTemperature: 200, minTemperature: 225, maxTemperature: 275 },
          ...{ criticalMaxTemperature: 300, hysteresis: 5 },
        },
        {},
        {
          ...{ criticalMinTemperature: 93.33, minTemperature: 107.22, maxTemperature: 135 },
          ...{ criticalMaxTemperature: 148.89, hysteresis: 2.78, holdSeconds: 60 },
        },
      ],
      [
        'a change',
        { type: 'rising', thresholdValue: 27, windowSeconds: 600, hysteresis: 9 },
        {},
        { thresholdValue: 15, windowSeconds: 600, hysteresis: 5 },
      ],
      ['no percent', { type: 'battery', probeId: undefined }, {}, { batteryPercent: 20, hysteresis: 5 }],
    ];
    for (const [what, options, given, expected] of units)
      it(`converts to another unit ${what}`, async () => {
        const { alert } = await createAlert(await home(), { ...options, temperatureUnit: 'F' });
        const set = (change: Record<string, unknown>) =>
          within((alerts) => alerts.set(alert.publicId, change));
        const inCelsius = await set({ ...given, temperatureUnit: 'C' });
        expect(inCelsius).to.include({ ...expected, temperatureUnit: 'C' });
        expect(await set({ temperatureUnit: 'C' })).to.include(expected);
      });

    it('refuses a hysteresis that leaves no room between the sides of a range', async () => {
      const place = await home({ user: { temperatureUnit: 'C' } });
      const range = { type: 'range', minTemperature: 0, maxTemperature: 5, criticalMinTemperature: -300 };
      const refused = (work: Promise<unknown>) =>
        failure(work).then((error) =>
          expect(error)
            .to.be.instanceOf(InputError)
            .and.match(/--hysteresis .* 5,/),
        );
      for (const hysteresis of [5, 500]) await refused(createAlert(place, { ...range, hysteresis }));
      const { alert } = await createAlert(place, { ...range, hysteresis: 4.99 });
      const set = (options: Record<string, unknown>) =>
        within((alerts) => alerts.set(alert.publicId, options));
      await refused(set({ hysteresis: 5 }));
      await set({ hysteresis: 5, maxTemperature: 5.01 });
      await refused(set({ maxTemperature: 5 }));
      // One side alone leaves room for any; one that was stored before may be renamed.
      await set({ hysteresis: 500, maxTemperature: 'none' });
      await db.manager.update(TemperatureAlert, { id: alert.id }, { maxTemperature: 5 });
      expect(await set({ name: 'Fridge' })).to.include({ name: 'Fridge', hysteresis: 500 });
    });

    it('shows states by side and tier, and nothing that is only ours', async () => {
      const { alert } = await createAlert(await home());
      const shown: Record<string, unknown> = JSON.parse(
        JSON.stringify(await within((alerts) => alerts.toJson(alert))),
      );
      expect(shown).to.not.have.any.keys('user_id', 'public_id', 'deleted_at');
      expect(shown.created_at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(shown.states).to.deep.equal([
        {
          side: 'up',
          tier: 'warning',
          phase: 'inactive',
          is_unknown: false,
          is_armed: true,
          is_announced: false,
          is_inhibited: false,
          version: 0,
          held_ms: 0,
          held_readings: 0,
          rearm_ms: -1,
          evaluated_at: null,
          fired_at: null,
          acknowledged_at: null,
          snoozed_until: null,
          resolved_at: null,
          extreme: null,
        },
      ]);
    });

    const seeds: [string, Partial<Probe>, boolean, Partial<AlertState>][] = [
      [
        'met now: waits to be armed',
        { lastValue: 203, lastUnit: 'F', lastMeasuredAt: T0 },
        true,
        { isArmed: false, isUnknown: false, evaluatedAtMs: T0.getTime() },
      ],
      [
        'not met: the next value may cross',
        { lastValue: 202.9, lastUnit: 'F', lastMeasuredAt: T0 },
        false,
        { isArmed: true, evaluatedAtMs: T0.getTime() },
      ],
      [
        'met before the probe fell silent: the first value decides',
        { lastValue: 203, lastUnit: 'F', lastMeasuredAt: T0, state: 'absent' },
        false,
        { isArmed: true, isUnknown: true, evaluatedAtMs: null },
      ],
      [
        'not met before the probe fell silent',
        { lastValue: 150, lastUnit: 'F', lastMeasuredAt: T0, state: 'stale' },
        false,
        { isArmed: true, isUnknown: true, evaluatedAtMs: T0.getTime() },
      ],
      ['never a value', {}, false, { isArmed: true, isUnknown: false, evaluatedAtMs: null }],
    ];
    for (const [what, probe, met, seed] of seeds) {
      it(`compares a new target with what the probe showed last: ${what}`, async () => {
        const place = await home({ probe });
        expect((await createAlert(place)).alreadyMet).to.equal(met);
        expect((await load(place.probe))[0]?.states[0]).to.include(seed);
      });
    }

    it('says what there is when a device or probe is not there, or not theirs', async () => {
      const mine = await home();
      const theirs = await home();
      const foreign = await failure(createAlert({ userId: mine.userId, deviceId: theirs.deviceId }));
      expect(foreign).to.be.instanceOf(NotFoundError);
      expect(foreign).to.have.property('message', `no device ${theirs.deviceId}; there is ${mine.deviceId}`);
      const unknown = await failure(
        createAlert(mine, { type: 'target', targetTemperature: 1, probeId: '9' }),
      );
      expect(unknown).to.be.instanceOf(NotFoundError);
      expect(unknown).to.have.property('message', `no probe 9: device ${mine.deviceId} has 1 (Point)`);
      const missing = await failure(
        createAlert(mine, { type: 'target', targetTemperature: 1, probeId: undefined }),
      );
      expect(missing).to.be.instanceOf(InputError);
      expect(missing).to.have.property('message', `--probe is needed: device ${mine.deviceId} has 1 (Point)`);
      const humid = await home({ probe: { kind: 'humidity' } });
      expect(await failure(createAlert(humid))).to.be.instanceOf(InputError);
      expect(await failure(createAlert(mine, { type: 'target' }))).to.be.instanceOf(InputError);
    });

    it("lists a user's alerts, and deletes softly and silently", async () => {
      const place = await home();
      const { alert: gone } = await createAlert(place);
      const { alert: kept } = await createAlert(place);
      await createAlert(await home());
      const ids = () =>
        within(async (alerts) => (await alerts.list(place.userId)).map(({ publicId }) => publicId));
      expect(await ids()).to.deep.equal([gone.publicId, kept.publicId]);
      await within((alerts) => alerts.delete(gone.publicId));
      expect(await ids()).to.deep.equal([kept.publicId]);
      expect((await load(place.probe)).map(({ publicId }) => publicId)).to.deep.equal([kept.publicId]);
      expect(await db.manager.countBy(AlertStateRow, { alertId: gone.id })).to.equal(0);
      expect(await db.manager.countBy(TemperatureAlert, { id: gone.id })).to.equal(1);
      for (const id of [gone.publicId, uuidv7(), 'nonsense'])
        expect(await failure(within((alerts) => alerts.getByPublicId(id)))).to.be.instanceOf(NotFoundError);
    });
  });

  describe('alert store', () => {
    it('gives back states as they were saved, to the millisecond', async () => {
      const place = await home();
      const { alert } = await createAlert(place);
      const state: AlertState = {
        alertId: alert.id,
        side: 'up',
        tier: 'warning',
        phase: 'recovering',
        isUnknown: true,
        isArmed: false,
        isAnnounced: true,
        version: 3,
        heldMs: 9_007_199_254_740,
        heldReadings: 2,
        rearmMs: -1,
        evaluatedAtMs: 1_795_262_400_001,
        firedAtMs: 1_795_262_399_999,
        resolvedAtMs: Date.parse('2015-01-01T00:00:00.003Z'),
        extreme: 203.45,
        recent: null,
        acknowledgedAtMs: 1_795_262_400_003,
        snoozedUntilMs: 1_795_262_400_005,
        toldAtMs: 1_795_262_400_007,
        isMuted: true,
        isInhibited: true,
      };
      await db.transaction((tx) => saveStates(tx, [state]));
      expect((await load(place.probe))[0]?.states).to.deep.equal([state]);
      const windows: AlertState = {
        ...state,
        recent: [
          [1_795_262_400_001, -40_001, 0],
          [1_795_262_430_001, 27_320, 30_000],
        ],
      };
      await db.transaction((tx) => saveStates(tx, [windows]));
      expect((await load(place.probe))[0]?.states).to.deep.equal([windows]);
      await db.transaction((tx) => saveStates(tx, [{ ...windows, recent: [] }]));
      expect((await load(place.probe))[0]?.states[0]?.recent).to.deep.equal([]);
      const changed: AlertState = {
        ...{ alertId: alert.id, side: 'up', tier: 'warning', phase: 'inactive', version: 4 },
        ...{ isUnknown: false, isArmed: true, isAnnounced: false, heldMs: 1, heldReadings: 1, rearmMs: 2 },
        ...{ evaluatedAtMs: null, firedAtMs: null, resolvedAtMs: null, extreme: null, recent: null },
        ...{
          acknowledgedAtMs: null,
          snoozedUntilMs: null,
          toldAtMs: null,
          isMuted: false,
          isInhibited: false,
        },
      };
      await db.transaction((tx) => saveStates(tx, [changed]));
      expect((await load(place.probe))[0]?.states).to.deep.equal([changed]);
      expect(await load()).to.deep.equal([]);
      await db.transaction((tx) => saveStates(tx, []));
    });

    it('loads what is in force on the probes asked for, of the owner they belong to', async () => {
      const [a, b, off] = [await home(), await home(), await home()];
      const gone = await home();
      const { alert: first } = await createAlert(a);
      const { alert: second } = await createAlert(b);
      await createAlert(gone);
      const { alert: paused } = await createAlert(off);
      await db.manager.update(TemperatureAlert, { id: paused.id }, { isActive: false });
      await db.manager.update(User, { id: gone.userId }, { deletedAt: T0 });
      const next = await db.manager.save(User, { publicId: uuidv7(), email: 'next@example.com' });
      const moved = await db.manager.save(Probe, { userId: next.id, deviceId: a.deviceId, probeId: '1' });
      const loaded = await load(b.probe, off.probe, gone.probe, a.probe, moved.id);
      expect(loaded.map(({ publicId, probeId }) => [publicId, probeId])).to.deep.equal([
        [first.publicId, a.probe],
        [second.publicId, b.probe],
      ]);
    });

    const channel = (userId: number, kind: ChannelKind, isActive = true) =>
      db.manager.save(NotificationChannel, { publicId: uuidv7(), userId, kind, config: {}, isActive });
    const event = (alertId: number, given: Partial<NewAlertEvent> = {}): NewAlertEvent => ({
      alertId,
      kind: 'fired',
      side: 'up',
      tier: 'warning',
      version: 1,
      value: 203.2,
      unit: 'F',
      measuredAtMs: T0.getTime(),
      durationSeconds: null,
      extreme: null,
      change: null,
      publicId: uuidv7(),
      sessionId: null,
      detectedLate: false,
      isMuted: false,
      ...given,
    });

    it('stores events, the time of the last firing, and a notification for each active channel', async () => {
      const place = await home();
      await createAlert(await home());
      const { alert } = await createAlert(place);
      const hook = await channel(place.userId, 'webhook');
      const phone = await channel(place.userId, 'ntfy');
      await channel(place.userId, 'webhook', false);
      await channel((await home()).userId, 'webhook');
      const later = T0.getTime() + 60_000;
      const resolved = {
        kind: 'resolved',
        version: 2,
        measuredAtMs: later,
        durationSeconds: 60,
        extreme: 204.5,
      } as const;
      const events = [event(alert.id), event(alert.id, resolved)];
      const stored = await db.transaction((tx) => insertEvents(tx, events));

      const rows = await db.manager.find(AlertEvent, { where: { alertId: alert.id }, order: { id: 'ASC' } });
      expect(
        rows.map(({ publicId, version, kind, measuredAt, value, unit, durationSeconds, extreme }) => [
          publicId,
          version,
          kind,
          measuredAt.getTime(),
          value,
          unit,
          durationSeconds,
          extreme,
        ]),
      ).to.deep.equal([
        [events[0]?.publicId, 1, 'fired', T0.getTime(), 203.2, 'F', null, null],
        [events[1]?.publicId, 2, 'resolved', later, 203.2, 'F', 60, 204.5],
      ]);
      const { lastTriggered } = await db.manager.findOneByOrFail(TemperatureAlert, { id: alert.id });
      expect(lastTriggered).to.deep.equal(T0);
      expect(stored.map(({ channelId }) => channelId)).to.have.members([
        hook.id,
        phone.id,
        hook.id,
        phone.id,
      ]);
      const notifications = await db.manager.find(Notification, {
        order: { alertEventId: 'ASC', channelId: 'ASC' },
      });
      expect(notifications.map(({ id }) => id)).to.have.members(stored.map(({ id }) => id));
      expect(new Set(notifications.map(({ alertId }) => alertId))).to.deep.equal(new Set([alert.id]));
      const minutes = ({ createdAt, expiresAt }: Notification) =>
        Math.round((expiresAt.getTime() - createdAt.getTime()) / 60_000);
      expect(notifications.map((n) => [n.alertEventId, n.channelId, n.status, minutes(n)])).to.deep.equal([
        [rows[0]?.id, hook.id, 'pending', 1440],
        [rows[0]?.id, phone.id, 'pending', 30],
        [rows[1]?.id, hook.id, 'pending', 1440],
        [rows[1]?.id, phone.id, 'pending', 1440],
      ]);
    });

    it('stores the events of an alert in the order given, whatever their sides and tiers', async () => {
      const place = await home();
      const { alert } = await createAlert(place);
      const { alert: other } = await createAlert(place);
      const given = [
        event(other.id),
        event(alert.id, { tier: 'warning' }),
        event(alert.id, { tier: 'critical' }),
        event(alert.id, { tier: 'critical', version: 2 }),
        event(alert.id, { tier: 'warning', version: 2 }),
        event(alert.id, { tier: 'critical', version: 3 }),
      ];
      await db.transaction((tx) => insertEvents(tx, given));
      const rows = await db.manager.find(AlertEvent, { where: { alertId: alert.id }, order: { id: 'ASC' } });
      expect(rows.map(({ publicId }) => publicId)).to.deep.equal(
        given.slice(1).map(({ publicId }) => publicId),
      );
    });

    it('keeps the newest time of firing, and a range worth telling on a phone for a day', async () => {
      const place = await home();
      const { alert } = await createAlert(place, { type: 'range', maxTemperature: 100 });
      const phone = await channel(place.userId, 'telegram');
      const earlier = { side: 'high', version: 2, measuredAtMs: T0.getTime() - 60_000 } as const;
      await db.transaction((tx) => insertEvents(tx, [event(alert.id, { side: 'high' })]));
      await db.transaction((tx) => insertEvents(tx, [event(alert.id, earlier)]));
      expect(await db.transaction((tx) => insertEvents(tx, []))).to.deep.equal([]);
      const { lastTriggered } = await db.manager.findOneByOrFail(TemperatureAlert, { id: alert.id });
      expect(lastTriggered).to.deep.equal(T0);
      const [notification] = await db.manager.findBy(Notification, { channelId: phone.id });
      expect(Number(notification?.expiresAt) - Number(notification?.createdAt)).to.equal(24 * 3_600_000);
    });

    it('keeps a change that rose or fell on a phone for half an hour, and what it was', async () => {
      const place = await home();
      const phone = await channel(place.userId, 'ntfy');
      for (const [type, side] of [
        ['rising', 'up'],
        ['falling', 'down'],
      ] as const) {
        const { alert } = await createAlert(place, { type });
        const [loaded] = (await load(place.probe)).filter(({ rule }) => rule.id === alert.id);
        expect(loaded?.rule).to.include({ type, thresholdValue: 27, windowSeconds: 600 });
        expect(loaded?.states.map((state) => [state.side, state.recent])).to.deep.equal([[side, []]]);
        await db.transaction((tx) => insertEvents(tx, [event(alert.id, { side, change: 28.5 })]));
        expect((await db.manager.findOneByOrFail(AlertEvent, { alertId: alert.id })).change).to.equal(28.5);
      }
      const minutes = (await db.manager.findBy(Notification, { channelId: phone.id })).map(
        ({ createdAt, expiresAt }) => Math.round((expiresAt.getTime() - createdAt.getTime()) / 60_000),
      );
      expect(minutes).to.deep.equal([30, 30]);
    });

    it('refuses a change without its numbers', async () => {
      const place = await home();
      const { alert } = await createAlert(place, { type: 'rising' });
      const wrong = [
        { thresholdValue: null },
        { windowSeconds: null },
        { thresholdValue: 0 },
        { windowSeconds: 0 },
      ];
      for (const change of wrong)
        expect(String(await failure(db.manager.update(TemperatureAlert, { id: alert.id }, change)))).to.match(
          /violates check constraint "temperature_alerts_(alert_type|threshold_value|window_seconds)_check"/,
        );
    });

    it('refuses an event whose number is taken, and with it the whole transaction', async () => {
      const place = await home();
      const { alert } = await createAlert(place);
      await db.transaction((tx) => insertEvents(tx, [event(alert.id)]));
      const again = await failure(
        db.transaction((tx) => insertEvents(tx, [event(alert.id), event(alert.id, { version: 2 })])),
      );
      expect(String(again)).to.contain('alert_events_alert_id_side_tier_version_key');
      expect(await db.manager.countBy(AlertEvent, { alertId: alert.id })).to.equal(1);
    });
  });
});
