import { expect } from 'chai';
import { gapPercentileMs, knownTime, longestHoldMs } from '../../src/sessions/known-time.js';

const MINUTE = 60_000;
const reading = (minute: number, hundredths: number) => ({ measuredAtMs: minute * MINUTE, hundredths });
const bounds = (fromMinute: number, toMinute: number, holdMinutes: number) => ({
  fromMs: fromMinute * MINUTE,
  toMs: toMinute * MINUTE,
  holdMs: holdMinutes * MINUTE,
});

describe('knownTime', () => {
  it('weights each value by the time until the next one, and the last by the time until the end', () => {
    const { weightedSum, ...times } = knownTime(
      [reading(0, 100), reading(1, 300), reading(4, 500)],
      bounds(0, 5, 9),
    );
    expect(times).to.deep.equal({ knownMs: 5 * MINUTE, unknownMs: 0 });
    expect(weightedSum).to.equal((100 * 1 + 300 * 3 + 500 * 1) * MINUTE);
  });

  it('leaves what a value cannot stand for unknown: in a gap, before the first and after the last', () => {
    const known = knownTime([reading(3, 100), reading(13, 300)], bounds(0, 20, 4));
    expect(known).to.deep.equal({ knownMs: 8 * MINUTE, unknownMs: 12 * MINUTE, weightedSum: 1600 * MINUTE });
    const held = knownTime([reading(0, 100), reading(4, 300)], bounds(0, 8, 4));
    expect(held).to.include({ knownMs: 8 * MINUTE, unknownMs: 0 });
  });

  it('knows nothing without readings', () => {
    expect(knownTime([], bounds(2, 5, 4))).to.deep.equal({
      knownMs: 0,
      unknownMs: 3 * MINUTE,
      weightedSum: 0,
    });
  });
});

describe('longestHoldMs', () => {
  it('is two intervals, 15 min at most and where none is expected', () => {
    const minutes = [null, 1, 7.5, 8].map(
      (expected) => longestHoldMs(expected && expected * MINUTE) / MINUTE,
    );
    expect(minutes).to.deep.equal([15, 2, 15, 15]);
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
