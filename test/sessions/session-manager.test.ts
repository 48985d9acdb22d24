import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { InputError, NotFoundError } from '../../src/errors.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { lockDevices } from '../../src/ingest/world-store.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import {
  addHome,
  addSession,
  HOUR,
  type Home,
  job,
  MINUTE,
  openDatabase,
  SECOND,
  T0,
} from '../ingest/household.js';
import { failureOf } from '../support/failure-of.js';
import { waitFor } from '../support/wait-for.js';

describe('SessionManager', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  let ingest: Ingest;
  before(async () => {
    opened = await openDatabase();
    db = opened.db;
    ingest = createIngest({ dataSource: db });
  });
  after(() => opened.close());

  const start = (home: Home, options: { probeIds?: string[]; name?: string } = {}) =>
    db.transaction((tx) =>
      new SessionManager(tx).start(home.userId, { deviceId: home.deviceId, ...options }),
    );
  const end = (publicId: string) => db.transaction((tx) => new SessionManager(tx).end(publicId));
  const get = (publicId: string) => new SessionManager(db.manager).get(publicId);
  const sessionsOf = ({ userId }: Home) => new SessionManager(db.manager).list(userId);

  /** What the cloud's clock shows now, as a poll that has just ended tells. */
  async function setCloudClock({ userId }: Home, ms: number): Promise<void> {
    await db.query(
      `INSERT INTO thermoworks_credentials
         (public_id, user_id, provider, thermoworks_uid, refresh_token, cloud_read_at, last_polled_at)
       VALUES ($1, $2, 'thermoworks', 'uid', 'sealed', $3, now())
       ON CONFLICT (user_id) DO UPDATE SET cloud_read_at = excluded.cloud_read_at, last_polled_at = now()`,
      [uuidv7(), userId, new Date(ms)],
    );
  }

  /** A pit at 120 °C for half an hour, from `ms` on: an automatic session. */
  const hotPit = (ms: number) =>
    Array.from({ length: 40 }, (_, minute): [number, number, 'C'] => [
      ms + minute * MINUTE,
      minute < 5 ? 20 : 120,
      'C',
    ]);

  it('begins now by the cloud’s clock, with every temperature probe in its role', async () => {
    const probes = [{ label: 'Pit' }, { label: 'Point' }, { kind: 'humidity' as const }];
    const home = await addHome(db, { user: { temperatureUnit: 'C' }, probes });
    await setCloudClock(home, T0);
    const { publicId, joined } = await start(home, { name: 'Saturday' });
    const { session, probes: members } = await get(publicId);
    expect(joined).to.deep.equal(home.probes.slice(0, 2));
    expect(members.map(({ member }) => member.role)).to.deep.equal(['pit', 'food']);
    expect(session).to.include({
      sessionType: 'manual',
      status: 'active',
      name: 'Saturday',
      temperatureUnit: 'C',
    });
    expect(session.startTime.getTime() - T0).to.be.within(0, 20 * SECOND);
  });

  it('shows when the lid was open, once', async () => {
    const home = await addHome(db, { probes: [{ label: 'Pit' }] });
    const lifted: [number, number, 'C'][] = [40, 41, 42, 43].map((minute, index) => [
      T0 + minute * MINUTE,
      [100, 90, 100, 110][index] ?? 0,
      'C',
    ]);
    for (let times = 0; times < 2; times++)
      for (const part of [hotPit(T0), lifted]) await ingest([job(home, part)]);
    const [begun] = await sessionsOf(home);
    const { tags } = await get(begun?.publicId ?? '');
    expect(
      tags.map(({ tag, probeId, tagFrom, tagTo }) => [tag, probeId, +tagFrom - T0, +tagTo - T0]),
    ).to.deep.equal([['lid_open', home.probes[0], 39 * MINUTE, 43 * MINUTE]]);
  });

  it('counts what comes after its start, and nothing before', async () => {
    const home = await addHome(db);
    await setCloudClock(home, T0);
    const { publicId } = await start(home);
    await ingest([
      job(home, [
        [T0 - MINUTE, 300],
        [T0 + MINUTE, 70],
        [T0 + 2 * MINUTE, 80],
      ]),
    ]);
    const { session, probes } = await get(publicId);
    expect(session).to.include({
      readingCount: 2,
      minTemperature: 70,
      maxTemperature: 80,
      avgTemperature: 75,
    });
    expect(probes[0]?.stats).to.include({ readingCount: 2, temperatureSumHundredths: '15000' });
  });

  it('runs its timers though no reading ever comes', async () => {
    const home = await addHome(db);
    await setCloudClock(home, T0);
    const { publicId } = await start(home);
    const dueAt = async () => {
      const [row] = await db.query<{ due_at: Date }[]>(
        'SELECT due_at FROM detection_states WHERE device_id = $1',
        [home.device],
      );
      return row?.due_at.getTime() ?? Number.NaN;
    };
    expect((await dueAt()) - T0).to.be.within(10 * MINUTE, 11 * MINUTE);
    await ingest([], [{ device: home.device, nowMs: await dueAt() }]);
    expect((await get(publicId)).session.phase).to.equal('paused');
    await ingest([], [{ device: home.device, nowMs: await dueAt() }]);
    expect((await get(publicId)).session).to.include({ status: 'completed', endReason: 'lost_contact' });
  });

  it('takes over the automatic session that runs, keeps its start and adds the other probes', async () => {
    const home = await addHome(db, { probes: [{ label: 'Pit' }, {}] });
    const idle: [number, number, 'C'][] = [0, 20].map((minute) => [T0 + minute * MINUTE, 20, 'C']);
    await ingest([job(home, hotPit(T0), idle)]);
    const [automatic] = await sessionsOf(home);
    await setCloudClock(home, T0 + 40 * MINUTE);
    const { publicId, joined } = await start(home);
    const { session, probes } = await get(publicId);
    expect(automatic).to.include({ publicId, sessionType: 'auto' });
    expect(session).to.deep.include({ sessionType: 'manual', startTime: automatic?.startTime });
    expect(joined).to.deep.equal(home.probes.slice(1));
    expect(automatic?.readingCount).to.equal(35);
    expect(probes.map(({ stats }) => stats?.readingCount)).to.deep.equal([35, 1]);
    const cold = Array.from({ length: 120 }, (_, n): [number, number, 'C'] => [
      T0 + (41 + n) * MINUTE,
      20,
      'C',
    ]);
    await ingest([job(home, cold)]);
    expect((await get(publicId)).session.status).to.equal('active');
  });

  it('ends now, but not before its last reading; the pit that is still hot begins no other', async () => {
    const home = await addHome(db, { probes: [{ label: 'Pit' }] });
    await ingest([job(home, hotPit(T0))]);
    const [{ publicId } = { publicId: '' }] = await sessionsOf(home);
    await setCloudClock(home, T0 + 30 * MINUTE);
    await end(publicId);
    const { session } = await get(publicId);
    expect(session).to.include({ status: 'completed', phase: 'ended', endReason: 'manual' });
    expect(session.endTime).to.deep.equal(new Date(T0 + 39 * MINUTE));
    const readings = session.readingCount;
    await ingest([job(home, hotPit(T0 + HOUR).slice(5))]);
    expect((await sessionsOf(home)).map(({ readingCount }) => readingCount)).to.deep.equal([readings]);
    expect(await failureOf(end(publicId))).to.be.instanceOf(InputError);
  });

  it('waits for whoever changes the device, so that one of two starts at once begins', async () => {
    const home = await addHome(db);
    const waiting = async () => {
      const [row] = await db.query<{ n: number }[]>(
        `SELECT count(*)::integer AS n FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return row?.n === 2;
    };
    const both = await db.transaction(async (tx) => {
      await lockDevices(tx, [home.device]);
      const starts = Promise.allSettled([start(home), start(home)]);
      await waitFor(waiting, { what: 'both starts to wait' });
      return { starts };
    });
    expect((await both.starts).map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    expect(await sessionsOf(home)).to.have.length(1);
  });

  it('refuses a device of another, a probe that is not there and one that measures humidity', async () => {
    const home = await addHome(db, { probes: [{}, { kind: 'humidity' }] });
    const stranger = await addHome(db);
    const foreign = await failureOf(start({ ...home, userId: stranger.userId }));
    expect(foreign).to.be.instanceOf(NotFoundError);
    expect(await failureOf(start(home, { probeIds: ['7'] }))).to.be.instanceOf(NotFoundError);
    expect(await failureOf(start(home, { probeIds: ['2'] }))).to.be.instanceOf(InputError);
    expect(await failureOf(end(uuidv7()))).to.be.instanceOf(NotFoundError);
  });

  it('lists the newest first and hides cancelled ones', async () => {
    const home = await addHome(db);
    const ended = { phase: 'ended', endTime: new Date(T0 + MINUTE) } as const;
    const older = await addSession(db, home, { ...ended, status: 'completed' });
    await addSession(db, home, { ...ended, status: 'cancelled' });
    const newer = await addSession(db, home, { startTime: new Date(T0 + HOUR) });
    expect((await sessionsOf(home)).map(({ id }) => id)).to.deep.equal([newer, older]);
  });
});
