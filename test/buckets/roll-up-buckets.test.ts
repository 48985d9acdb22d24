import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { DeviceManager } from '../../src/accounts/device-manager.js';
import { bucketsOf, HOUR_MS, hourOf } from '../../src/buckets/bucket.js';
import { expireQuarters } from '../../src/buckets/bucket-store.js';
import { rollUpBuckets } from '../../src/buckets/roll-up-buckets.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { loadSpans } from '../../src/readings/reading-store.js';
import { addHome, HOUR, type Home, job, MINUTE, openDatabase, T0 } from '../ingest/household.js';
import { failureOf } from '../support/failure-of.js';

describe('the roll-up of buckets', function () {
  this.timeout(60_000);
  let db: DataSource;
  let connect: () => Promise<DataSource>;
  let close: () => Promise<void>;
  let ingest: Ingest;
  before(async () => {
    ({ db, connect, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  afterEach(() => db.query('TRUNCATE readings, reading_buckets, reading_bucket_marks, users CASCADE'));
  after(() => close());

  const rollUp = () => rollUpBuckets({ dataSource: db });
  const stored = (): Promise<Record<string, unknown>[]> =>
    db.query('SELECT * FROM reading_buckets ORDER BY probe_id, bucket_start, seconds');
  const count = async (table: string) => (await db.query(`SELECT FROM ${table}`)).length;

  /** What there should be: worked out from all that is stored, at one go. */
  async function expected({ probes }: Home) {
    const spans = probes.map((probeId) => ({ probeId, fromMs: 0, toMs: null }));
    const readings = await loadSpans(db.manager, spans);
    const buckets = readings.flatMap((all) => {
      const [first, last] = [all[0]?.measuredAtMs ?? 0, all.at(-1)?.measuredAtMs ?? 0];
      const hours = { fromMs: hourOf(first), toMs: hourOf(last) + 2 * HOUR_MS };
      return bucketsOf(all, hours, undefined);
    });
    const sorted = buckets.sort(
      (a, b) => a.probeId - b.probeId || a.startMs - b.startMs || a.seconds - b.seconds,
    );
    return sorted.map((bucket) => ({
      probe_id: bucket.probeId,
      seconds: bucket.seconds,
      bucket_start: new Date(bucket.startMs),
      unit: bucket.unit,
      reading_count: bucket.count,
      min_hundredths: bucket.minHundredths,
      max_hundredths: bucket.maxHundredths,
      weighted_sum: String(bucket.weightedSum),
      covered_ms: bucket.coveredMs,
      out_of_range_ms: bucket.outOfRangeMs,
    }));
  }

  it('gives the same in any order of arrival, with late and repeated readings, as all at once', async () => {
    const reading = fc.record({
      probe: fc.integer({ min: 0, max: 1 }),
      second: fc.integer({ min: 0, max: 40 * 3600 }),
      value: fc.integer({ min: 0, max: 2500 }),
    });
    // A batch of readings, or a time at which the buckets are brought up to what is there.
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.array(reading, { minLength: 1, maxLength: 25 }) },
      fc.constant('roll up'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 7 }), async (steps) => {
        const home = await addHome(db, { probes: [{}, {}] });
        const batches: (typeof reading extends fc.Arbitrary<infer R> ? R : never)[][] = [];
        for (const one of steps) {
          if (typeof one === 'string') await rollUp();
          else {
            batches.push(one);
            // Together with the batch before, once more.
            const again = [...one, ...(batches.at(-2) ?? [])];
            const of = (probe: number) =>
              again
                .filter((each) => each.probe === probe)
                .map(({ second, value }): [number, number] => [T0 + second * 1000, value / 10]);
            await ingest([job(home, of(0), of(1))]);
          }
        }
        await rollUp();
        const rows = await stored();
        expect(rows).to.deep.equal(await expected(home));
        await rollUp();
        expect(await stored()).to.deep.equal(rows);
        expect(await count('reading_bucket_marks')).to.equal(0);
        await db.query('TRUNCATE readings, reading_buckets, users CASCADE');
      }),
      { numRuns: 6, endOnFailure: true },
    );
  });

  /** So many minutes of two probes. */
  const cooked = async (minutes: number, everyMinutes = 1): Promise<Home> => {
    const home = await addHome(db, { probes: [{}, {}] });
    const curve = (base: number) =>
      Array.from({ length: minutes / everyMinutes }, (_, index): [number, number] => [
        T0 + index * everyMinutes * MINUTE,
        base + ((index * everyMinutes) % 60),
      ]);
    await ingest([job(home, curve(100), curve(200))]);
    return home;
  };

  it('works through long and silent times in steps, each of which is kept when a later one fails', async () => {
    const home = await cooked(31 * 60, 5);
    await ingest([job(home, [[T0 + 400 * 24 * HOUR, 70]])]);
    await db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE 'disk full'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON reading_buckets FOR EACH ROW
      WHEN (NEW.bucket_start = '${new Date(T0 + 30 * HOUR).toISOString()}') EXECUTE FUNCTION refuse()`);
    expect(String(await failureOf(rollUp()))).to.match(/disk full/);
    const half = await stored();
    expect(half).to.have.length(2 * 24 * 5);
    await db.query('DROP FUNCTION refuse CASCADE');
    await rollUp();
    const all = await expected(home);
    expect(await stored()).to.deep.equal(all);
    expect(all.slice(0, 24 * 5)).to.deep.equal(half.slice(0, 24 * 5));
  });

  it('is shared by two that run at once', async () => {
    const home = await cooked(12 * 60, 2);
    const other = await connect();
    await Promise.all([rollUp(), rollUpBuckets({ dataSource: other })]);
    expect(await stored()).to.deep.equal(await expected(home));
  });

  it('leaves a probe that another one works on, and lets ingest pass', async () => {
    const home = await cooked(30);
    await rollUp();
    const before = await stored();
    const other = await connect();
    await other.transaction(async (tx) => {
      await tx.query('SELECT FROM reading_bucket_progress FOR UPDATE');
      await ingest([job(home, [[T0 + 10 * MINUTE + 1, 70]], [[T0 + 40 * MINUTE, 70]])]);
      // Not all is done: a month must not go before the other one has read it.
      expect(await rollUp()).to.equal(false);
      expect(await stored()).to.deep.equal(before);
    });
    expect(await rollUp()).to.equal(true);
    expect(await stored()).to.deep.equal(await expected(home));
    expect(await stored()).not.to.deep.equal(before);
  });

  it('takes in what an archive brings, though its alerts judge nothing', async () => {
    const home = await cooked(60);
    await rollUp();
    const archive = createIngest({
      dataSource: db,
      late: { alerts: false, sessions: false, areNew: true },
    });
    await archive([
      job(home, [
        [T0 - 5 * HOUR, 70],
        [T0 + 1, 71],
      ]),
    ]);
    await rollUp();
    expect(await stored()).to.deep.equal(await expected(home));
  });

  it('works out the time out of range again when the range is another', async () => {
    const home = await cooked(60);
    await rollUp();
    const range = {
      deviceId: home.deviceId,
      probeId: '1',
      maxTemperature: 149,
      temperatureUnit: 'F',
    } as const;
    await db.transaction((tx) => new DeviceManager(tx).set(home.userId, range));
    await rollUp();
    const [hour] = (await stored()).filter(({ seconds }) => seconds === 3600);
    expect(hour).to.include({
      probe_id: home.probes[0],
      out_of_range_ms: 10 * MINUTE,
      max_hundredths: 15_900,
    });
  });

  it('keeps what it knows of readings that are gone', async () => {
    const home = await cooked(180);
    await rollUp();
    const before = await stored();
    await db.query('DELETE FROM readings WHERE measured_at < $1', [new Date(T0 + 2 * HOUR)]);
    await ingest([job(home, [[T0 + MINUTE + 1, 999]])]);
    await rollUp();
    expect(await stored()).to.deep.equal(before);
  });

  it('ends quarters of an hour, and never hours', async () => {
    await cooked(150);
    await rollUp();
    const before = await stored();
    const edge = new Date(T0 + HOUR + 15 * MINUTE);
    await expireQuarters(db.manager, edge, 1);
    const kept = before.filter(
      ({ seconds, bucket_start }) => seconds === 3600 || Number(bucket_start) >= Number(edge),
    );
    expect(await stored()).to.deep.equal(kept);
    expect(before.length - kept.length).to.equal(2 * 5);
  });
});
