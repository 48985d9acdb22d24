import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { PermanentError, sqlStateOf } from '../../src/errors.js';
import { createIngest } from '../../src/ingest/ingest.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { createBatcher } from '../../src/worker/batcher.js';
import { isOutage } from '../../src/worker/outage.js';
import {
  addAlert,
  addHome,
  addSession,
  type Home,
  job,
  MINUTE,
  openDatabase,
  readingsOf,
  T0,
} from '../ingest/household.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

/** Statements that wait for a lock in this database. */
const WAITING =
  "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

describe('batcher', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let proxy: TcpProxy;
  let proxied: DataSource;
  let batches: { readings: number; stored: number }[];

  before(async () => {
    const opened = await openDatabase();
    ({ db, close } = opened);
    proxy = await startTcpProxy(opened.url);
    proxied = await opened.connect(proxy.through(opened.url));
  });
  beforeEach(() => {
    batches = [];
  });
  afterEach(async () => {
    await db.query('DROP FUNCTION IF EXISTS refuse CASCADE');
    await db.query('TRUNCATE readings, users CASCADE');
  });
  after(async () => {
    await close();
    await proxy.close();
  });

  const batcher = (dataSource = db, longestSeconds = Number.POSITIVE_INFINITY) =>
    createBatcher({
      ingest: createIngest({ dataSource }),
      mostReadings: 4_000,
      longestSeconds,
      onCommit: ({ stored }, { readings }) => batches.push({ readings, stored: stored.length }),
    });
  const addAll = async (jobs: readonly ReadingsJob[], dataSource = db): Promise<unknown[]> => {
    const { add } = batcher(dataSource);
    const fates = await Promise.allSettled(jobs.map((one) => add(one)));
    return fates.map((fate) => (fate.status === 'fulfilled' ? 'stored' : fate.reason));
  };
  const minutes = (home: Home, count: number, from = 0): ReadingsJob[] =>
    Array.from({ length: count }, (_, i) => job(home, [[T0 + (from + i) * MINUTE, 100 + i / 100]]));
  /** Makes each new reading of the probe, or what `when` says of it, fail with this SQLSTATE. */
  const refuse = async (state: string, when: string) => {
    await db.query('CREATE SEQUENCE IF NOT EXISTS refusals');
    await db.query('ALTER SEQUENCE refusals RESTART');
    await db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF ${when} THEN RAISE EXCEPTION 'refused' USING ERRCODE = '${state}'; END IF; RETURN NEW; END $$`);
    await db.query('CREATE TRIGGER refuse BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION refuse()');
  };

  it('commits what comes at the same time at once, and what comes meanwhile next', async () => {
    const home = await addHome(db);
    const { add } = batcher();
    const first = minutes(home, 100).map((one) => add(one));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const meanwhile = minutes(home, 50, 100).map((one) => add(one));
    await Promise.all([...first, ...meanwhile]);
    expect(batches).to.deep.equal([
      { readings: 100, stored: 100 },
      { readings: 50, stored: 50 },
    ]);
    await add(job(home, [[T0 + 999 * MINUTE, 1]]));
    expect(batches).to.have.lengthOf(3);
  });

  it('has settled when all that was added before is committed or refused, and no sooner', async () => {
    const [home, other] = [await addHome(db), await addHome(db)];
    await refuse('22003', 'NEW.value = 666');
    const { add, settled } = batcher();
    const seen: string[] = [];
    const note = (word: string) => () => seen.push(word);
    await db.transaction(async (tx) => {
      await tx.query('SELECT FROM devices FOR UPDATE');
      void add(job(home, [[T0, 1]])).then(note('stored'));
      void add(job(other, [[T0, 666]])).catch(note('refused'));
      void settled().then(note('settled'));
      await waitFor(async () => (await db.query(WAITING)).length > 0, { what: 'a batch that waits' });
      expect(seen).to.deep.equal([]);
    });
    await waitFor(() => seen.length === 3, { what: 'all three' });
    expect(seen.at(-1)).to.equal('settled');
    await batcher().settled();
  });

  const parts = (home: Home, count: number, from = 0) =>
    Array.from({ length: count }, (_, part) =>
      job(
        home,
        Array.from({ length: 250 }, (__, i): [number, number] => [
          T0 + ((from + part) * 250 + i) * 1000,
          100,
        ]),
      ),
    );

  it('takes twice as many each time, up to so many readings at once, and a job alone however large', async () => {
    const home = await addHome(db);
    expect(await addAll(parts(home, 50))).to.deep.equal(Array(50).fill('stored'));
    expect(batches.map(({ readings }) => readings / 250)).to.deep.equal([2, 4, 8, 16, 16, 4]);
    batches = [];
    const samples = Array.from({ length: 4_001 }, (_, i): [number, number] => [
      T0 + (20_000 + i) * 1000,
      100,
    ]);
    await addAll([...parts(home, 2, 60), job(home, samples), ...parts(home, 1, 100)]);
    expect(batches.map(({ readings }) => readings)).to.deep.equal([500, 4_001, 250]);
  });

  it('takes fewer after a batch that took too long, down to a sixteenth', async () => {
    const { add } = batcher(db, 0);
    const home = await addHome(db);
    await Promise.all(parts(home, 5).map((one) => add(one)));
    expect(batches.map(({ readings }) => readings / 250)).to.deep.equal([2, 1, 1, 1]);
  });

  it('takes fewer after a batch that ran into a timeout', async () => {
    const home = await addHome(db);
    const ingest = createIngest({ dataSource: db });
    const sizes: number[] = [];
    const { add } = createBatcher({
      ingest: async (jobs) => {
        sizes.push(jobs.length);
        if (jobs.length > 5) throw Object.assign(new Error('canceled'), { code: '57014' });
        return ingest(jobs);
      },
      mostReadings: 16_000,
      onCommit: () => undefined,
    });
    const once = () => Promise.allSettled(parts(home, 8).map((one) => add(one)));
    expect((await once()).map(({ status }) => status)).to.deep.equal(Array(8).fill('rejected'));
    expect((await once()).map(({ status }) => status)).to.deep.equal(Array(8).fill('fulfilled'));
    expect(sizes).to.deep.equal([8, 4, 4]);
  });

  it('takes two batches at once, of other accounts each', async () => {
    const under = new Set<number>();
    const seen: string[] = [];
    const { add } = createBatcher({
      ingest: async (jobs) => {
        const account = jobs[0]?.account ?? 0;
        under.add(account);
        seen.push([...under].sort().join(' '));
        await new Promise((resolve) => setImmediate(resolve));
        under.delete(account);
        const nothing = { stored: [], notificationIds: [], transitions: [], sessionEvents: [] };
        return { ...nothing, conflicts: 0, unknownProbe: 0 };
      },
      onCommit: () => undefined,
    });
    const [home] = [await addHome(db)];
    const [one] = minutes(home, 1);
    if (one) await Promise.all([1, 2, 3].map((account) => add({ ...one, account })));
    expect(seen).to.deep.equal(['1', '1 2']);
  });

  it('splits off the jobs whose data PostgreSQL refuses, and commits all others', async () => {
    const [home, bad] = [await addHome(db), await addHome(db)];
    await refuse('22023', `NEW.probe_id = ${bad.probes[0]}`);
    const jobs = [...minutes(home, 20), ...minutes(bad, 1), ...minutes(home, 20, 20), ...minutes(bad, 1, 1)];
    const fates = await addAll(jobs);
    for (const [index, fate] of fates.entries()) {
      if (index !== 20 && index !== 41) expect(fate).to.equal('stored');
      else {
        expect(fate).to.be.instanceOf(PermanentError);
        expect(sqlStateOf(fate instanceof Error ? fate.cause : undefined)).to.equal('22023');
      }
    }
    expect(await readingsOf(db)).to.have.lengthOf(40);
    expect(batches.reduce((sum, { stored }) => sum + stored, 0)).to.equal(40);
  });

  it('splits off a value that no sum of a session can hold', async () => {
    const [home, bad] = [await addHome(db), await addHome(db)];
    await addSession(db, bad, { temperatureUnit: 'F' });
    const fates = await addAll([...minutes(home, 5), job(bad, [[T0, 3e38]]), ...minutes(bad, 3)]);
    const poison = fates[5];
    expect(fates.toSpliced(5, 1)).to.deep.equal(Array(8).fill('stored'));
    expect(poison).to.be.instanceOf(PermanentError);
    expect(sqlStateOf(poison instanceof Error ? poison.cause : undefined)).to.equal('22003');
    const stats = await db.query('SELECT reading_count, max_temperature FROM grilling_sessions');
    expect(stats).to.deep.equal([{ reading_count: 3, max_temperature: 100.02 }]);
  });

  it('lets a device that we cannot make sense of harm no other, and does not call it the fault of its data', async () => {
    const [home, broken] = [await addHome(db), await addHome(db)];
    await db.query(`INSERT INTO detection_states (device_id, state) VALUES ($1, '{"probes": 7}')`, [
      broken.device,
    ]);
    const [a, fate, b] = await addAll([...minutes(home, 1), ...minutes(broken, 1), ...minutes(home, 1, 1)]);
    expect([a, b]).to.deep.equal(['stored', 'stored']);
    expect(fate).to.be.instanceOf(Error).and.not.instanceOf(PermanentError);
    expect(await readingsOf(db)).to.have.lengthOf(2);
  });

  it('tries a batch again that collided with another transaction', async () => {
    const home = await addHome(db);
    for (const state of ['40001', '40P01', '55P03']) {
      await refuse(state, "nextval('refusals') < 4");
      expect(await addAll(minutes(home, 1))).to.deep.equal(['stored']);
      await db.query('DROP FUNCTION refuse CASCADE');
      await db.query('TRUNCATE readings');
    }
    await refuse('40001', 'true');
    const [fate] = await addAll(minutes(home, 1));
    expect(sqlStateOf(fate)).to.equal('40001');
    const [row] = await db.query<unknown[]>('SELECT last_value::integer FROM refusals');
    expect(row).to.deep.equal({ last_value: 1 });
  });

  it('gives every job back when the database is gone, keeps nothing of them, and goes on when it is there', async () => {
    const home = await addHome(db);
    await addAlert(db, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
    const { add } = batcher(proxied);
    const jobs = minutes(home, 10);
    await add(job(home, [[T0 - 1, 1]]));
    await proxy.set({ kind: 'refuse' });
    const fates = await Promise.allSettled(jobs.map((one) => add(one)));
    expect(fates.every((fate) => fate.status === 'rejected' && isOutage(fate.reason))).to.equal(true);
    expect(await readingsOf(db)).to.have.lengthOf(1);
    await proxy.set({ kind: 'pass' });
    await Promise.all(jobs.map((one) => add(one)));
    expect(await readingsOf(db)).to.have.lengthOf(11);
    expect(await db.query('SELECT version FROM alert_events')).to.deep.equal([{ version: 1 }]);
  });

  it('gives jobs back whose connection is ended in the middle, and only half-done work is undone', async () => {
    const home = await addHome(db);
    await refuse('22023', 'pg_terminate_backend(pg_backend_pid())');
    const fates = await addAll(minutes(home, 3), proxied);
    expect(fates.every(isOutage)).to.equal(true);
    await db.query('DROP FUNCTION refuse CASCADE');
    expect(await addAll(minutes(home, 3), proxied)).to.deep.equal(Array(3).fill('stored'));
    expect(await readingsOf(db)).to.have.lengthOf(3);
  });
});
