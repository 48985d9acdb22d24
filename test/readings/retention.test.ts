import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { listGaps } from '../../src/readings/gap-list.js';
import { dropOldMonths, keptSince, listMonths } from '../../src/readings/retention.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import { createMaintenance } from '../../src/worker/maintenance.js';
import { addAlert, addHome, addSession, HOUR, type Home, job, openDatabase } from '../ingest/household.js';
import { captureLog } from '../support/captured-log.js';
import { failureOf } from '../support/failure-of.js';

const utc = (text: string) => new Date(`${text}T00:00:00.000Z`);

describe('retention', function () {
  this.timeout(60_000);
  let db: DataSource;
  let connect: (to?: string) => Promise<DataSource>;
  let url: string;
  let close: () => Promise<void>;
  let ingest: Ingest;
  let home: Home;
  beforeEach(async () => {
    ({ db, url, connect, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
    home = await addHome(db, { probes: [{}, {}] });
  });
  afterEach(() => close());

  /** A reading of both probes on each of these days, at noon. */
  const measured = (...days: string[]) => {
    const curve = days.map((day, index): [number, number] => [utc(day).getTime() + 12 * HOUR, 50 + index]);
    return ingest([job(home, curve, curve)]);
  };
  const session = (from: string, to: string | null, more: Parameters<typeof addSession>[2] = {}) =>
    addSession(db, home, {
      startTime: utc(from),
      endTime: to === null ? null : utc(to),
      ...(to !== null && { status: 'completed', phase: 'ended' }),
      ...more,
    });
  const monthsOf = async (keptFrom: string) =>
    (await listMonths(db.manager, utc(keptFrom))).map(({ partition, rows, fate, why }) =>
      [partition.slice(9), rows, fate, why].join(' '),
    );
  const gone = async (keptFrom: string, from = db) =>
    (await dropOldMonths(from, utc(keptFrom))).map(({ partition }) => partition.slice(9));
  const there = async () =>
    (await listMonths(db.manager, utc('2020-01-01'))).map(({ partition }) => partition.slice(9));

  it('keeps a month until all of it is old, to the day', async () => {
    await measured('2024-02-03', '2024-02-29', '2024-03-31');
    expect((await monthsOf('2024-03-01')).slice(0, 2)).to.deep.equal([
      '2024_02 4 drop older than the retention',
      '2024_03 2 keep younger than the retention',
    ]);
    const instant = new Date(utc('2024-03-01').getTime() - 1);
    expect((await listMonths(db.manager, instant))[0]).to.include({
      fate: 'keep',
      partition: 'readings_2024_02',
    });
    expect(await dropOldMonths(db, instant)).to.deep.equal([]);
    expect(keptSince(utc('2025-04-05'), 400)).to.deep.equal(utc('2024-03-01'));
    expect(await gone('2024-03-01')).to.deep.equal(['2024_02']);
    expect(await gone('2024-03-01')).to.deep.equal([]);
    expect((await there())[0]).to.equal('2024_03');
  });

  it('keeps a month that holds readings of a session, and no other', async () => {
    await measured(
      '2024-01-15',
      '2024-02-15',
      '2024-03-15',
      '2024-04-15',
      '2024-05-15',
      '2024-06-15',
      '2024-08-15',
    );
    await session('2024-01-14', '2024-01-16');
    await session('2024-02-14', '2024-02-16', { status: 'cancelled' });
    await session('2024-03-14', '2024-03-16', { deletedAt: new Date() });
    // In April and at the beginning of May, when nothing was measured.
    await session('2024-04-20', '2024-05-02');
    // A hand-over: the probes were in it only when there were no readings.
    const handed = await session('2024-06-10', '2024-06-20');
    await db.query(`UPDATE session_members SET member_to = '2024-06-12Z' WHERE session_id = $1`, [handed]);
    await session('2024-08-01', null);
    expect((await monthsOf('2024-11-01')).slice(0, 7)).to.deep.equal([
      '2024_01 2 keep readings of a session',
      '2024_02 2 drop older than the retention',
      '2024_03 2 drop older than the retention',
      '2024_04 2 drop older than the retention',
      '2024_05 2 drop older than the retention',
      '2024_06 2 drop older than the retention',
      '2024_08 2 keep readings of a session',
    ]);
    expect(await gone('2024-11-01')).to.deep.equal(['2024_02', '2024_03', '2024_04', '2024_05', '2024_06']);
    expect((await there()).slice(0, 2)).to.deep.equal(['2024_01', '2024_08']);
  });

  it('looks again once nobody else is at it, and waits for nobody for long', async () => {
    await measured('2024-01-15');
    const other = await connect();
    await other.transaction(async (tx) => {
      await tx.query('SELECT FROM readings LIMIT 1');
      expect(await gone('2024-11-01')).to.deep.equal([]);
    });
    const plan = await listMonths(db.manager, utc('2024-11-01'));
    expect(plan[0]).to.include({ fate: 'drop' });
    await session('2024-01-14', '2024-01-16');
    const [row] = await db.query('SELECT drop_readings_partition($1, $2) AS gone', [
      utc('2024-01-01'),
      utc('2024-11-01'),
    ]);
    expect(row).to.deep.equal({ gone: false });
  });

  it('is for those who may delete readings, and never of the month that runs', async () => {
    await measured('2024-01-15');
    const role = `service_${new URL(url).pathname.slice(-12)}`;
    await db.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'secret of the test'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`,
    );
    const login = new URL(url);
    login.username = role;
    login.password = 'secret of the test';
    const service = await connect(login.toString());
    try {
      expect(String(await failureOf(gone('2024-11-01', service)))).to.match(/only who may delete readings/);
      await db.query(`GRANT DELETE ON readings TO ${role}`);
      expect(await gone('2024-11-01', service)).to.deep.equal(['2024_01']);
      const future = new Date(Date.now() + 4000 * 24 * HOUR);
      const [row] = await service.query('SELECT drop_readings_partition(now(), $1) AS gone', [future]);
      expect(row).to.deep.equal({ gone: false });
    } finally {
      await service.destroy();
      await db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('leaves buckets, alerts, gaps and figures as they are, and takes new readings of the month', async () => {
    await addAlert(db, home, { type: 'target', targetTemperature: 51, holdSeconds: 0, probeId: '2' });
    await measured('2024-01-15', '2024-01-20');
    await session('2024-01-18', '2024-01-19');
    await db.query(
      `INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause) VALUES ($1, '2024-01-15Z', '2024-01-20Z', 'offline')`,
      [home.probes[0]],
    );
    const { logger, entries } = captureLog();
    const maintain = createMaintenance({
      dataSource: db,
      now: () => utc('2025-03-07'),
      retentionDays: 400,
      logger,
    });
    await maintain();
    expect(entries).to.have.length(1);
    expect(entries[0]).to.include({ partition: 'readings_2024_01', rows: 4 });
    const rows = async (table: string) => (await db.query(`SELECT FROM ${table}`)).length;
    expect(await rows('readings')).to.equal(0);
    expect(await rows('reading_buckets')).to.equal(8);
    expect(await rows('alert_events')).to.equal(1);
    expect(await listGaps(db.manager, home.probes, { limit: 9 })).to.have.length(1);
    const { session: shown } = await new SessionManager(db.manager).get(
      (await new SessionManager(db.manager).list(home.userId))[0]?.publicId ?? '',
    );
    expect(shown.status).to.equal('completed');
    await measured('2024-01-21');
    expect(await rows('readings')).to.equal(2);
    expect(await rows('readings_default')).to.equal(0);
  });
});
