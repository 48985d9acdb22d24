import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import type { JobSample } from '../../src/queues/jobs.js';
import { FLAG } from '../../src/readings/sample.js';
import { addAlert, addHome, HOUR, type Home, job, MINUTE, openDatabase, T0 } from './household.js';

const at = (minutes: number): number => T0 + minutes * MINUTE;

describe('detection in the database', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  after(() => close());

  /** Each minute from one to the other, in °C, in batches of some. */
  async function shows(home: Home, from: number, to: number, ...curves: ((minute: number) => number)[]) {
    for (let first = from; first < to; first += 20) {
      const minutes = Array.from({ length: Math.min(20, to - first) }, (_, index) => first + index);
      const samples = curves.map((curve) =>
        minutes.map((minute): JobSample => [at(minute), Math.round(curve(minute) * 100) / 100, 'C', 0]),
      );
      await ingest([job(home, ...samples)]);
    }
  }

  const sessionsOf = ({ deviceId }: Home) =>
    db.query<{ name: string | null; status: string; id: number }[]>(
      'SELECT id, name, status FROM grilling_sessions WHERE device_id = $1 ORDER BY start_time',
      [deviceId],
    );

  describe('a name', () => {
    const grill = (minute: number) => (minute < 1 ? 20 : minute < 60 ? 232 : 30);
    const atHome = () =>
      addHome(db, { user: { timeZone: 'America/Chicago' }, probes: [{ label: 'Pit' }, { label: 'Steak' }] });

    it('is given when a session ends, by the time of its owner', async () => {
      const home = await atHome();
      await shows(home, 0, 60, grill, (minute) => 5 + minute / 2);
      expect((await sessionsOf(home)).map(({ name }) => name)).to.deep.equal([null]);
      await shows(home, 60, 100, grill, () => 40);
      expect(await sessionsOf(home)).to.deep.include.members([
        { ...(await sessionsOf(home))[0], name: 'Steak, morning 21 Nov', status: 'completed' },
      ]);
    });

    it('stays as a person gave it', async () => {
      const home = await atHome();
      await shows(home, 0, 60, grill, () => 5);
      await db.query(`UPDATE grilling_sessions SET name = 'Birthday' WHERE device_id = $1`, [home.deviceId]);
      await shows(home, 60, 100, grill, () => 40);
      expect((await sessionsOf(home)).map(({ name }) => name)).to.deep.equal(['Birthday']);
    });

    it('is taken back where the session goes on, and given anew at its other end', async () => {
      const home = await atHome();
      await shows(home, 0, 60, grill, () => 5);
      await ingest([], [{ device: home.device, nowMs: at(60) + 2 * HOUR }]);
      expect((await sessionsOf(home)).map(({ name }) => name)).to.deep.equal(['Hot grill, morning 21 Nov']);
      await shows(
        home,
        240,
        245,
        () => 232,
        () => 50,
      );
      expect(await sessionsOf(home)).to.have.length(1);
      expect((await sessionsOf(home)).map(({ name }) => name)).to.deep.equal([null]);
      await shows(
        home,
        245,
        300,
        () => 30,
        () => 30,
      );
      expect((await sessionsOf(home)).map(({ name }) => name)).to.deep.equal(['Steak, morning 21 Nov']);
    });
  });

  describe('intent', () => {
    const meat = (minute: number) => 4 + minute / 4;
    const cold = () => 20;
    const begins = async (probe: { highAlarmCelsius?: number | null }, target?: 'up' | 'down') => {
      const home = await addHome(db, { probes: [probe, { label: 'Pit' }] });
      const direction = target ?? null;
      if (target)
        await addAlert(db, home, { type: 'target', targetTemperature: 95, temperatureUnit: 'C', direction });
      await shows(home, 0, 60, meat, cold);
      return (await sessionsOf(home)).length === 1;
    };

    it('is a target, or an alarm in the cloud at 50 °C or more', async () => {
      expect(await begins({})).to.equal(false);
      expect(await begins({ highAlarmCelsius: 49.99 })).to.equal(false);
      expect(await begins({ highAlarmCelsius: 50 })).to.equal(true);
      expect(await begins({}, 'up')).to.equal(true);
      expect(await begins({}, 'down')).to.equal(false);
    });
  });

  describe('a sub-sensor that is stuck', () => {
    const RFX = { type: 'rfx', model: 'rfx meat' };
    const flagsOf = async ({ probes: [first] }: Home) => {
      const rows = await db.query<{ minute: number; flags: number }[]>(
        `SELECT (extract(epoch FROM measured_at - to_timestamp($2 / 1000.0)) / 60)::integer AS minute, flags
         FROM readings WHERE probe_id = $1 ORDER BY measured_at`,
        [first, T0],
      );
      return rows.flatMap(({ minute, flags }) => (flags & FLAG.stuck ? [minute] : []));
    };
    const rises = (perHalfHour: number) => (minute: number) => 10 + (minute * perHalfHour) / 30;
    async function stuck(device: object, first: (minute: number) => number, ...others: number[]) {
      const home = await addHome(db, { device, probes: [{}, ...others.map(() => ({}))] });
      await shows(home, 0, 60, first, ...others.map(rises));
      return flagsOf(home);
    }

    it('is flagged from then on, while its siblings move by more than 5 °C in half an hour', async () => {
      const flagged = await stuck(RFX, () => 4.02, 8, 9);
      expect([flagged[0], flagged.at(-1)]).to.deep.equal([30, 59]);
      expect(await stuck(RFX, () => 4.02, 4.5, 4.5)).to.deep.equal([]);
    });

    it('is one of a multi-sensor probe, and changes by less than 0.1 °C', async () => {
      expect(await stuck({ type: 'signals' }, () => 4, 8, 9)).to.deep.equal([]);
      expect(await stuck(RFX, (minute) => 4 + (minute % 2) * 0.09, 8, 9)).to.have.length(30);
      expect(await stuck(RFX, (minute) => 4 + (minute % 2) * 0.1, 8, 9)).to.deep.equal([]);
    });

    it('is none while a sibling hardly moves either, but may have company', async () => {
      expect(await stuck(RFX, () => 4, 8, 2)).to.deep.equal([]);
      expect(await stuck(RFX, () => 4, 8, 0)).to.have.length(30);
    });

    it('is believed again when it moves, and counts in no session', async () => {
      const home = await addHome(db, { device: RFX, probes: [{}, { role: 'pit' }] });
      const pit = (minute: number) => (minute < 5 ? 20 : 120 + Math.sin(minute) * 4);
      await shows(home, 0, 60, (minute) => (minute < 50 ? 4 : 4 + minute - 49), pit);
      expect(await flagsOf(home)).to.deep.equal(Array.from({ length: 20 }, (_, index) => 30 + index));
      const [stats] = await db.query<{ reading_count: number }[]>(
        'SELECT reading_count FROM session_probe_stats WHERE probe_id = $1',
        [home.probes[0]],
      );
      expect(stats?.reading_count).to.be.within(30, 40);
    });
  });
});
