import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { Device } from '../../src/entities/device.js';
import { Probe } from '../../src/entities/probe.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { FLAG } from '../../src/readings/sample.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  dump,
  HOUR,
  type Home,
  job,
  MINUTE,
  openDatabase,
  readingsOf,
  T0,
} from './household.js';

const at = (minutes: number) => T0 + minutes * MINUTE;

describe('ingest', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
  });
  beforeEach(() => {
    ingest = createIngest({ dataSource: db });
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => close());

  const probeRow = (home: Home, index = 0) =>
    db.manager.findOneByOrFail(Probe, { id: home.probes[index] ?? 0 });
  const events = async (): Promise<string[]> => {
    const rows = await db.query<{ line: string }[]>(
      `SELECT concat_ws(' ', kind, side, version, value, unit, round(extract(epoch FROM measured_at - $1) / 60, 3)::float8) AS line
       FROM alert_events ORDER BY id`,
      [new Date(T0)],
    );
    return rows.map(({ line }) => line);
  };

  describe('readings and probes', () => {
    it('are stored as reported, with what the probe shows now', async () => {
      const home = await addHome(db, { probes: [{}, { kind: 'humidity' }] });
      const outcome = await ingest([
        job(
          home,
          [
            [at(0), 203.206],
            [at(1), 95.5, 'C'],
          ],
          [[at(0), 45.5, 'H']],
        ),
      ]);
      expect([outcome.stored.length, outcome.conflicts, outcome.unknownProbe]).to.deep.equal([3, 0, 0]);
      const [pit, air] = home.probes;
      expect(await readingsOf(db)).to.deep.equal([
        [pit, at(0), 203.21, 'F', 0],
        [pit, at(1), 95.5, 'C', 0],
        [air, at(0), 45.5, 'H', 0],
      ]);
      const { lastValue, lastUnit, lastMeasuredAt, state, learnedIntervalSeconds } = await probeRow(home);
      expect([lastValue, lastUnit, lastMeasuredAt?.getTime(), state, learnedIntervalSeconds]).to.deep.equal([
        95.5,
        'C',
        at(1),
        'ok',
        60,
      ]);
    });

    it('keep the first value; late ones are marked and do not become what the probe shows', async () => {
      const home = await addHome(db);
      await ingest([job(home, [[at(5), 100]])]);
      const outcome = await ingest([
        job(home, [
          [at(5), 101],
          [at(4), 90],
          [at(4), 91],
        ]),
      ]);
      expect([outcome.stored.length, outcome.conflicts]).to.deep.equal([1, 2]);
      expect((await readingsOf(db)).map(([, , value, , flags]) => [value, flags])).to.deep.equal([
        [90, FLAG.late],
        [100, 0],
      ]);
      expect((await probeRow(home)).lastValue).to.equal(100);
    });

    it('with a clock that runs ahead are stored and move nothing', async () => {
      const home = await addHome(db, { device: { transmitIntervalSeconds: 60 }, probes: [{}, {}] });
      await ingest([job(home, [[at(0), 100]])]);
      await ingest([job(home, [[at(90), 300, 'F', FLAG.skewed]], [[at(1), 50]])]);
      await ingest([job(home, [[at(1), 101]])]);
      expect(await readingsOf(db)).to.have.lengthOf(4);
      const { lastMeasuredAt, lastValue } = await probeRow(home);
      expect([lastMeasuredAt?.getTime(), lastValue]).to.deep.equal([at(1), 101]);
      expect(await db.query('SELECT * FROM reading_gaps')).to.deep.equal([]);
    });

    it('of months long ago get their partition, whatever becomes of the transaction', async () => {
      const home = await addHome(db);
      const old = Date.UTC(2018, 4, 15);
      await addAlert(db, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
      await db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22023'; END $$`);
      await db.query('CREATE TRIGGER refuse BEFORE INSERT ON alert_events EXECUTE FUNCTION refuse()');
      const error = await ingest([job(home, [[old, 200]])]).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error);
      await db.query('DROP FUNCTION refuse CASCADE');
      await ingest([
        job(home, [
          [old, 200],
          [Date.UTC(2017, 0), 90],
          [Date.UTC(2017, 1), 90],
        ]),
      ]);
      const homes = await db.query('SELECT tableoid::regclass::text AS home FROM readings ORDER BY 1');
      expect(homes).to.deep.equal([
        { home: 'readings_2017_01' },
        { home: 'readings_2017_02' },
        { home: 'readings_2018_05' },
      ]);
    });

    it('of probes that are gone are counted and harm no others', async () => {
      const [home, other] = [await addHome(db), await addHome(db)];
      const lost = { ...home, probes: [home.probes[0] ?? 0, 999_999] };
      const outcome = await ingest([
        job(
          lost,
          [[at(0), 1]],
          [
            [at(0), 2],
            [at(1), 'absent'],
          ],
        ),
        job({ ...home, device: 999_999 }, [[at(7), 3]]),
        job(other, [[at(0), 4]]),
      ]);
      expect(outcome.unknownProbe).to.be.at.least(2);
      expect((await readingsOf(db)).filter(([probe]) => probe === other.probes[0])).to.have.lengthOf(1);
      expect((await readingsOf(db)).filter(([probe]) => probe === 999_999)).to.deep.equal([]);
    });

    it('of a device with another owner now stay with the one who had it, in that session too', async () => {
      const home = await addHome(db);
      const channel = await addChannel(db, home.userId, 'webhook');
      expect(channel).to.be.a('number');
      await addSession(db, home, { temperatureUnit: 'F' });
      await ingest([
        job(home, [
          [at(0), 100],
          [at(2), 120],
        ]),
      ]);
      await db.query(
        `UPDATE grilling_sessions SET status = 'completed', phase = 'ended', end_reason = 'device_gone', end_time = $1`,
        [new Date(at(2))],
      );
      const { userId } = await addHome(db);
      await db.manager.update(Device, { id: home.device }, { userId });
      const { id } = await db.manager.save(Probe, { userId, deviceId: home.deviceId, probeId: '1' });
      const moved: Home = { ...home, userId, probes: [id] };
      await addSession(db, moved, { temperatureUnit: 'F' });

      await ingest([
        job(home, [[at(1), 110]]),
        job(moved, [
          [at(1), 210],
          [at(3), 230],
        ]),
      ]);
      expect((await readingsOf(db)).map(([probe, , value]) => [probe, value])).to.deep.equal([
        [home.probes[0], 100],
        [home.probes[0], 110],
        [home.probes[0], 120],
        [id, 210],
        [id, 230],
      ]);
      const sessions = await db.query(
        'SELECT user_id, reading_count, min_temperature, max_temperature, status FROM grilling_sessions ORDER BY id',
      );
      expect(sessions).to.deep.equal([
        {
          user_id: home.userId,
          reading_count: 3,
          min_temperature: 100,
          max_temperature: 120,
          status: 'completed',
        },
        { user_id: userId, reading_count: 2, min_temperature: 210, max_temperature: 230, status: 'active' },
      ]);
    });

    it('of a former owner begin no cook of the present one', async () => {
      const home = await addHome(db, { probes: [{ label: 'Pit' }] });
      const { userId } = await addHome(db);
      await db.manager.update(Device, { id: home.device }, { userId });
      for (let minute = 0; minute < 9; minute++)
        await ingest([job(home, [[at(minute), minute < 1 ? 20 : 110, 'C']])]);
      expect(await readingsOf(db)).to.have.lengthOf(9);
      expect(await db.query('SELECT id FROM grilling_sessions')).to.deep.equal([]);
    });
  });

  describe('absence', () => {
    it('is a state of the probe and no reading; it makes its alerts unknown and resolves none', async () => {
      const home = await addHome(db, { device: { transmitIntervalSeconds: 60 } });
      await addAlert(db, home, {
        type: 'range',
        maxTemperature: 100,
        holdSeconds: 0,
        recoverySeconds: 0,
        hysteresis: 0,
      });
      await ingest([job(home, [[at(0), 150]])]);
      await ingest([job(home, [[at(1), 'absent']])]);
      const { state, stateAt, lastMeasuredAt } = await probeRow(home);
      expect([state, stateAt?.getTime(), lastMeasuredAt?.getTime()]).to.deep.equal(['absent', at(1), at(0)]);
      const alertState = () => db.query('SELECT phase, is_unknown FROM alert_states');
      expect(await alertState()).to.deep.equal([{ phase: 'firing', is_unknown: true }]);
      await ingest([job(home, [[at(2), 150]])]);
      expect(await alertState()).to.deep.equal([{ phase: 'firing', is_unknown: false }]);
      expect((await probeRow(home)).state).to.equal('ok');
      await ingest([job(home, [[at(3), 90]])]);
      expect(await events()).to.deep.equal(['fired high 1 150 F 0', 'resolved high 2 90 F 3']);
      expect(await readingsOf(db)).to.have.lengthOf(3);
    });

    it('ends as the newest news say, in whatever order they come, and come again', async () => {
      const home = await addHome(db);
      const [value, absent, disabled] = [
        job(home, [[at(0), 100]]),
        job(home, [[at(1), 'absent']]),
        job(home, [[at(2), 'disabled']]),
      ];
      const between = job(home, [[at(1.5), 101]]);
      for (const one of [value, disabled, absent, between, absent, disabled, value]) await ingest([one]);
      const { state, stateAt, lastMeasuredAt } = await probeRow(home);
      expect([state, stateAt?.getTime(), lastMeasuredAt?.getTime()]).to.deep.equal([
        'disabled',
        at(2),
        at(1.5),
      ]);
      const before = await dump(db);
      for (const one of [absent, disabled, value, between]) await ingest([one]);
      expect(await dump(db)).to.deep.equal(before);
      await ingest([job(home, [[at(2.5), 102]])]);
      expect((await probeRow(home)).state).to.equal('ok');
    });

    it('is no news after the probe was found stale since', async () => {
      const home = await addHome(db);
      await ingest([job(home, [[at(0), 100]])]);
      for (const one of [job(home, [[at(20), 'stale']]), job(home, [[at(19), 'absent']])])
        await ingest([one]);
      expect((await probeRow(home)).state).to.equal('stale');
      await ingest([job(home, [[at(19.5), 101]])]); // it was only slow to arrive
      expect((await probeRow(home)).state).to.equal('ok');
    });

    it('that came before a value of earlier leaves the alert unknown, which the value still may fire', async () => {
      const home = await addHome(db);
      await addAlert(db, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
      await ingest([job(home, [[at(2), 'absent']])]);
      await ingest([job(home, [[at(1), 150]])]);
      expect(await events()).to.deep.equal(['fired high 1 150 F 1']);
      expect(await db.query('SELECT phase, is_unknown FROM alert_states')).to.deep.equal([
        { phase: 'firing', is_unknown: true },
      ]);
    });
  });

  describe('alerts', () => {
    it('see a crossing between two polls: once, with its own time and value', async () => {
      const home = await addHome(db, { device: { transmitIntervalSeconds: 60 } });
      await addAlert(db, home, { type: 'target', targetTemperature: 203 });
      await addAlert(db, home, {
        type: 'range',
        maxTemperature: 202,
        holdSeconds: 0,
        recoverySeconds: 0,
        hysteresis: 0,
      });
      await ingest([job(home, [[at(0), 195]])]);
      // The next poll shows 199 as the value, and the peak only among the recent readings.
      const poll = job(home, [
        [at(1), 200],
        [at(2), 205.5],
        [at(3), 199],
      ]);
      const outcome = await ingest([poll]);
      const expected = ['fired up 1 205.5 F 2', 'fired high 1 205.5 F 2', 'resolved high 2 199 F 3'];
      expect(await events()).to.deep.equal(expected);
      expect(outcome.transitions.map(({ type, kind, value }) => [type, kind, value])).to.deep.equal([
        ['target', 'fired', 205.5],
        ['range', 'fired', 205.5],
        ['range', 'resolved', 199],
      ]);
      await ingest([poll]);
      await ingest([
        job(home, [
          [at(2), 205.5],
          [at(3), 199],
          [at(4), 198],
        ]),
      ]);
      expect(await events()).to.deep.equal(expected);
    });

    it('compare each reading in its own unit and tell it as reported', async () => {
      const home = await addHome(db);
      await addAlert(db, home, { type: 'range', maxTemperature: 100, temperatureUnit: 'F', holdSeconds: 0 });
      await ingest([
        job(home, [
          [at(0), 37.78, 'C'],
          [at(1), 37.79, 'C'],
        ]),
      ]);
      expect(await events()).to.deep.equal(['fired high 1 37.79 C 1']);
    });

    it('take no notice of late or doubtful readings, but that late ones add to the past of a range', async () => {
      const home = await addHome(db);
      await addAlert(db, home, { type: 'target', targetTemperature: 100, holdSeconds: 0 });
      await addAlert(db, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
      await ingest([job(home, [[at(5), 90]])]);
      await ingest([
        job(home, [
          [at(4), 150],
          [at(6), 0, 'F', FLAG.suspect],
          [at(7), 150, 'F', FLAG.stuck],
        ]),
      ]);
      const { transitions } = await ingest([job(home, [[at(60), 150, 'F', FLAG.skewed]])]);
      expect(transitions).to.deep.equal([]);
      expect(await events()).to.deep.equal(['fired high -1 150 F 4', 'resolved high -2 90 F 5']);
    });

    const RISING = { type: 'rising', thresholdValue: 15, windowSeconds: 600, recoverySeconds: 0 };
    const rise: [number, number][] = [0, 2, 4, 6, 8, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29].map(
      (minute, i) => [
        at(minute),
        [100, 103, 106, 110, 113, 119, 119, 113, 112, 112, 112, 112, 112, 120, 127][i] ?? 0,
      ],
    );
    const told = ['fired up 1 119 F 11', 'resolved up 2 113 F 15', 'fired up 3 127 F 29'];

    it('know the window of readings before, whatever the jobs and whichever process took them', async () => {
      const cuts = {
        one: [rise],
        each: rise.map((one) => [one]),
        again: rise.map((_, i) => rise.slice(0, i + 1)),
      };
      const after: unknown[] = [];
      for (const jobs of Object.values(cuts)) {
        const home = await addHome(db, { device: { transmitIntervalSeconds: 120 } });
        await addAlert(db, home, RISING);
        for (const samples of jobs) {
          await createIngest({ dataSource: db })([job(home, samples)]);
          await createIngest({ dataSource: db })([job(home, samples)]);
        }
        expect(await events()).to.deep.equal(told);
        after.push(await db.query("SELECT to_jsonb(s) - 'alert_id' AS state FROM alert_states s"));
        await db.query('DELETE FROM temperature_alerts');
      }
      expect(after[0]).to.have.nested.property('[0].state.recent').with.length(6);
      expect(after[1]).to.deep.equal(after[0]);
      expect(after[2]).to.deep.equal(after[0]);
    });

    it('leave late and doubtful readings out of the window', async () => {
      const home = await addHome(db, { device: { transmitIntervalSeconds: 300 } });
      await addAlert(db, home, RISING);
      await ingest([
        job(home, [
          [at(0), 100],
          [at(5), 100],
        ]),
      ]);
      await ingest([
        job(home, [
          [at(3), 50],
          [at(6), 0, 'F', FLAG.suspect],
          [at(60), 10, 'F', FLAG.skewed],
          [at(10), 114],
        ]),
      ]);
      expect(await events()).to.deep.equal([]);
      await ingest([job(home, [[at(11), 115]])]);
      expect(await events()).to.deep.equal(['fired up 1 115 F 11']);
    });

    it('take a jump for a hand where the probe is in food: by its role in the cook, else by what it is for', async () => {
      const homes = [
        await addHome(db, { probes: [{ label: 'Meat' }] }),
        await addHome(db, { probes: [{ label: 'Pit' }] }),
        await addHome(db, { probes: [{ label: 'Meat' }] }),
        await addHome(db, { probes: [{ role: 'other' }] }),
      ];
      const cooks = homes.slice(2);
      for (const home of cooks) await addSession(db, home);
      await db.query("UPDATE session_members SET role = 'pit' WHERE probe_id = $1", [cooks[0]?.probes[0]]);
      for (const home of homes) {
        await addAlert(db, home, RISING);
        await ingest([
          job(home, [
            [at(0), 100],
            [at(5), 100],
            [at(5.1), 150],
          ]),
        ]);
      }
      expect(
        await db.query(
          'SELECT DISTINCT device_id FROM temperature_alerts WHERE last_triggered IS NOT NULL ORDER BY 1',
        ),
      ).to.deep.equal([homes[1], cooks[0]].map((home) => ({ device_id: home?.deviceId })));
    });

    it('make a notification for each active channel of the owner, pending, in the same transaction', async () => {
      const [home, other] = [await addHome(db), await addHome(db)];
      const channels = [
        await addChannel(db, home.userId, 'webhook'),
        await addChannel(db, home.userId, 'ntfy'),
      ];
      await addChannel(db, home.userId, 'webhook', { isActive: false });
      await addChannel(db, other.userId, 'webhook');
      await addAlert(db, home, {
        type: 'range',
        minTemperature: 40,
        maxTemperature: 100,
        holdSeconds: 0,
        recoverySeconds: 0,
      });
      const both = await ingest([
        job(home, [
          [at(0), 150],
          [at(1), 30],
        ]),
      ]);
      const rows = await db.query<
        { id: string; channel_id: number; status: string; kind: string; side: string }[]
      >(
        `SELECT n.id, n.channel_id, n.status, e.kind, e.side FROM notifications n JOIN alert_events e ON e.id = n.alert_event_id
         ORDER BY e.id, n.channel_id`,
      );
      expect(
        rows.map(({ channel_id, status, kind, side }) => [channel_id, status, kind, side]),
      ).to.deep.equal(
        [
          ['fired', 'high'],
          ['resolved', 'high'],
          ['fired', 'low'],
        ].flatMap((event) => channels.map((channel) => [channel, 'pending', ...event])),
      );
      expect([...both.notificationIds].sort()).to.deep.equal(rows.map(({ id }) => id).sort());
    });
  });

  describe('sessions', () => {
    const cook = (home: Home) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((minute) =>
        job(home, [[at(minute), minute < 1 ? 20 : 110, 'C']], [[at(minute), 4 + minute, 'C']]),
      );

    it('begin by themselves and hold from the first what the rows hold', async () => {
      const home = await addHome(db, { probes: [{ label: 'Pit' }, { label: 'Meat' }] });
      const channel = await addChannel(db, home.userId, 'webhook');
      expect(channel).to.be.greaterThan(0);
      await addAlert(db, home, { type: 'range', maxTemperature: 90, temperatureUnit: 'C', holdSeconds: 0 });
      const kinds: string[] = [];
      for (const one of cook(home))
        kinds.push(...(await ingest([one])).sessionEvents.map(({ kind }) => kind));
      expect(kinds).to.deep.equal(['started']);
      const [session] = await db.query<Record<string, unknown>[]>(
        `SELECT s.id, s.session_type, s.status, s.temperature_unit, s.reading_count, s.start_time,
           (SELECT count(*)::integer FROM session_members WHERE session_id = s.id) AS members,
           (SELECT count(*)::integer FROM readings WHERE measured_at >= s.start_time) AS stored
         FROM grilling_sessions s`,
      );
      expect(session).to.include({
        session_type: 'auto',
        status: 'active',
        temperature_unit: 'F',
        members: 2,
      });
      expect(session?.reading_count).to.equal(session?.stored);
      expect(await db.query('SELECT session_id FROM alert_events')).to.deep.equal([{ session_id: null }]);
      await ingest([
        job(home, [
          [at(8), 80, 'C'],
          [at(9), 85, 'C'],
        ]),
      ]);
      await addAlert(db, home, { type: 'range', maxTemperature: 100, temperatureUnit: 'C', holdSeconds: 0 });
      await ingest([job(home, [[at(10), 120, 'C']])]);
      expect(await db.query('SELECT session_id FROM alert_events ORDER BY id DESC LIMIT 1')).to.deep.equal([
        { session_id: session?.id },
      ]);
    });

    it('end as one job as in eight, and jobs that come again change nothing', async () => {
      const [one, eight] = [
        await addHome(db, { probes: [{ label: 'Pit' }, { label: 'Meat' }] }),
        await addHome(db, { probes: [{ label: 'Pit' }, { label: 'Meat' }] }),
      ];
      await ingest(cook(one));
      for (const part of cook(eight)) await ingest([part]);
      const sessions = await db.query<Record<string, unknown>[]>(
        `SELECT status, start_time, last_reading_at, reading_count, min_temperature, max_temperature, avg_temperature
         FROM grilling_sessions ORDER BY id`,
      );
      expect(sessions).to.have.lengthOf(2);
      expect(sessions[0]).to.deep.equal(sessions[1]);
      const before = await dump(db);
      for (const part of [...cook(eight), ...cook(one)].reverse()) await ingest([part]);
      await ingest([...cook(one), ...cook(eight), ...cook(one)]);
      expect(await dump(db)).to.deep.equal(before);
    });

    it('that ended take late readings of their time', async () => {
      const home = await addHome(db);
      const ended = {
        status: 'completed',
        phase: 'ended',
        endReason: 'manual',
        endTime: new Date(at(60)),
      } as const;
      await addSession(db, home, ended);
      await ingest([job(home, [[T0 + 30 * HOUR, 90]])]);
      await ingest([
        job(home, [
          [at(60), 100],
          [at(60) + 1, 300],
          [at(0), 50],
          [at(0) - 1, 10],
        ]),
      ]);
      expect(
        await db.query('SELECT reading_count, min_temperature, max_temperature FROM grilling_sessions'),
      ).to.deep.equal([{ reading_count: 2, min_temperature: 50, max_temperature: 100 }]);
    });
  });
});
