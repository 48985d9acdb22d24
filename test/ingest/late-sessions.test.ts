import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { redetectStored } from '../../src/ingest/late-sessions.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { ensurePartitions, insertNewReadings } from '../../src/readings/reading-store.js';
import { SessionEditor } from '../../src/sessions/session-editor.js';
import { pit } from '../support/traces.js';
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
  T0,
} from './household.js';

const at = (minutes: number) => T0 + minutes * MINUTE;
const PROBES = [{ role: 'pit' as const }, { role: 'food' as const }];

/** Times are minutes of the test. */
interface Row {
  public_id: string;
  name: string | null;
  status: string;
  end_reason: string | null;
  count: number;
  start: number;
  end: number | null;
}

describe('late readings and sessions', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  after(() => close());

  /** The pit of a cook from minute 60 on to 240, each second minute between two, as one job. */
  function fire(home: Home, from: number, to: number): ReadingsJob {
    const curve = pit({ off: 240 });
    const samples: [number, number, 'C'][] = [];
    for (let minute = from; minute < to; minute += 2) samples.push([at(minute), curve(minute), 'C']);
    return job(home, samples);
  }

  async function sessions({ deviceId }: Home) {
    return db.query<Row[]>(
      `SELECT public_id, name, status, end_reason, reading_count AS count,
         ((extract(epoch FROM start_time) * 1000 - $2) / 60000)::float8 AS start,
         ((extract(epoch FROM end_time) * 1000 - $2) / 60000)::float8 AS "end"
       FROM grilling_sessions WHERE device_id = $1 ORDER BY start_time`,
      [deviceId, T0],
    );
  }

  it('move the end of a session, which keeps its id and name, and tell nobody', async () => {
    const home = await addHome(db, { probes: PROBES });
    await addChannel(db, home.userId, 'webhook');
    await addAlert(db, home, { type: 'range', maxTemperature: 100, temperatureUnit: 'C', holdSeconds: 0 });
    await ingest([fire(home, 0, 100)]);
    await ingest([], [{ device: home.device, nowMs: at(400) }]);
    const [lost] = await sessions(home);
    expect(lost).to.include({ status: 'completed', end_reason: 'lost_contact', end: 98 });
    await db.query('UPDATE grilling_sessions SET name = $1 WHERE public_id = $2', ['Ribs', lost?.public_id]);
    await ingest([fire(home, 600, 700)]);
    const told = await db.query('SELECT id FROM notifications');
    // What the device had kept: not until now.
    expect((await ingest([fire(home, 100, 500)])).notificationIds).to.deep.equal([]);
    const [whole, ...others] = await sessions(home);
    expect(others).to.deep.equal([]);
    expect(whole).to.include({ public_id: lost?.public_id, name: 'Ribs', end_reason: 'cooled' });
    expect(whole?.start).to.equal(lost?.start);
    expect(whole?.end).to.be.within(240, 260);
    expect(whole?.count).to.equal((Number(whole?.end) - Number(whole?.start)) / 2 + 1);
    expect(await db.query('SELECT id FROM notifications')).to.have.lengthOf(told.length);
    const before = await dump(db);
    await ingest([fire(home, 100, 500)]);
    expect(await dump(db)).to.deep.equal(before);
  });

  it('cancel a session that they show to be none, and make one that nobody saw', async () => {
    const home = await addHome(db, { probes: PROBES });
    const shown = (...minutes: [number, number][]) =>
      ingest([
        job(
          home,
          minutes.map(([minute, value]): [number, number, 'C'] => [at(minute), value, 'C']),
        ),
      ]);
    await shown([0, 20], [10, 80], [30, 80], [40, 20]);
    expect((await sessions(home)).map(({ status }) => status)).to.deep.equal(['active']);
    await shown([13, 20], [28, 20]);
    expect((await sessions(home)).map(({ status }) => status)).to.deep.equal(['cancelled']);
    const other = await addHome(db, { probes: PROBES });
    await ingest([fire(other, 0, 50), fire(other, 400, 700)]);
    expect(await sessions(other)).to.deep.equal([]);
    await ingest([fire(other, 50, 400)]);
    expect((await sessions(other)).map(({ status, end_reason: why }) => [status, why])).to.deep.equal([
      ['completed', 'cooled'],
    ]);
  });

  it('leave alone what a person began, ended or edited, and begin nothing beside it', async () => {
    const manual = await addHome(db, { probes: PROBES });
    const times = { startTime: new Date(at(55)), endTime: new Date(at(300)) };
    await addSession(db, manual, { ...times, status: 'completed', phase: 'ended', endReason: 'manual' });
    const edited = await addHome(db, { probes: PROBES });
    await ingest([fire(edited, 0, 500)]);
    await db.query(
      `UPDATE grilling_sessions SET edited_at = now(), start_time = $2, end_time = $3 WHERE device_id = $1`,
      [edited.deviceId, new Date(at(80)), new Date(at(200))],
    );
    for (const home of [manual, edited]) {
      await ingest([fire(home, 500, 600)]);
      const bounds = (await sessions(home)).map(({ start, end, status }) => [start, end, status]);
      await ingest([fire(home, 41, 501)]);
      expect((await sessions(home)).map(({ start, end, status }) => [start, end, status])).to.deep.equal(
        bounds,
      );
    }
  });

  it('know of a probe that showed nothing, whatever a person did to another session since', async () => {
    const home = await addHome(db, { probes: PROBES });
    await ingest([fire(home, 0, 150)]);
    await ingest([job(home, [[at(152), 'absent', 'C']])]);
    await ingest([], [{ device: home.device, nowMs: at(183) }]);
    const ended = { status: 'completed', end_reason: 'unplugged', end: 148 };
    expect((await sessions(home))[0]).to.include(ended);
    const times = { startTime: new Date(at(-600)), endTime: new Date(at(-500)) };
    const row = await addSession(db, home, {
      ...times,
      status: 'completed',
      endReason: 'manual',
      phase: 'ended',
    });
    const { publicId } = await db.manager.findOneByOrFail(GrillingSession, { id: row });
    await ingest([job(home, [[at(-590), 20, 'C']])]);
    await db.transaction((tx) => new SessionEditor(tx).edit(publicId, { end: new Date(at(-510)) }));
    await ingest([job(home, [[at(101), pit({ off: 240 })(101), 'C']])]);
    expect((await sessions(home))[1]).to.include(ended);
  });

  it('make a cook of what was cancelled and has gone since', async () => {
    const home = await addHome(db, { probes: PROBES });
    await ingest([fire(home, 0, 74)]);
    await ingest([], [{ device: home.device, nowMs: at(600) }]);
    expect((await sessions(home)).map(({ status }) => status)).to.deep.equal(['cancelled']);
    await db.query('UPDATE grilling_sessions SET deleted_at = now() WHERE device_id = $1', [home.deviceId]);
    await ingest([job(home, [[at(700), 20, 'C']])]);
    await ingest([fire(home, 74, 500)]);
    expect((await sessions(home)).map(({ status, end_reason }) => `${status} ${end_reason}`)).to.deep.equal([
      'cancelled lost_contact',
      'completed cooled',
    ]);
  });

  it('leave a probe in the cook that it was in, though it was put into a store since', async () => {
    const home = await addHome(db, { probes: PROBES });
    await ingest([fire(home, 0, 500)]);
    await ingest([job(home, [], [[at(500), 20, 'C']])]);
    const before = await sessions(home);
    await db.query(`UPDATE probes SET role = 'storage' WHERE id = $1`, [home.probes[0]]);
    await ingest([job(home, [[at(101), pit({ off: 240 })(101), 'C']])]);
    expect(await sessions(home)).to.deep.equal(before.map((one) => ({ ...one, count: one.count + 1 })));
  });

  it('move nothing when they are more than a week old', async () => {
    const home = await addHome(db, { probes: PROBES });
    await ingest([job(home, [[at(8 * 24 * 60), 20, 'C']])]);
    await ingest([fire(home, 0, 400)]);
    expect(await sessions(home)).to.deep.equal([]);
  });

  it('that were stored without the fold become sessions by one call, that again changes nothing', async () => {
    const home = await addHome(db, { probes: PROBES });
    await addChannel(db, home.userId, 'webhook');
    await addAlert(db, home, { type: 'range', maxTemperature: 100, temperatureUnit: 'C', holdSeconds: 0 });
    const days = 25;
    const [probeId = 0] = home.probes;
    const curve = pit({ off: 240 });
    const rows = Array.from({ length: days * 100 }, (_, i) => {
      const [day, minute] = [Math.floor(i / 100), (i % 100) * 5];
      return {
        probeId,
        measuredAtMs: at(day * 1440 + minute),
        value: curve(minute),
        unit: 'C' as const,
        flags: 0,
      };
    });
    const stretch = { device: home.device, fromMs: at(0), toMs: at(days * 1440) };
    await ensurePartitions(db.manager, [stretch]);
    await insertNewReadings(db.manager, rows);
    const redetected = () =>
      db.transaction((tx) => redetectStored(tx, { ...stretch, nowMs: stretch.toMs + 12 * HOUR }));
    expect(await redetected()).to.include({ changed: days });
    const made = await sessions(home);
    expect(made.map(({ status, end_reason: why }) => `${status} ${why}`)).to.deep.equal(
      Array(days).fill('completed cooled'),
    );
    for (const [day, { start, end, count, name }] of made.entries()) {
      expect(name).to.match(/, .* \d+ (Nov|Dec|Jan)$/);
      expect([start - day * 1440, Number(end) - day * 1440]).to.deep.equal([made[0]?.start, made[0]?.end]);
      expect(count).to.equal(made[0]?.count);
    }
    const mine =
      'SELECT n.id FROM notifications n JOIN notification_channels c ON c.id = n.channel_id WHERE c.user_id = $1';
    expect(await db.query(mine, [home.userId])).to.deep.equal([]);
    expect(await redetected()).to.include({ changed: 0 });
    expect(await sessions(home)).to.deep.equal(made);
  });
});
