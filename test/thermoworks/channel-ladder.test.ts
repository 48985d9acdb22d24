import { expect } from 'chai';
import { ChannelLadder, RUNGS, rungBelow } from '../../src/thermoworks/channel-ladder.js';

const LIST = RUNGS.findIndex(({ way }) => way === 'list');
const rungOf = (devices: number) =>
  RUNGS.findIndex((rung) => rung.way === 'batch' && rung.devices === devices);
const MINUTE = 60_000;

describe('channel ladder', () => {
  let time = 0;
  let ladder = new ChannelLadder(() => new Date(time));

  beforeEach(() => {
    time = 0;
    ladder = new ChannelLadder(() => new Date(time));
  });

  it('begins with nine devices at once', () => {
    expect(RUNGS[ladder.start(20)]).to.deep.equal({ way: 'batch', devices: 9 });
  });

  it('goes down to a chunk smaller than the one refused, then to lists, then to single channels', () => {
    expect(rungBelow(0, 9)).to.equal(rungOf(4));
    expect(rungBelow(0, 3)).to.equal(rungOf(2));
    expect(rungBelow(0, 1)).to.equal(LIST);
    expect(rungBelow(LIST, 1)).to.equal(LIST + 1);
    expect(rungBelow(LIST + 1, 1)).to.equal(null);
  });

  it('remembers what worked, and tries from the top after a minute, then two', () => {
    ladder.settle({ started: ladder.start(9), ended: LIST, largest: 1 });
    time = MINUTE - 1;
    expect(ladder.start(9)).to.equal(LIST);
    time = MINUTE;
    expect(ladder.start(9)).to.equal(0);
    expect(ladder.start(9), 'one call tries').to.equal(LIST);
    ladder.settle({ started: 0, ended: LIST, largest: 1 });
    time += 2 * MINUTE - 1;
    expect(ladder.start(9)).to.equal(LIST);
    time += 1;
    expect(ladder.start(9)).to.equal(0);
    ladder.settle({ started: 0, ended: 0, largest: 9 });
    expect(ladder.start(9)).to.equal(0);
  });

  it('waits no longer than a day', () => {
    ladder.settle({ started: 0, ended: LIST, largest: 1 });
    for (let trial = 0; trial < 20; trial += 1) {
      time += 86_400_000;
      expect(ladder.start(9)).to.equal(0);
      ladder.settle({ started: 0, ended: LIST, largest: 1 });
    }
  });

  it('a call that works as remembered changes nothing of the waiting', () => {
    ladder.settle({ started: 0, ended: LIST, largest: 1 });
    time = MINUTE - 1;
    ladder.settle({ started: LIST, ended: LIST, largest: 1 });
    time = MINUTE;
    expect(ladder.start(9)).to.equal(0);
  });

  it('takes from few devices no proof for many, and lets those try who would gain', () => {
    ladder.settle({ started: 0, ended: rungOf(2), largest: 2 });
    time = MINUTE;
    expect(ladder.start(2), 'gains nothing').to.equal(rungOf(2));
    expect(ladder.start(3)).to.equal(0);
    ladder.settle({ started: 0, ended: 0, largest: 3 });
    expect(ladder.start(3)).to.equal(rungOf(4));
  });
});
