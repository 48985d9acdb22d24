import { expect } from 'chai';
import { gapPercentileMs, HeldValues } from '../../src/sessions/known-time.js';

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
