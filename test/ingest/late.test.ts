import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { listEvents } from '../../src/alerts/list-events.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { FLAG } from '../../src/readings/sample.js';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  dump,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from './household.js';

const at = (minutes: number) => T0 + minutes * MINUTE;
type Shown = [minute: number, value: number];
const HOT = { type: 'range', maxTemperature: 100, holdSeconds: 0, recoverySeconds: 0, hysteresis: 2 };

describe('late readings', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => close());

  const take = (home: Home, values: readonly Shown[], flags = 0) =>
    ingest([
      job(
        home,
        values.map(([minute, value]) => [at(minute), value, 'F', flags]),
      ),
    ]);

  const events = async (): Promise<string[]> => {
    const rows = await db.query<{ line: string }[]>(
      `SELECT concat_ws(' ', round(extract(epoch FROM measured_at - $1) / 60, 3)::float8, kind, version, value, unit,
         duration_seconds, extreme, CASE WHEN detected_late THEN 'late' END, 'in ' || session_id) AS line
       FROM alert_events ORDER BY measured_at, version DESC`,
      [new Date(T0)],
    );
    return rows.map(({ line }) => line);
  };

  async function kitchen(
    options: Record<string, unknown> = HOT,
    interval: number | null = 60,
  ): Promise<Home> {
    const home = await addHome(db, { device: { transmitIntervalSeconds: interval } });
    await addAlert(db, home, { probeId: '1', ...options });
    await addChannel(db, home.userId, 'webhook');
    return home;
  }

  it('create and extend what fired, in its session, tell nobody and leave the state as it is', async () => {
    const home = await kitchen();
    const session = await addSession(db, home);
    await take(home, [
      [0, 90],
      [10, 101],
      [11, 90],
      [20, 90],
    ]);
    const before = await dump(db);
    const outcome = await take(home, [
      [3, 103.5],
      [9, 102],
    ]);
    expect([outcome.notificationIds, outcome.transitions]).to.deep.equal([[], []]);
    expect(await events()).to.deep.equal([
      `3 fired -1 103.5 F late in ${session}`,
      `10 fired 1 101 F in ${session}`,
      `10 resolved -2 101 F 420 103.5 late in ${session}`,
      `11 resolved 2 90 F 60 101 in ${session}`,
    ]);
    const after = await dump(db);
    for (const table of ['alert_states', 'notifications', 'temperature_alerts'])
      expect(after[table]).to.deep.equal(before[table]);
    await take(home, [
      [3, 103.5],
      [9, 102],
    ]);
    expect(await dump(db)).to.deep.equal(after);
    await take(home, [[2, 90]]);
    expect((await dump(db)).alert_events).to.deep.equal(after.alert_events);
    await take(home, [[4, 90]]);
    expect(await events()).to.deep.equal([
      `3 fired -3 103.5 F late in ${session}`,
      `4 resolved -4 90 F 60 103.5 late in ${session}`,
      `9 fired -5 102 F late in ${session}`,
      `10 fired 1 101 F in ${session}`,
      `10 resolved -6 101 F 60 102 late in ${session}`,
      `11 resolved 2 90 F 60 101 in ${session}`,
    ]);
  });

  it('change nothing of targets and changes, nor where they are doubtful, nor from before the alert', async () => {
    const home = await kitchen({ type: 'target', targetTemperature: 100 });
    await addAlert(db, home, { probeId: '1', type: 'rising', thresholdValue: 5, windowSeconds: 600 });
    await take(home, [
      [0, 90],
      [10, 90],
    ]);
    await addAlert(db, home, { probeId: '1', ...HOT });
    await take(home, [
      [20, 90],
      [21, 90],
    ]);
    await take(home, [
      [1, 120],
      [2, 120],
      [3, 121],
    ]);
    await take(home, [[15, 120]], FLAG.suspect);
    expect(await events()).to.deep.equal([]);
    await take(home, [[12, 120]]);
    expect(await events()).to.have.lengthOf(2);
  });

  it('leave the numbers of what fires afterwards without a hole, and a changed rule its own past', async () => {
    const home = await kitchen();
    await take(home, [
      [0, 90],
      [10, 90],
    ]);
    await take(home, [[3, 120]]);
    await take(home, [[11, 101]]);
    expect(await events()).to.deep.equal([
      '3 fired -1 120 F late',
      '10 resolved -2 90 F 420 120 late',
      '11 fired 1 101 F',
    ]);
    const [count] = await db.query<unknown[]>('SELECT count(*)::integer FROM notifications');
    expect(count).to.deep.equal({ count: 1 });
    const alerts = new AlertManager(db.manager);
    const [alert] = await alerts.list(home.userId);
    await db.transaction((tx) => new AlertManager(tx).set(alert?.publicId ?? '', { maxTemperature: 80 }));
    await take(home, [[5, 85]]);
    expect(await events()).to.have.lengthOf(3);
    const [shown] = await listEvents(db.manager, alert?.id ?? 0);
    expect(shown).to.include({ kind: 'fired', value: 101, detected_late: false });
  });

  it('are no event for a rule that was changed to count on from', async () => {
    const home = await kitchen();
    await take(home, [
      [0, 90],
      [10, 90],
    ]);
    await take(home, [[3, 120]]);
    const [alert] = await new AlertManager(db.manager).list(home.userId);
    await db.transaction((tx) => new AlertManager(tx).set(alert?.publicId ?? '', { maxTemperature: 99 }));
    await take(home, [[11, 100]]);
    expect((await events()).at(-1)).to.equal('11 fired 1 100 F');
  });

  const values = fc.array(fc.constantFrom(60, 90, 99, 101, 105), { minLength: 4, maxLength: 40 });
  const order = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 40, maxLength: 40 });

  it('give what a replay of their arrival gives', async function () {
    this.timeout(120_000);
    const alert = { ...HOT, minTemperature: 70, holdSeconds: 60 };
    await fc.assert(
      fc.asyncProperty(values, order, async (all, when) => {
        const shown = all.map((value, minute): Shown => [minute, value]);
        const batchOf = ([minute]: Shown) =>
          minute === all.length - 1 ? 0 : Math.max(0, (when[minute] ?? 0) - 2);
        const batches = [0, 1, 2, 3].map((batch) => shown.filter((one) => batchOf(one) === batch));
        const home = await kitchen(alert, null);
        await db.query('DELETE FROM alert_events');
        for (const batch of batches) if (batch.length > 0) await take(home, batch);
        const rows = batches
          .flat()
          .map(([minute, value]) => `D,1,${new Date(at(minute)).toISOString()},${value},F,food`);
        const trace = ['device_id,probe_id,measured_at,value,unit,role', ...rows].join('\n');
        const { type: alert_type, ...rest } = alert;
        const json = {
          alert_type,
          max_temperature: rest.maxTemperature,
          min_temperature: rest.minTemperature,
          hold_seconds: rest.holdSeconds,
          recovery_seconds: rest.recoverySeconds,
          hysteresis: rest.hysteresis,
        };
        const again = replay(parseTrace(Buffer.from(trace)), { alertsJson: JSON.stringify([json]) });
        const lines = again.events.map(({ measured_at, kind, side, value, detected_late }) =>
          [measured_at.toISOString(), kind, side, value, detected_late].join(' '),
        );
        const stored = await db.query<{ at: Date; text: string }[]>(
          `SELECT measured_at AS at, concat_ws(' ', kind, side, value, detected_late::text) AS text
           FROM alert_events WHERE alert_id IN (SELECT id FROM temperature_alerts WHERE device_id = $1)`,
          [home.deviceId],
        );
        expect(stored.map((row) => `${row.at.toISOString()} ${row.text}`).sort()).to.deep.equal(lines.sort());
      }),
      { numRuns: 12, seed: 4 },
    );
  });
});
