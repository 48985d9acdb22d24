import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { bucketsOf, HOUR_MS } from '../../src/buckets/bucket.js';
import { expireQuarters } from '../../src/buckets/bucket-store.js';
import { chartPoints } from '../../src/buckets/chart-points.js';
import { rollUpBuckets } from '../../src/buckets/roll-up-buckets.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { loadSpans } from '../../src/readings/reading-store.js';
import { FLAG } from '../../src/readings/sample.js';
import { addHome, HOUR, type Home, job, MINUTE, openDatabase, T0 } from '../ingest/household.js';

const DAY = 24 * HOUR;

describe('the points of a chart', function () {
  this.timeout(60_000);
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;
  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  afterEach(() => db.query('TRUNCATE readings, reading_buckets, reading_bucket_marks, users CASCADE'));
  after(() => close());

  const chart = (probeIds: number[], fromMs: number, toMs: number, maxPoints?: number) =>
    chartPoints(db.manager, { probeIds, fromMs, toMs, unit: 'C', maxPoints });
  const rollUp = () => rollUpBuckets({ dataSource: db });

  /** Of two probes, in °C and °F, a reading each ten minutes. */
  async function days(count: number): Promise<Home> {
    const home = await addHome(db, { probes: [{}, {}] });
    const times = Array.from({ length: count * 144 }, (_, index) => T0 + index * 10 * MINUTE);
    const curve = (unit: 'C' | 'F') =>
      times.map((ms, index): [number, number, 'C' | 'F'] => [ms, (index * 37) % 250, unit]);
    await ingest([job(home, curve('C'), curve('F'))]);
    return home;
  }

  it('are the readings themselves where they are few, in the unit of the viewer', async () => {
    const home = await addHome(db);
    await ingest([
      job(home, [
        [T0, 50, 'F'],
        [T0 + MINUTE, 20, 'C'],
        [T0 + 2 * MINUTE, 99, 'C', FLAG.suspect],
      ]),
    ]);
    const { stepSeconds, points } = await chart(home.probes, T0, T0 + DAY);
    expect(stepSeconds).to.equal(null);
    expect(points.map(({ startMs, unit, min, max, mean }) => [startMs, unit, min, max, mean])).to.deep.equal([
      [T0, 'C', 10, 10, 10],
      [T0 + MINUTE, 'C', 20, 20, 20],
    ]);
    expect((await chart(home.probes, T0 + MINUTE, T0 + MINUTE)).points).to.deep.equal([]);
    expect((await chart(home.probes, T0, T0 + MINUTE)).points).to.have.length(1);
  });

  it('are 2,000 at most, whatever the span, the finest buckets that fit', async () => {
    const home = await days(8);
    await rollUp();
    for (const [spanDays, step] of [
      [8, 900],
      [20, 1800],
      [40, HOUR_MS / 1000],
      [400, 12 * 3600],
      [365 * 40, 28 * 24 * 3600],
    ] as const) {
      const { stepSeconds, points } = await chart(home.probes, T0, T0 + spanDays * DAY);
      expect(stepSeconds, `${spanDays} days`).to.equal(step);
      expect(points.length).to.be.within(1, 2_000);
      const counts = points.filter(({ probeId }) => probeId === home.probes[0]).map(({ count }) => count);
      expect(counts.reduce((sum, count) => sum + count, 0)).to.equal(8 * 144);
    }
    const { stepSeconds, points } = await chart(home.probes, T0, T0 + 8 * DAY, 40);
    expect(stepSeconds).to.equal(12 * 3600);
    expect(points.length).to.be.at.most(40);
  });

  it('are hours where there are no quarters any more', async () => {
    const home = await days(2);
    await rollUp();
    await db.query('TRUNCATE readings');
    const before = await chart(home.probes, T0, T0 + DAY);
    await expireQuarters(db.manager, new Date(T0 + DAY), 10);
    for (const toMs of [T0 + DAY, T0 + 2 * DAY]) {
      const { stepSeconds, points } = await chart(home.probes, T0, toMs);
      expect(stepSeconds).to.equal(3600);
      expect(points).to.have.length((2 * (toMs - T0)) / HOUR);
    }
    const ofHours = (await chart(home.probes, T0, T0 + DAY)).points;
    const readings = (points: typeof ofHours) => points.reduce((sum, { count }) => sum + count, 0);
    expect(readings(ofHours)).to.equal(readings(before.points));
    expect((await chart(home.probes, T0 + DAY, T0 + 2 * DAY)).stepSeconds).to.equal(900);
  });

  it('are those of the stored readings, rolled up or not, and after late ones', async () => {
    const home = await days(3);
    const [celsius = 0, fahrenheit = 0] = home.probes;
    /** Hours of the first probe, worked out at one go. */
    const fromReadings = async () => {
      const [all = []] = await loadSpans(db.manager, [{ probeId: celsius, fromMs: 0, toMs: null }]);
      const whole = bucketsOf(all, { fromMs: T0, toMs: T0 + 4 * DAY }, undefined);
      const hours = whole.filter(({ seconds }) => seconds === 3600);
      return hours.map((hour) => {
        const mean = Math.round(hour.weightedSum / hour.coveredMs) / 100;
        return [hour.startMs, hour.minHundredths / 100, hour.maxHundredths / 100, mean, hour.count];
      });
    };
    const shown = async () => {
      const { stepSeconds, points } = await chart([celsius], T0, T0 + 4 * DAY, 100);
      expect(stepSeconds).to.equal(3600);
      return points.map(({ startMs, min, max, mean, count }) => [startMs, min, max, mean, count]);
    };
    expect(await shown()).to.deep.equal(await fromReadings());
    await rollUp();
    expect(await shown()).to.deep.equal(await fromReadings());
    await ingest([
      job(home, [
        [T0 + HOUR + 1, 999, 'C'],
        [T0 + 3 * DAY + HOUR, 5, 'C'],
      ]),
    ]);
    expect((await fromReadings()).length).to.be.above(72);
    expect(await shown()).to.deep.equal(await fromReadings());
    const hourly = Array.from({ length: 40 }, (_, hour): [number, number, 'C'] => [
      T0 + hour * HOUR + 7,
      hour,
      'C',
    ]);
    await ingest([job(home, hourly)]);
    expect(await shown()).to.deep.equal(await fromReadings());
    await rollUp();
    expect(await shown()).to.deep.equal(await fromReadings());
    // Only the buckets are left, converted: a probe in °F is shown in °C.
    await db.query('TRUNCATE readings');
    const { points } = await chart([fahrenheit], T0, T0 + HOUR, 100);
    expect(points.map(({ unit, min, max }) => [unit, min, max])).to.deep.equal([
      ['C', -17.78, 2.78],
      ['C', 2.78, 23.33],
      ['C', 43.89, 64.44],
      ['C', 64.44, 85],
    ]);
  });
});
