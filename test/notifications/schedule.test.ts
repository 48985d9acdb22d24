import { expect } from 'chai';
import { nextWaitMs } from '../../src/notifications/schedule.js';

describe('nextWaitMs', () => {
  const seconds = [2, 8, 30, 120, 300, 900, 1800, 3600, 3600];

  seconds.forEach((wait, index) => {
    it(`waits ${wait} s ± 20 % after the failed attempt ${index + 1}`, () => {
      expect(nextWaitMs(index + 1, 0.5)).to.equal(wait * 1000);
      expect(nextWaitMs(index + 1, 0)).to.equal(wait * 800);
      expect(nextWaitMs(index + 1, 0.999_999)).to.be.within(wait * 1199, wait * 1200);
    });
  });

  it('waits as long as the receiver asked for, at most an hour, never shorter than its own time', () => {
    expect(nextWaitMs(1, 0.5, 90_000)).to.equal(90_000);
    expect(nextWaitMs(1, 0.5, 500)).to.equal(2_000);
    expect(nextWaitMs(1, 0.5, 1e12)).to.equal(3_600_000);
  });
});
