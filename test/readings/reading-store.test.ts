import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { sqlStateOf } from '../../src/errors.js';
import { copyReadings } from '../../src/readings/copy-readings.js';
import {
  countConflicts,
  ensurePartitions,
  insertNewReadings,
  loadSpans,
  loadStretch,
  type NewReading,
  readingKey,
} from '../../src/readings/reading-store.js';
import { toHundredths, type Unit } from '../../src/readings/sample.js';
import { openDatabase, readingsOf, T0 } from '../ingest/household.js';

const reading = (
  probeId: number,
  measuredAtMs: number,
  value = 203.2,
  unit: Unit = 'F',
  flags = 0,
): NewReading => ({ probeId, measuredAtMs, value, unit, flags });

describe('the reading store', () => {
  let db: DataSource;
  let close: () => Promise<void>;

  before(async () => {
    ({ db, close } = await openDatabase());
  });
  beforeEach(() => db.query('TRUNCATE readings'));
  after(() => close());

  const insert = (...readings: NewReading[]) => db.transaction((tx) => insertNewReadings(tx, readings));
  const partitions = async (): Promise<string[]> => {
    const rows = await db.query<{ name: string }[]>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'readings'::regclass ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  };
  const ensure = (...times: [from: string, to: string][]) =>
    ensurePartitions(
      db.manager,
      times.map(([from, to]) => ({ fromMs: Date.parse(from), toMs: Date.parse(to) })),
    );

  it('keeps every millisecond and every hundredth of every unit', async () => {
    const instant = fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2038, 11, 31) });
    const hundredths = fc.integer({ min: -183_200, max: 183_200 });
    const unit = fc.constantFrom<Unit>('F', 'C', 'H');
    const row = fc.tuple(instant, hundredths, unit, fc.integer({ min: 0, max: 63 }));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(row, { minLength: 1, maxLength: 60, selector: ([ms]) => ms }),
        async (rows) => {
          await db.query('TRUNCATE readings');
          const given = rows.map(([ms, h, u, flags]) => reading(1, ms, h / 100, u, flags));
          const fresh = await insert(...given);
          const expected = given.toSorted((a, b) => a.measuredAtMs - b.measuredAtMs);
          expect([...fresh].sort()).to.deep.equal(given.map((r) => readingKey(1, r.measuredAtMs)).sort());
          expect(await insert(...given)).to.deep.equal(new Set());
          expect(await countConflicts(db.manager, given)).to.equal(0);
          const whole = { probeId: 1, fromMs: Date.UTC(2015, 0), toMs: null };
          const loaded = expected.map(({ value, ...rest }) => ({ ...rest, hundredths: toHundredths(value) }));
          expect(await loadSpans(db.manager, [whole])).to.deep.equal([loaded]);
          const stretch = { fromMs: whole.fromMs, toMs: Date.UTC(2100, 0), atATime: 3 };
          expect([...(await loadStretch(db.manager, [1], stretch))].flat()).to.deep.equal(loaded);
          const stored = await db.query<{ ms: string; value: number }[]>(
            `SELECT extract(epoch FROM measured_at) * 1000 AS ms, value FROM readings ORDER BY measured_at`,
          );
          expect(stored.map(({ ms, value }) => [Number(ms), value])).to.deep.equal(
            expected.map(({ measuredAtMs, value }) => [measuredAtMs, value]),
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  it('stores what is not there yet and names only that', async () => {
    expect(await insert(reading(1, T0), reading(2, T0))).to.have.lengthOf(2);
    const fresh = await insert(reading(2, T0 + 1), reading(1, T0), reading(2, T0), reading(1, T0 - 1));
    expect([...fresh].sort()).to.deep.equal([readingKey(1, T0 - 1), readingKey(2, T0 + 1)].sort());
    expect(await insert()).to.deep.equal(new Set());
    expect(await readingsOf(db)).to.have.lengthOf(4);
  });

  it('copies rows just as it inserts them, to the last bit', async () => {
    const instant = fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2038, 11, 31) });
    const hundredths = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });
    const row = fc.tuple(
      instant,
      hundredths,
      fc.constantFrom<Unit>('F', 'C', 'H'),
      fc.integer({ max: 32_767, min: 0 }),
    );
    const stored = () =>
      db.query(
        'SELECT *, value::text AS text, extract(epoch FROM measured_at)::text AS at FROM readings ORDER BY 1, 2',
      );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(row, { maxLength: 40, selector: ([ms]) => ms }), async (rows) => {
        const given = rows.map(([ms, h, u, flags]) => reading(7, ms, h / 100, u, flags));
        await db.query('TRUNCATE readings');
        await insert(...given);
        const inserted = await stored();
        await db.query('TRUNCATE readings');
        await db.transaction((tx) => copyReadings(tx, given));
        expect(await stored()).to.deep.equal(inserted);
      }),
      { numRuns: 25 },
    );
    const most = reading(7, T0, 3.4028234e38);
    await db.transaction((tx) => copyReadings(tx, [most, reading(8, T0, -3.4028234e38)]));
    const [row7] = await db.query(
      'SELECT value::text AS value FROM readings WHERE probe_id = 7 AND flags = 0 AND value > 1e38',
    );
    expect(row7).to.deep.equal({ value: '3.4028235e+38' });
  });

  it('copies within a transaction only, and nothing where one row is there', async () => {
    const refused = await copyReadings(db.manager, [reading(1, T0)]).catch((error: Error) => error.message);
    expect(refused).to.equal('readings are copied within a transaction only');
    await insert(reading(2, T0));
    const twice = await db
      .transaction((tx) => copyReadings(tx, [reading(1, T0), reading(2, T0, 1)]))
      .catch(sqlStateOf);
    expect(twice).to.equal('23505');
    expect(await readingsOf(db)).to.have.length(1);
  });

  it('keeps the first value of a key, and counts another value or unit as a conflict', async () => {
    await insert(reading(1, T0, 36.9), reading(1, T0 + 1, 40), reading(2, T0, 50));
    const again = [
      reading(1, T0, 36.900001525878906), // the same, as the cloud sends it
      reading(1, T0 + 1, 40.01),
      reading(2, T0, 50, 'C'),
      reading(2, T0 + 5, 1), // not there
    ];
    expect(await countConflicts(db.manager, again)).to.equal(2);
    await insert(...again.slice(0, 3));
    expect((await readingsOf(db)).map(([, , value, unit]) => [value, unit])).to.deep.equal([
      [36.9, 'F'],
      [40, 'F'],
      [50, 'F'],
    ]);
    expect(await countConflicts(db.manager, [])).to.equal(0);
  });

  it('loads a stretch without its end, of several probes by time, in parts', async () => {
    await insert(
      ...[3, 1, 0, 2].flatMap((ms) => [reading(2, T0 + ms), reading(1, T0 + ms), reading(3, T0 + ms)]),
    );
    const load = (probes: number[], fromMs: number, toMs: number) =>
      loadStretch(db.manager, probes, { fromMs, toMs, atATime: 3 });
    const parts = [...(await load([1, 2], T0 + 1, T0 + 3))].map((part) =>
      part.map(({ probeId, measuredAtMs }) => [probeId, measuredAtMs - T0]),
    );
    expect(parts).to.deep.equal([
      [
        [1, 1],
        [2, 1],
        [1, 2],
      ],
      [[2, 2]],
    ]);
    expect([...(await load([1], T0 + 4, T0 + 9))]).to.deep.equal([]);
  });

  it('loads spans with both ends, each on its own and by time', async () => {
    await insert(...[3, 1, 0, 2].flatMap((ms) => [reading(1, T0 + ms), reading(2, T0 + ms)]));
    const times = (
      await loadSpans(db.manager, [
        { probeId: 2, fromMs: T0 + 1, toMs: T0 + 2 },
        { probeId: 1, fromMs: T0 + 2, toMs: null },
        { probeId: 3, fromMs: T0, toMs: null },
        { probeId: 2, fromMs: T0, toMs: T0 },
      ])
    ).map((rows) => rows.map(({ probeId, measuredAtMs }) => [probeId, measuredAtMs - T0]));
    expect(times).to.deep.equal([
      [
        [2, 1],
        [2, 2],
      ],
      [
        [1, 2],
        [1, 3],
      ],
      [],
      [[2, 0]],
    ]);
    expect(await loadSpans(db.manager, [])).to.deep.equal([]);
  });

  it('makes the partitions of past and coming months, each once, by months in UTC', async () => {
    const known = await partitions();
    await ensure(
      ['2019-02-28T23:59:59.999Z', '2019-02-28T23:59:59.999Z'],
      ['2019-12-31T23:00:00Z', '2020-01-01T00:00:00Z'],
    );
    await ensure(['2019-02-01T00:00:00Z', '2019-02-01T00:00:00Z']);
    expect((await partitions()).filter((name) => !known.includes(name))).to.deep.equal([
      'readings_2019_02',
      'readings_2019_12',
      'readings_2020_01',
    ]);
    await insert(
      reading(1, Date.UTC(2019, 1, 1)),
      reading(1, Date.UTC(2019, 2, 1) - 1),
      reading(1, Date.UTC(2020, 0, 1)),
    );
    const homes = await db.query<{ home: string; count: number }[]>(
      'SELECT tableoid::regclass::text AS home, count(*)::integer FROM readings GROUP BY 1 ORDER BY 1',
    );
    expect(homes).to.deep.equal([
      { home: 'readings_2019_02', count: 2 },
      { home: 'readings_2020_01', count: 1 },
    ]);
  });

  it('makes partitions while others do and while readings are written', async () => {
    const years = [2001, 2002, 2003, 2004];
    const months = years.flatMap((year) => [0, 5, 11].map((month) => Date.UTC(year, month, 15)));
    const work = (ms: number) => async () => {
      await ensurePartitions(db.manager, [{ fromMs: ms, toMs: ms }]);
      return insert(reading(1, ms), reading(2, ms));
    };
    const stored = await Promise.all([...months, ...months].map((ms) => work(ms)()));
    expect(stored.reduce((sum, { size }) => sum + size, 0)).to.equal(2 * months.length);
    const [left] = await db.query<{ count: number }[]>('SELECT count(*)::integer FROM readings_default');
    expect(left).to.deep.equal({ count: 0 });
  });
});
