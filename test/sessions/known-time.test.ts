import { expect } from 'chai';
import fc from 'fast-check';
import { sideOf, type TemperatureRange } from '../../src/readings/range.js';
import { gapPercentileMs, HeldValues, percentiles } from '../../src/sessions/known-time.js';

const MINUTE = 60_000;
const reading = (minute: number, hundredths: number) => ({ measuredAtMs: minute * MINUTE, hundredths });
const known = (readings: ReturnType<typeof reading>[], fromMinute: number, toMinute: number) => {
  const held = new HeldValues();
  for (const one of readings) held.add(one);
  const times = held.known({ fromMs: fromMinute * MINUTE, toMs: toMinute * MINUTE });
  return [times.knownMs / MINUTE, times.unknownMs / MINUTE, times.weightedSum / MINUTE];
};

describe('HeldValues', () => {
  it('weights each value by the time until the next one, and the last by the time until the end', () => {
    expect(known([reading(0, 100), reading(1, 300), reading(4, 500)], 0, 5)).to.deep.equal([5, 0, 1500]);
  });

  it('leaves what a value cannot stand for unknown: in a gap, before the first and after the last', () => {
    const everyMinute = Array.from({ length: 19 }, (_, index) => reading(3 + index, 100));
    const readings = [...everyMinute, reading(51, 300), reading(52, 500)];
    // Two intervals of a minute each: 18 + 2 of the first ones, 1 and 2 of the last.
    expect(known(readings, 0, 60)).to.deep.equal([23, 37, 20 * 100 + 300 + 2 * 500]);
  });

  it('holds a value for 15 min at most, and where no interval is known', () => {
    expect(known([reading(0, 100), reading(9, 300)], 0, 60)).to.deep.equal([24, 36, 900 + 4500]);
    expect(known([reading(0, 100), reading(40, 300)], 0, 60)).to.deep.equal([30, 30, 1500 + 4500]);
    expect(known([reading(0, 100)], 0, 60)).to.deep.equal([15, 45, 1500]);
  });

  it('takes nine of ten gaps for usual, as gapPercentileMs does', () => {
    for (const long of [1, 2]) {
      const minutes = Array.from({ length: 11 }, (_, index) => index + Math.max(0, index - 10 + long) * 5);
      const expected = gapPercentileMs(minutes, 0.9) ?? 0;
      const held = minutes.map((minute) => reading(minute, 0));
      const end = minutes[10] ?? 0;
      const lastMinutes = (known(held, 0, end + 60)[0] ?? 0) - (known(held, 0, end)[0] ?? 0);
      expect(lastMinutes, `${long}`).to.equal(2 * expected);
    }
  });

  it('knows nothing without readings', () => {
    expect(known([], 2, 5)).to.deep.equal([0, 3, 0]);
  });
});

describe('the range of a probe', () => {
  const range: TemperatureRange = { min: 3300, max: 4100, unit: 'F' };

  it('has its limits in it, and compares each value in its own unit', () => {
    const sides = [3299, 3300, 4100, 4101].map((hundredths) => sideOf(range, hundredths, 'F'));
    expect(sides).to.deep.equal(['below', 'in', 'in', 'above']);
    expect([500, 501, 55].map((hundredths) => sideOf(range, hundredths, 'C'))).to.deep.equal([
      'in',
      'above',
      'below',
    ]);
    expect(sideOf({ ...range, min: null }, -9999, 'C')).to.equal('in');
    expect(sideOf({ ...range, max: null }, 9999, 'C')).to.equal('in');
  });

  /** Second by second. */
  function walked(readings: { atSeconds: number; hundredths: number }[], toSeconds: number) {
    const times = readings.map(({ atSeconds }) => atSeconds * 1000);
    const holdMs = Math.min(2 * (gapPercentileMs(times, 0.9) ?? 15 * MINUTE), 15 * MINUTE);
    const seconds = { in: 0, above: 0, below: 0 };
    let standing: (typeof readings)[number] | undefined;
    for (let second = 0; second < toSeconds; second++) {
      standing = readings.findLast(({ atSeconds }) => atSeconds <= second);
      if (!standing || (second - standing.atSeconds) * 1000 >= holdMs) continue;
      seconds[sideOf(range, standing.hundredths, 'F')] += 1;
    }
    return seconds;
  }

  it('divides all of the known time, as a walk along it does', () => {
    const steps = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 1100 }), fc.integer({ min: 3290, max: 4110 })),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 1000 }), (given, rest) => {
        const timeOf = (last: number) => given.slice(0, last + 1).reduce((sum, [step]) => sum + step, 0);
        const readings = given.map(([, hundredths], index) => ({ atSeconds: timeOf(index), hundredths }));
        const toSeconds = timeOf(given.length) + rest;
        const held = new HeldValues(range);
        for (const { atSeconds: at, hundredths } of readings)
          held.add({ measuredAtMs: at * 1000, hundredths }, sideOf(range, hundredths, 'F'));
        const { knownMs, aboveMs, belowMs, byValue } = held.known({ fromMs: 0, toMs: toSeconds * 1000 });
        const seconds = walked(readings, toSeconds);
        const inRange = (knownMs - aboveMs - belowMs) / 1000;
        expect([inRange, aboveMs / 1000, belowMs / 1000]).to.deep.equal([
          seconds.in,
          seconds.above,
          seconds.below,
        ]);
        expect([...byValue.values()].reduce((a, b) => a + b, 0)).to.equal(knownMs);
      }),
      { numRuns: 60 },
    );
  });

  it('has percentiles of the time, not of the readings', () => {
    const byValue = new Map([
      [300, 4],
      [100, 5],
      [200, 90],
      [400, 1],
    ]);
    expect(percentiles(byValue, [0.05, 0.0501, 0.5, 0.95, 0.99, 1])).to.deep.equal([1, 2, 2, 2, 3, 4]);
    expect(percentiles(new Map(), [0.5])).to.deep.equal([null]);
  });
});

describe('gapPercentileMs', () => {
  it('is the gap that the share of all gaps does not exceed', () => {
    const times = [0, 5, 6, 8, 11, 15, 21, 28, 36, 136, 145]; // 5, 1, 2, 3, 4, 6, 7, 8, 100 and 9
    expect(gapPercentileMs(times, 0.9)).to.equal(9);
    expect(gapPercentileMs(times, 0.91)).to.equal(100);
    expect(gapPercentileMs(times, 0.5)).to.equal(5);
  });

  it('is null without a gap', () => {
    expect([gapPercentileMs([], 0.9), gapPercentileMs([7], 0.9)]).to.deep.equal([null, null]);
  });
});
