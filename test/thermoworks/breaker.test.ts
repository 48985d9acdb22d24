import { expect } from 'chai';
import { Breaker, type BreakerOutcome } from '../../src/thermoworks/breaker.js';

describe('breaker', () => {
  let time = 0;
  let breaker = new Breaker({ now: () => new Date(time), random: () => 0 });

  beforeEach(() => {
    time = 1_000_000;
    breaker = new Breaker({ now: () => new Date(time), random: () => 0 });
  });

  const pass = () => breaker.admit().pass;
  const call = (...outcomes: BreakerOutcome[]) => {
    for (const outcome of outcomes) breaker.record('call', outcome);
  };
  const fail = (times: number) => call(...Array<BreakerOutcome>(times).fill('transient'));
  const waits = () => {
    const admission = breaker.admit();
    return admission.pass === 'no' ? [admission.cause, admission.retryAfterMs] : admission.pass;
  };

  it('opens after five failures in a row, not after four', () => {
    fail(4);
    call('fine');
    fail(4);
    expect(pass()).to.equal('call');
    fail(1);
    expect(waits()).to.deep.equal(['transient', 5000]);
  });

  it('opens when half of the last twenty failed', () => {
    for (let pair = 0; pair < 9; pair += 1) call('transient', 'fine');
    call('fine');
    expect(pass()).to.equal('call');
    call('transient');
    expect(pass()).to.equal('no');
  });

  it('counts only the last twenty', () => {
    for (let pair = 0; pair < 9; pair += 1) call('transient', 'fine');
    call(...Array<BreakerOutcome>(11).fill('fine'));
    call('transient', 'transient', 'transient', 'transient');
    expect(pass()).to.equal('call');
  });

  it('does not open for one caller alone that fails while others get through', () => {
    const by = (caller: string, ...outcomes: BreakerOutcome[]) => {
      for (const outcome of outcomes) breaker.record('call', outcome, 0, caller);
    };
    by('b', 'fine');
    for (let poll = 0; poll < 9; poll += 1) {
      by('a', 'transient', 'transient', 'transient', 'transient', 'transient');
      by('b', 'fine');
    }
    expect(pass()).to.equal('call');
    by('a', 'transient', 'transient', 'transient', 'transient');
    by('b', 'transient');
    expect(pass()).to.equal('no');
  });

  it('opens for one caller alone where nobody else is heard of', () => {
    for (let call = 0; call < 5; call += 1) breaker.record('call', 'transient', 0, 'a');
    expect(pass()).to.equal('no');
  });

  it('opens at once on a fault of the provider', () => {
    call('provider');
    expect(waits()).to.deep.equal(['provider', 5000]);
  });

  it('pauses for at least a minute when told to slow down, or as long as was asked', () => {
    breaker.record('call', 'rate_limited', 10_000);
    expect(waits()).to.deep.equal(['rate_limited', 60_000]);
    breaker.record('call', 'rate_limited', 120_000);
    expect(waits()).to.deep.equal(['rate_limited', 120_000]);
  });

  it('lets one probe through, whose success closes it', () => {
    fail(5);
    time += 4999;
    expect(pass()).to.equal('no');
    time += 1;
    expect([pass(), pass()]).to.deep.equal(['probe', 'no']);
    breaker.record('probe', 'fine');
    fail(4);
    expect(pass()).to.equal('call');
  });

  it('stays open twice as long after each probe that fails, at most five minutes', () => {
    fail(5);
    const lengths = Array.from({ length: 8 }, () => {
      const admission = breaker.admit();
      const waitMs = admission.pass === 'no' ? admission.retryAfterMs : 0;
      time += waitMs;
      expect(pass()).to.equal('probe');
      breaker.record('probe', 'transient');
      return waitMs / 1000;
    });
    expect(lengths).to.deep.equal([5, 10, 20, 40, 80, 160, 300, 300]);
  });

  it('lets another probe through when one was given up', () => {
    fail(5);
    time += 5000;
    expect(pass()).to.equal('probe');
    breaker.record('probe', 'unknown');
    expect(pass()).to.equal('probe');
  });

  it('is not closed, nor held open longer, by calls that were on their way', () => {
    fail(5);
    call('fine', 'transient', 'transient');
    call('provider', 'provider');
    fail(5);
    expect(waits()).to.deep.equal(['provider', 5000]);
  });

  it('adds jitter to what it was asked for, never takes from it', () => {
    breaker = new Breaker({ now: () => new Date(time), random: () => 0.999 });
    breaker.record('call', 'rate_limited');
    const admission = breaker.admit();
    expect(admission.pass === 'no' && admission.retryAfterMs).to.be.within(60_001, 90_000);
  });
});
