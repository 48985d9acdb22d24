import { expect } from 'chai';
import fc from 'fast-check';
import { addBucket, type Bucket, bucketsOf, HOUR_MS } from '../../src/buckets/bucket.js';
import type { Observation } from '../../src/readings/observation.js';
import { FLAG, type Unit } from '../../src/readings/sample.js';
import { gapPercentileMs } from '../../src/sessions/known-time.js';

const H0 = Date.UTC(2026, 5, 6, 6);
const MINUTE = 60_000;
const shows = (minute: number, hundredths: number, unit: Unit = 'C', flags = 0): Observation => ({
  probeId: 7,
  measuredAtMs: H0 + Math.round(minute * MINUTE),
  hundredths,
  unit,
  flags,
});
const hours = (from: number, to: number) => ({ fromMs: H0 + from * HOUR_MS, toMs: H0 + to * HOUR_MS });
/** Minute, length in minutes, readings, minimum, maximum, mean, minutes covered and out of range. */
const shown = ({ startMs, seconds, ...b }: Bucket) => [
  ...[(startMs - H0) / MINUTE, seconds / 60, b.count, b.minHundredths, b.maxHundredths],
  ...[
    b.weightedSum / b.coveredMs,
    b.coveredMs / MINUTE,
    b.outOfRangeMs === null ? null : b.outOfRangeMs / MINUTE,
  ],
];
const everyFive = [0, 5, 10, 15, 20, 25, 30].map((minute) => shows(minute, minute * 100));

describe('buckets', () => {
  it('are the quarters and the hour, each value for as long as it stood', () => {
    const range = { min: 1000, max: 2500, unit: 'C' } as const;
    expect(bucketsOf(everyFive, hours(0, 1), range).map(shown)).to.deep.equal([
      [0, 15, 3, 0, 1000, 500, 15, 10],
      [15, 15, 3, 1500, 2500, 2000, 15, 0],
      [30, 15, 1, 3000, 3000, 3000, 10, 10],
      [0, 60, 7, 0, 3000, 1687.5, 40, 20],
    ]);
    expect(bucketsOf(everyFive, hours(0, 1), undefined).at(-1)?.outOfRangeMs).to.equal(null);
  });

  it('know a value that still stood from before, though nothing was measured in them', () => {
    const readings = [shows(49, 100), shows(58, 300)];
    const [quarter, hour] = bucketsOf(readings, hours(1, 2), undefined).map(shown);
    expect(quarter).to.deep.equal([60, 15, 0, 300, 300, 300, 13, null]);
    expect(hour).to.deep.equal([60, 60, 0, 300, 300, 300, 13, null]);
    expect(bucketsOf([shows(44.9, 100)], hours(1, 2), undefined)).to.deep.equal([]);
  });

  it('leave out what is not to be believed, and take the unit of the newest', () => {
    const flagged = [FLAG.suspect, FLAG.stuck, FLAG.skewed].map((flag, index) =>
      shows(50 + index, 99_900, 'C', flag),
    );
    const late = shows(30, 100, 'C', FLAG.late);
    const readings = [late, shows(35, 5000, 'H'), ...flagged, shows(40, 5000, 'F')];
    const hour = bucketsOf(readings, hours(0, 1), undefined).at(-1);
    expect(hour).to.include({ unit: 'F', count: 2, minHundredths: 3380, maxHundredths: 5000 });
    const humid = bucketsOf([shows(35, 5000, 'H')], hours(0, 1), { min: 0, max: 1, unit: 'C' }).at(-1);
    expect(humid).to.include({ unit: 'H', outOfRangeMs: null });
  });

  it('do not depend on how many hours are asked for at once, and add up', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 2400 }), fc.integer({ min: -500, max: 500 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (given) => {
        let seconds = 0;
        const readings = given.map(([step, hundredths]) => {
          seconds += step;
          return shows(seconds / 60, hundredths);
        });
        const range = { min: -100, max: 100, unit: 'C' } as const;
        const all = bucketsOf(readings, hours(0, 28), range);
        const one = [...Array(28).keys()].flatMap((hour) =>
          bucketsOf(readings, hours(hour, hour + 1), range),
        );
        expect(one).to.deep.equal(all);
        const whole = all.filter((bucket) => bucket.seconds === 3600);
        expect(whole.reduce((sum, { count }) => sum + count, 0)).to.equal(readings.length);
        for (const hour of whole) expect(walked(readings, hour)).to.deep.equal(shown(hour).slice(2));
        for (const hour of whole) {
          const quarters = all.filter(
            ({ seconds: length, startMs }) =>
              length === 900 && Math.floor((startMs - hour.startMs) / HOUR_MS) === 0,
          );
          const [first, ...rest] = quarters.map((bucket) => ({ ...bucket }));
          if (!first) throw new Error('an hour without quarters');
          for (const quarter of rest) addBucket(first, quarter);
          expect({ ...first, startMs: hour.startMs, seconds: 3600 }).to.deep.equal(hour);
        }
      }),
      { numRuns: 40 },
    );
  });

  /** The figures of an hour by a walk along it, second by second. */
  function walked(readings: Observation[], { startMs }: Bucket) {
    const seen = readings.filter(
      ({ measuredAtMs }) => measuredAtMs >= startMs - 15 * MINUTE && measuredAtMs < startMs + HOUR_MS,
    );
    const times = seen.map(({ measuredAtMs }) => measuredAtMs);
    const holdMs = Math.min(2 * (gapPercentileMs(times, 0.9) ?? HOUR_MS), 15 * MINUTE);
    const values: number[] = [];
    for (let ms = startMs; ms < startMs + HOUR_MS; ms += 1000) {
      const standing = seen.findLast(({ measuredAtMs }) => measuredAtMs <= ms);
      if (standing && ms - standing.measuredAtMs < holdMs) values.push(standing.hundredths ?? 0);
    }
    const count = times.filter((ms) => ms >= startMs).length;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const out = values.filter((value) => Math.abs(value) > 100).length;
    return [count, Math.min(...values), Math.max(...values), mean, values.length / 60, out / 60];
  }
});
