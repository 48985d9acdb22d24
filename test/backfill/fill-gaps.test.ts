import { expect } from 'chai';
import { createGapFiller } from '../../src/backfill/fill-gaps.js';
import { claimDue } from '../../src/backfill/start.js';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from '../poller/kitchen.js';
import { captureLog } from '../support/captured-log.js';

const HOUR = 3_600;
/** A moment ago: a time is kept in milliseconds. */
const SET_DUE = `UPDATE devices SET archives_due_at = now() - interval '1 second'`;

describe('gaps and archives', function () {
  this.timeout(180_000);
  let home: Home;
  let kitchen: Kitchen;
  let account: number;
  let user: number;
  let closed: string[];
  let log: ReturnType<typeof captureLog>;

  before(async () => {
    home = await openHome();
  });
  after(() => home.close());
  afterEach(() => kitchen.close());

  const open = async (devices = 1) => {
    kitchen = await openKitchen(home, { devices });
    ({ account, user } = await kitchen.link());
    closed = [];
    log = captureLog();
  };
  const sql = (text: string, values: unknown[] = []) => home.dataSource.query(text, values);
  const serials = async () => (await kitchen.cloud.devices()).map(({ id }) => id);
  const watch = async (polls: number) => {
    for (let n = 0; n < polls; n += 1) {
      kitchen.pass(15);
      await kitchen.poller.pollNow(account);
    }
  };
  const archive = async (body: object = {}) => {
    for (const device_id of await serials())
      await kitchen.cloud.post('/_control/archives', { device_id, ...body });
  };
  const filler = (signal?: AbortSignal) =>
    createGapFiller({
      dataSource: home.dataSource,
      clientOf: () => kitchen.client,
      tokens: kitchen.parts.tokens,
      logger: log.logger,
      onStored: () => undefined,
      onClosed: (outcome, count) => closed.push(...Array<string>(count).fill(outcome)),
      signal,
    });
  /** What a tick and the jobs that it made do. */
  const fill = async () => {
    const due = await claimDue(home.dataSource);
    for (const device of due) await filler()({ device });
    return due.length;
  };
  const gaps = () =>
    sql(`SELECT status, count(*)::int AS n FROM reading_gaps GROUP BY status ORDER BY status`);
  const dueIn = async (): Promise<number | null> => {
    const [row] = await sql('SELECT extract(epoch FROM archives_due_at - now())::float8 AS s FROM devices');
    return row.s;
  };

  it('a poller that was stopped for two hours ends equal to what the cloud has', async () => {
    await open(4);
    await watch(4);
    kitchen.pass(2 * HOUR);
    await watch(2);
    const found = await gaps();
    expect(found).to.deep.equal([{ status: 'open', n: 10 }]);
    // No recording is closed yet: there is nothing to take.
    await sql(SET_DUE);
    expect(await fill()).to.equal(4);
    expect(await gaps()).to.deep.equal(found);
    expect(await fill()).to.equal(0);

    await archive();
    await watch(1);
    const before = (await storedRows(home.dataSource, user)).length;
    expect(await fill()).to.equal(4);
    const stored = await storedRows(home.dataSource, user);
    expect(stored.length - before).to.be.greaterThan(3 * 700);
    expect(stored).to.deep.equal(kitchen.served());
    expect(await gaps()).to.deep.equal([{ status: 'filled', n: 10 }]);
    expect(closed).to.deep.equal(Array(10).fill('filled'));
    const [{ live, filled }] = await sql(
      'SELECT count(*) FILTER (WHERE flags = 0)::int AS live, count(*) FILTER (WHERE flags = 48)::int AS filled FROM readings',
    );
    expect([live + filled, filled]).to.deep.equal([stored.length, stored.length - before]);
    // Nothing is open: nobody looks again.
    expect(await sql('SELECT FROM devices WHERE archives_due_at IS NOT NULL')).to.deep.equal([]);
    await sql(SET_DUE);
    await fill();
    expect(await storedRows(home.dataSource, user)).to.deep.equal(stored);
  });

  /** Minutes that nobody saw, and their recording. */
  const outage = async (body: object = {}) => {
    await watch(2);
    kitchen.pass(900);
    await watch(1);
    await archive(body);
    await watch(1);
  };
  const file = (effect: object) => kitchen.fault({ route: 'file', ...effect });
  const again = async () => {
    await sql(SET_DUE);
    await fill();
  };
  const expectWhole = async () =>
    expect(await storedRows(home.dataSource, user)).to.deep.equal(kitchen.served());
  const faultsSeen = () => sql('SELECT last_error FROM archive_copies ORDER BY id');

  it('take a file in any order, with bad rows, other units, other times', async () => {
    await open();
    const shapes = ['unsorted', 'short_rows', 'celsius'].map((shape) => ({ shape }));
    for (const [n, effect] of shapes.entries()) {
      await outage();
      await file({ ...effect, times: 9 });
      // Bad rows make it another number than its document says.
      for (let tries = 0; tries < 3; tries += 1) await again();
      await kitchen.noFaults();
      await expectWhole();
      expect(await gaps(), JSON.stringify(effect)).to.deep.equal([{ status: 'filled', n: 3 * (n + 1) }]);
    }
    expect(await sql(`SELECT FROM readings WHERE unit = 'C' AND flags = 48`)).to.have.length.greaterThan(200);
  });

  it('wait for a file that is still being written, and take it as it is after three looks', async () => {
    await open();
    await outage();
    await file({ shape: 'half', times: 3 });
    await fill();
    expect(await gaps()).to.deep.equal([{ status: 'open', n: 3 }]);
    expect(await sql('SELECT FROM readings WHERE flags = 48')).to.deep.equal([]);
    expect(await dueIn()).to.be.within(500, 700);
    expect(await faultsSeen()).to.deep.equal([{ last_error: 'unfinished' }]);
    await again();
    await again();
    expect(await gaps()).to.deep.equal([
      { status: 'filled', n: 2 },
      { status: 'lost', n: 1 },
    ]);
    const half = await sql('SELECT FROM readings WHERE flags = 48');
    expect(half.length).to.be.greaterThan(80);

    await outage();
    await file({ shape: 'half', times: 1 });
    await fill();
    await again();
    expect(await gaps()).to.deep.include({ status: 'filled', n: 5 });
  });

  it('take what a torn file has, and leave its gap open', async () => {
    await open();
    await outage();
    const [serial] = await serials();
    const { text } = await kitchen.cloud.request('/_control/accounts');
    expect(text).to.not.equal('');
    const rows = await sql('SELECT probe_id, gap_start FROM reading_gaps ORDER BY probe_id');
    const row = JSON.stringify(['1', rows[0].gap_start.getTime() + 60_000, 251.5, 'F']);
    await file({ body: `{"serial":"${serial}","readings":[${row},["1",1795`, times: 9 });
    for (const found of [0, 0, 1]) {
      await again();
      expect(await sql('SELECT FROM readings WHERE flags = 48')).to.have.length(found);
    }
    expect(await gaps()).to.deep.equal([{ status: 'open', n: 3 }]);
    expect(await faultsSeen()).to.deep.equal([{ last_error: 'torn' }]);
    expect(await dueIn()).to.be.within(12_000, 17_000);
  });

  it('leave a gap open where the file is not there or refused, and give up what is too large', async () => {
    await open();
    await outage();
    for (const [effect, reason] of [
      [{ status: 404, message: 'Not Found.' }, 'NOT_FOUND'],
      [{ status: 403 }, 'PERMISSION_DENIED'],
      [{ html: true }, 'malformed'],
    ]) {
      await file({ ...Object(effect), times: 1 });
      await again();
      expect(await gaps()).to.deep.equal([{ status: 'open', n: 3 }]);
      expect(await faultsSeen()).to.deep.equal([{ last_error: reason }]);
    }
    await file({ pad_mb: 51, gzip: true, times: 1 });
    await again();
    expect(await gaps()).to.deep.equal([{ status: 'lost', n: 3 }]);
    expect(await faultsSeen()).to.deep.equal([{ last_error: 'too_large' }]);
    expect(await dueIn()).to.equal(null);
  });

  it('wait while the cloud fails or the account may not be asked', async () => {
    await open();
    await outage();
    const before = await gaps();
    for (const fault of [
      { route: 'archives', status: 503, times: 3 },
      { route: 'file', cut: true, times: 3 },
      { route: 'archives', status: 429, retry_after: 3000, times: 1 },
    ]) {
      await kitchen.fault(fault);
      await again();
      expect(await gaps()).to.deep.equal(before);
    }
    expect(await dueIn()).to.be.within(2_600, 3_400);
    await sql(`UPDATE thermoworks_credentials SET status = 'needs_reauth'`);
    await again();
    expect(await dueIn()).to.be.within(12_000, 17_000);
    expect(log.entries.map(({ message }) => message)).to.deep.equal(
      Array(3).fill('archives could not be read'),
    );
  });

  it('fill the part that a recording covers; the rest stays open until another does', async () => {
    await open();
    await watch(2);
    kitchen.pass(HOUR);
    await archive();
    kitchen.pass(HOUR);
    await watch(2);
    await again();
    expect(await gaps()).to.deep.equal([
      { status: 'filled', n: 3 },
      { status: 'open', n: 3 },
    ]);
    const ends = await sql(
      `SELECT DISTINCT status, extract(epoch FROM gap_end - gap_start)::float8 AS s FROM reading_gaps ORDER BY status`,
    );
    for (const { s } of ends) expect(s).to.be.within(HOUR - 120, HOUR + 60);
    await archive();
    await again();
    expect(await gaps()).to.deep.equal([{ status: 'filled', n: 6 }]);
    await watch(1);
    await expectWhole();
  });

  it('are left to whoever comes next where the process ends, and filled once', async () => {
    await open();
    await outage();
    const ending = new AbortController();
    ending.abort();
    const due = await claimDue(home.dataSource);
    for (const device of due) await filler(ending.signal)({ device });
    expect([due.length, await gaps()]).to.deep.equal([1, [{ status: 'open', n: 3 }]]);
    expect(await dueIn()).to.be.within(500, 600);
    const [device] = due;
    // Two processes at once, as when a job is taken for lost.
    await Promise.all([filler()({ device: device ?? 0 }), filler()({ device: device ?? 0 })]);
    await expectWhole();
    expect(await gaps()).to.deep.equal([{ status: 'filled', n: 3 }]);
  });

  it('are given up after 30 days', async () => {
    await open();
    await watch(2);
    kitchen.pass(HOUR);
    await watch(1);
    await sql(`UPDATE reading_gaps SET created_at = now() - interval '29 days' WHERE id % 3 = 0`);
    await sql(`UPDATE reading_gaps SET created_at = now() - interval '30 days' WHERE id % 3 = 1`);
    await again();
    expect(await gaps()).to.deep.equal([
      { status: 'lost', n: 1 },
      { status: 'open', n: 2 },
    ]);
    expect(closed).to.deep.equal(['lost']);
  });

  it('are looked for 5 min after they appear, and at once when a recording was closed', async () => {
    await open();
    await watch(2);
    expect(await dueIn()).to.equal(null);
    kitchen.pass(HOUR);
    await watch(1);
    expect(await dueIn()).to.be.within(250, 300);
    await archive();
    await watch(1);
    expect(await dueIn()).to.be.at.most(0);
    await sql(`UPDATE devices SET archives_due_at = now() + interval '1 day'`);
    await watch(1);
    expect(await dueIn()).to.be.greaterThan(80_000);
  });

  it('are kept of what sends on change, where nobody could see it speak', async () => {
    await open(4);
    const meat = (await serials())[3];
    const of = () =>
      sql('SELECT FROM reading_gaps g JOIN probes p ON p.id = g.probe_id WHERE device_id = $1', [meat]);
    await watch(1);
    kitchen.pass(18 * 60);
    await watch(1);
    expect(await of()).to.have.length(0);
    kitchen.pass(2 * HOUR);
    await watch(1);
    expect(await of()).to.have.length(4);
  });

  it('filled late tell nobody: what an alert would have said is on record as detected late', async () => {
    await open();
    await watch(2);
    await sql(
      `INSERT INTO temperature_alerts (public_id, user_id, device_id, probe_id, alert_type, max_temperature,
         temperature_unit, hold_seconds, recovery_seconds, hysteresis, cooldown_seconds, repeat_seconds, severity)
       SELECT gen_random_uuid(), user_id, device_id, '1', 'range', 100, 'F', 0, 0, 2, 0, 0, 'warning' FROM devices`,
    );
    kitchen.pass(HOUR);
    const [device_id] = await serials();
    const cold = [{ value: 60 }];
    await kitchen.readings({ device_id, manual: true, probe_id: '1', readings: cold });
    await kitchen.poller.pollNow(account);
    await archive();
    await again();
    const events = await sql('SELECT kind, detected_late FROM alert_events ORDER BY version DESC');
    expect(events).to.deep.equal([
      { kind: 'fired', detected_late: true },
      { kind: 'resolved', detected_late: true },
    ]);
    expect(await sql('SELECT FROM notifications')).to.deep.equal([]);
  });
});
