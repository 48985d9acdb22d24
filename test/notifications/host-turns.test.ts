import { expect } from 'chai';
import { HostTurns } from '../../src/notifications/host-turns.js';

describe('HostTurns', () => {
  it('hands a turn on to those who wait, in their order, and counts each host apart', async () => {
    const turns = new HostTurns(2);
    const order: string[] = [];
    const wait = (name: string) =>
      Promise.resolve(turns.take('a')).then((busyMs) => order.push(`${name} ${busyMs}`));
    expect([turns.take('a'), turns.take('a'), turns.take('b')]).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
    const waiting = ['1', '2', '3', '4'].map(wait);
    for (const _ of waiting) turns.give('a', 5);
    await Promise.all(waiting);
    expect(order).to.deep.equal(['1 undefined', '2 undefined', '3 undefined', '4 undefined']);
    expect(turns.take('b')).to.equal(undefined);
    expect(turns.take('c')).to.equal(undefined);
  });

  it('sends away whom it cannot let wait, for as long as a turn lasts there, at least 250 ms', async () => {
    const turns = new HostTurns(1);
    turns.take('a');
    const waiting = [turns.take('a'), turns.take('a')];
    expect(turns.take('a')).to.equal(250);
    turns.give('a', 3_000);
    const third = turns.take('a');
    expect(turns.take('a')).to.equal(3_000);
    for (const _ of waiting) turns.give('a', 3_000);
    expect(await Promise.all([...waiting, third])).to.deep.equal([undefined, undefined, undefined]);
  });

  it('lets nobody wait longer than half a second', async () => {
    const turns = new HostTurns(1);
    turns.take('a');
    expect(await turns.take('a')).to.equal(250);
    turns.give('a', 600);
    expect(turns.take('a')).to.equal(undefined);
  });
});
