import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { AlertFlags } from '../../src/alerts/alert-flags.js';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { AlertState } from '../../src/entities/alert-state.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { createIngest, type Ingest, type IngestOutcome } from '../../src/ingest/ingest.js';
import type { JobBattery } from '../../src/queues/jobs.js';
import { FLAG } from '../../src/readings/sample.js';
import { endSessionsOf } from '../../src/sessions/end-sessions.js';
import { createTimers } from '../../src/worker/maintenance.js';
import {
  addAlert,
  addChannel,
  addSession,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from '../ingest/household.js';
import { failureOf } from '../support/failure-of.js';
import { addLinkedHome, cook, polledAt } from './linked-home.js';

const at = (minutes: number) => T0 + minutes * MINUTE;

describe('alert timers', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;
  let outcomes: IngestOutcome[];
  let timers: () => Promise<void>;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
    timers = createTimers({ dataSource: db, ingest, onCommit: (outcome) => outcomes.push(outcome) });
  });
  beforeEach(() => {
    outcomes = [];
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => close());

  const polled = (home: Home, minutes: number) => polledAt(db, home, at(minutes));

  const fired = () =>
    outcomes.flatMap(({ transitions }) =>
      transitions.map(({ type, kind, measuredAtMs }) => `${type} ${kind} ${(measuredAtMs - T0) / MINUTE}`),
    );
  const store = (): Promise<Home> => addLinkedHome(db, { probes: [{ role: 'storage' }] });

  it('tell of a store that is silent, at the moment its limit ends, and of its return', async () => {
    const home = await store();
    const alertId = await addAlert(db, home, { type: 'no_data', silenceMinutes: 15 });
    await addChannel(db, home.userId, 'webhook');
    await ingest([job(home, [[at(0), 4, 'C']])]);
    for (const minutes of [14.99, 15, 15.2]) {
      await polled(home, minutes);
      await timers();
      await timers();
    }
    expect(fired()).to.deep.equal(['no_data fired 15']);
    await timers();
    expect(outcomes).to.have.lengthOf(2); // nothing is due: nothing is loaded
    outcomes.push(await ingest([job(home, [[at(21), 4, 'C']])]));
    expect(fired()).to.deep.equal(['no_data fired 15', 'no_data resolved 21']);
    expect(outcomes.flatMap(({ notificationIds }) => notificationIds)).to.have.lengthOf(2);
    await polled(home, 36);
    await timers();
    await timers();
    expect(fired().at(-1)).to.equal('no_data fired 36');
    const [row] = await db.query<unknown[]>('SELECT last_triggered FROM temperature_alerts WHERE id = $1', [
      alertId,
    ]);
    expect(row).to.deep.equal({ last_triggered: new Date(at(36)) });
  });

  it('tell of one that was silent already, but of none while its account cannot be polled', async () => {
    const home = await store();
    await ingest([job(home, [[at(0), 4, 'C']])]);
    await polled(home, 5);
    await addAlert(db, home, { type: 'no_data' });
    await timers();
    await timers();
    expect(fired()).to.deep.equal([]);
    await polled(home, 25);
    await timers();
    expect(fired()).to.deep.equal([]); // the poll's readings may be on their way
    await timers();
    expect(fired()).to.deep.equal(['no_data fired 10']);
  });

  it('miss the probe of a cook only while it goes on', async () => {
    const home = await cook(db, ingest);
    await addAlert(db, home, { type: 'no_data' });
    await polled(home, 20);
    await timers();
    await timers();
    expect(fired()).to.deep.equal(['no_data fired 18']);
    await polled(home, 200);
    await timers(); // two hours after the last reading the cook is over, and nobody waits any more
    await timers();
    outcomes.push(await ingest([job(home, [[at(300), 20, 'C']])]));
    await polled(home, 400);
    await timers();
    await timers();
    expect(fired()).to.deep.equal(['no_data fired 18']);
  });

  it('do not miss a probe that sends on change, unless its gateway does', async () => {
    const home = await addLinkedHome(db, { device: { model: 'RFX Meat' }, probes: [{ role: 'storage' }] });
    await addAlert(db, home, { type: 'no_data' });
    await ingest([job(home, [[at(0), 4, 'C']])]);
    await polled(home, 60);
    await timers();
    await timers();
    expect(fired()).to.deep.equal([]);
    await ingest([job(home, [[at(61), 'stale']])]);
    await polled(home, 62);
    await timers();
    await timers();
    expect(fired()).to.deep.equal(['no_data fired 30']);
  });

  it('take a value for a sign of life though its clock runs ahead, and miss none that is switched off', async () => {
    const home = await store();
    await addAlert(db, home, { type: 'no_data', silenceMinutes: 10 });
    await ingest([job(home, [[at(0), 4, 'C']])]);
    for (let minute = 5; minute <= 30; minute += 5) {
      outcomes.push(await ingest([job(home, [[at(minute + 3), 4, 'C', FLAG.skewed]])]));
      await polled(home, minute);
      await timers();
      await timers();
    }
    expect(fired()).to.deep.equal([]);
    await ingest([job(home, [[at(34), 'disabled']])]);
    await polled(home, 100);
    await timers();
    await timers();
    expect(fired()).to.deep.equal([]);
  });

  describe('of a device that is silent as a whole', () => {
    const told = () => outcomes.flatMap(({ notificationIds }) => notificationIds).length;
    const look = async (home: Home, minutes: number) => {
      await polled(home, minutes);
      await timers();
      await timers();
    };
    async function silentStore() {
      const home = await addLinkedHome(db, {
        device: { transmitIntervalSeconds: 60 },
        probes: [{ role: 'storage' }, { role: 'storage' }],
      });
      for (const probeId of ['1', '2'])
        await addAlert(db, home, { type: 'no_data', silenceMinutes: 10, probeId });
      await addChannel(db, home.userId, 'webhook');
      await ingest([job(home, [[at(0), 4, 'C']], [[at(0.5), 4, 'C']])]);
      return home;
    }
    const events = () =>
      db.query<{ is_muted: boolean; silent_probes: number | null }[]>(
        'SELECT is_muted, silent_probes FROM alert_events ORDER BY id',
      );

    it('tell it once, with its end, and record the rest', async () => {
      const home = await silentStore();
      await look(home, 10);
      await look(home, 10.5);
      expect(fired()).to.deep.equal(['no_data fired 10', 'no_data fired 10.5']);
      expect(told()).to.equal(1);
      const flags = (await db.manager.find(AlertState)).map(({ isInhibited }) => isInhibited);
      expect(flags).to.have.members([false, true]);
      outcomes.push(await ingest([job(home, [[at(15), 4, 'C']], [[at(15), 4, 'C']])]));
      expect(fired().slice(2)).to.deep.equal(['no_data resolved 15', 'no_data resolved 15']);
      expect(told()).to.equal(2);
      expect(await events()).to.deep.equal([
        { is_muted: false, silent_probes: 2 },
        { is_muted: true, silent_probes: null },
        { is_muted: false, silent_probes: null },
        { is_muted: true, silent_probes: null },
      ]);
    });

    it('let the other probe speak one interval after the device is back, if it is still silent', async () => {
      const home = await silentStore();
      await look(home, 20);
      expect(told()).to.equal(1);
      outcomes.push(await ingest([job(home, [[at(21), 4, 'C']])]));
      await look(home, 21.99);
      expect(told()).to.equal(2);
      await look(home, 22);
      expect(fired().slice(2)).to.deep.equal(['no_data resolved 21', 'no_data repeated 0.5']);
      expect(told()).to.equal(3);
      outcomes.push(await ingest([job(home, [[at(23), 4, 'C']], [[at(23), 4, 'C']])]));
      expect(fired().at(-1)).to.equal('no_data resolved 23');
      expect(told()).to.equal(4);
    });

    it('say nothing while its account is refused: that is told for all', async () => {
      const home = await silentStore();
      await polled(home, 5);
      await db.query("UPDATE thermoworks_credentials SET status = 'needs_reauth'");
      await timers();
      await timers();
      expect(outcomes).to.deep.equal([]);
      expect(
        await db.query('SELECT FROM detection_states WHERE due_at <= $1', [new Date(at(10))]),
      ).to.have.length(1);
    });
  });

  it('go on through a change of the rule while nothing is heard', async () => {
    const home = await store();
    const alertId = await addAlert(db, home, { type: 'no_data', silenceMinutes: 10 });
    const { publicId } = await db.manager.findOneByOrFail(TemperatureAlert, { id: alertId });
    const set = (options: Record<string, unknown>) =>
      db.transaction((tx) => new AlertManager(tx).set(publicId, options));
    await ingest([job(home, [[at(0), 4, 'C']])]);
    await ingest([job(home, [[at(5), 'stale']])]);
    await polled(home, 11);
    await timers();
    await timers();
    await set({ silenceMinutes: 15 });
    await polled(home, 16);
    await timers();
    await timers();
    await set({ repeatSeconds: 600 });
    await polled(home, 26);
    await timers();
    expect(fired()).to.deep.equal(['no_data fired 10', 'no_data fired 15', 'no_data repeated 0']);
  });

  it('tell again of a battery, with what it was at last', async () => {
    const home = await addLinkedHome(db, {});
    await addSession(db, home);
    await addAlert(db, home, { type: 'battery', repeatSeconds: 3600, probeId: undefined });
    const says = (minutes: number, percent: number) => ({
      ...job(home),
      batteries: [[home.device, at(minutes), percent, false] satisfies JobBattery],
    });
    for (const [minutes, percent] of [
      [0, 20],
      [30, 19],
    ] as const)
      outcomes.push(await ingest([says(minutes, percent)]));
    for (const minutes of [59.9, 60, 61]) {
      await polled(home, minutes);
      await timers();
    }
    expect(fired()).to.deep.equal(['battery fired 0', 'battery repeated 30']);
    const rows = await db.query<unknown[]>(
      'SELECT value, session_id IS NOT NULL AS has_session FROM alert_events ORDER BY id',
    );
    expect(rows).to.deep.equal([
      { value: 20, has_session: true },
      { value: 19, has_session: true },
    ]);
  });

  it('leave an unplugged probe to its own alert, which is told once and not after the target was met', async () => {
    const home = await cook(db, ingest);
    for (const type of ['no_data', 'probe_removed'])
      for (const probeId of ['1', '2']) await addAlert(db, home, { type, probeId });
    await addAlert(db, home, {
      type: 'target',
      targetTemperature: 20,
      temperatureUnit: 'C',
      probeId: '2',
    });
    outcomes.push(
      await ingest([job(home, [[at(9), 'absent']], [[at(9), 21, 'C']])]),
      await ingest([job(home, [[at(10), 'absent']], [[at(10), 'absent']])]),
    );
    expect(fired()).to.deep.equal(['probe_removed fired 9', 'target fired 9']);
    await polled(home, 30);
    await timers();
    await timers();
    outcomes.push(await ingest([job(home, [[at(31), 110, 'C']], [[at(31), 22, 'C']])]));
    expect(fired().slice(2)).to.deep.equal(['probe_removed resolved 31']);
  });

  describe('that go on firing', () => {
    const HOT = {
      type: 'range',
      maxTemperature: 5,
      temperatureUnit: 'C',
      holdSeconds: 0,
      recoverySeconds: 0,
    };
    const told = () => outcomes.flatMap(({ notificationIds }) => notificationIds).length;
    const tick = async (home: Home, minutes: number) => {
      await polled(home, minutes);
      await timers();
    };
    const warm = async (home: Home, minutes: number, value: number) => {
      await polled(home, minutes);
      outcomes.push(await ingest([job(home, [[at(minutes), value, 'C']])]));
    };
    /** Fires at minute 1. */
    async function firing(options: Record<string, unknown> = {}) {
      const home = await store();
      await addChannel(db, home.userId, 'webhook');
      const alertId = await addAlert(db, home, { ...HOT, ...options });
      await warm(home, 0, 4);
      await warm(home, 1, 9);
      const { publicId } = await db.manager.findOneByOrFail(TemperatureAlert, { id: alertId });
      const flag = <T>(work: (flags: AlertFlags) => Promise<T>) =>
        db.transaction((tx) => work(new AlertFlags(tx)));
      return { home, publicId, flag };
    }

    it('are told again after each repeat, with the last reading, until they are acknowledged', async () => {
      const { home, publicId, flag } = await firing({ repeatSeconds: 600 });
      await tick(home, 10.99);
      expect(fired()).to.deep.equal(['range fired 1']);
      await warm(home, 11, 8);
      await tick(home, 11);
      await tick(home, 20.99);
      await tick(home, 60); // many were missed: one is told
      expect(fired().slice(1)).to.deep.equal(['range repeated 11', 'range repeated 11']);
      await flag((flags) => flags.acknowledge(publicId));
      await tick(home, 90);
      expect(told()).to.equal(3);
      expect(await failureOf(flag((flags) => flags.acknowledge(publicId)))).to.match(/acknowledged already/);
      await flag((flags) => flags.unacknowledge(publicId));
      await tick(home, 91);
      expect(told()).to.equal(4);
      await warm(home, 92, 3);
      await tick(home, 200);
      expect(fired().slice(3)).to.deep.equal(['range repeated 11', 'range resolved 92']);
      const kinds = await db.query<{ kind: string; version: number }[]>(
        'SELECT kind, version FROM alert_events ORDER BY version',
      );
      expect(kinds.map(({ kind, version }) => `${version} ${kind}`).join(', ')).to.equal(
        '1 fired, 2 repeated, 3 repeated, 4 acknowledged, 5 unacknowledged, 6 repeated, 7 resolved',
      );
      expect(await failureOf(flag((flags) => flags.acknowledge(publicId)))).to.match(/does not fire/);
    });

    it('are not told while snoozed, whatever they do, and once at the end if they fire then', async () => {
      const { home, publicId, flag } = await firing({ repeatSeconds: 60 });
      expect(told()).to.equal(1);
      const { snoozedUntil } = await flag((flags) => flags.snooze(publicId, 30));
      await db.query('UPDATE alert_states SET snoozed_until = $1', [new Date(at(31))]);
      expect(snoozedUntil).to.be.instanceOf(Date);
      await warm(home, 2, 3); // was told before the snooze: so is its end
      expect(told()).to.equal(2);
      await warm(home, 3, 9);
      await warm(home, 4, 3);
      await warm(home, 5, 9);
      await tick(home, 30.99);
      expect(told()).to.equal(2);
      await tick(home, 31);
      expect(told()).to.equal(3);
      expect(fired().slice(1)).to.deep.equal([
        ...['range resolved 2', 'range fired 3', 'range resolved 4', 'range fired 5', 'range repeated 5'],
      ]);
      await tick(home, 32);
      expect(told()).to.equal(4);
    });

    it('go on under another name; another condition closes them untold, and its events go on in number', async () => {
      const { home, publicId } = await firing();
      const set = (options: Record<string, unknown>) =>
        db.transaction((tx) => new AlertManager(tx).set(publicId, options));
      const phases = async () => (await db.manager.find(AlertState)).map(({ phase }) => phase);
      const named = await set({ name: 'Cellar', repeatSeconds: '60' });
      expect(named).to.include({ name: 'Cellar', repeatSeconds: 60, maxTemperature: 5, holdSeconds: 0 });
      expect(await phases()).to.deep.equal(['firing']);
      await set({ maxTemperature: '8' });
      expect(await phases()).to.deep.equal(['inactive']);
      await warm(home, 2, 9);
      await warm(home, 3, 3);
      expect(fired()).to.deep.equal(['range fired 1', 'range fired 2', 'range resolved 3']);
      expect(told()).to.equal(3);
      for (const [options, message] of [
        [{ targetTemperature: 5 }, /--target-temperature is not for a range/],
        [{ maxTemperature: 'warm' }, /--max-temperature must be a number/],
        [{ type: 'target' }, /--type cannot be changed/],
        [{ repeatSeconds: 59 }, /--repeat-seconds must be 0 \(never\) or a whole number of seconds from 60/],
      ] as const)
        expect(String(await failureOf(set(options)))).to.match(message);
    });

    it('are not told twice at once where they are found late, nor while they recover', async () => {
      const { home } = await firing({ repeatSeconds: 300, recoverySeconds: 3600 });
      await tick(home, 30);
      expect(fired()).to.deep.equal(['range fired 1']);
      await tick(home, 35);
      expect(fired().slice(1)).to.deep.equal(['range repeated 1']);
      await warm(home, 36, 3);
      await tick(home, 50);
      expect(told()).to.equal(2);
    });

    it('are over without a word when their device goes to somebody else', async () => {
      const { home } = await firing({ repeatSeconds: 300 });
      await db.transaction((tx) => endSessionsOf(tx, home.userId, [home.deviceId]));
      await tick(home, 60);
      expect(told()).to.equal(1);
      expect((await db.manager.find(AlertState)).map(({ phase }) => phase)).to.deep.equal(['inactive']);
    });

    it('keep a change that another makes at the same time', async () => {
      const { publicId } = await firing();
      const set = (options: Record<string, unknown>) =>
        db.transaction((tx) => new AlertManager(tx).set(publicId, options));
      await Promise.all([set({ maxTemperature: 20 }), set({ name: 'Cellar' }), set({ repeatSeconds: 60 })]);
      const alert = await db.manager.findOneByOrFail(TemperatureAlert, { publicId });
      expect(alert).to.include({ maxTemperature: 20, name: 'Cellar', repeatSeconds: 60 });
    });

    it('are repeated in their worst tier alone', async () => {
      const { home } = await firing({ criticalMaxTemperature: 20, repeatSeconds: 600 });
      await warm(home, 2, 30);
      await tick(home, 12);
      const kinds = await db.query<{ line: string }[]>(
        "SELECT concat(kind, ' ', tier) AS line FROM alert_events ORDER BY id",
      );
      expect(kinds.map(({ line }) => line)).to.deep.equal([
        'fired warning',
        'fired critical',
        'repeated critical',
      ]);
      await warm(home, 13, 9);
      await tick(home, 14); // long due, but the critical one has just been told
      await tick(home, 23.99);
      expect(fired().slice(3)).to.deep.equal(['range resolved 13']);
      await tick(home, 24);
      expect(fired().slice(3)).to.deep.equal(['range resolved 13', 'range repeated 13']);
    });

    it('are told though snoozed where they become critical', async () => {
      const { home, publicId, flag } = await firing({ criticalMaxTemperature: 20 });
      await flag((flags) => flags.snooze(publicId, 30));
      await db.query('UPDATE alert_states SET snoozed_until = $1 WHERE snoozed_until IS NOT NULL', [
        new Date(at(31)),
      ]);
      await warm(home, 2, 30);
      expect(told()).to.equal(2);
      expect(fired()).to.deep.equal(['range fired 1', 'range fired 2']);
    });
  });
});
