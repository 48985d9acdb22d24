import { expect } from 'chai';
import { nameOf, neutralName } from '../../src/sessions/name.js';
import { addReading } from '../../src/sessions/roll-up.js';
import type { ProbeFacts, Session } from '../../src/sessions/types.js';
import { deviceFacts, probeFacts } from '../support/traces.js';

const CHICAGO = 'America/Chicago';

interface Cook {
  from: string;
  to: string;
  labels?: (string | null)[];
  /** Of the pit, in °C; left out: there is none. */
  pit?: number;
  timeZone?: string | null;
}

function named({ from, to, labels = [], pit, timeZone = CHICAGO }: Cook): string {
  const foods = labels.map((label, index): ProbeFacts => probeFacts(index + 2, label));
  const probes = [...(pit === undefined ? [] : [probeFacts(1, 'Pit')]), ...foods];
  const session: Session = {
    ...{ publicId: 's', id: 1, userId: 1, deviceId: 'D1', sessionType: 'auto', status: 'completed' },
    ...{ phase: 'ended', endReason: 'cooled', lastReadingMs: null, temperatureUnit: 'F', rebuild: false },
    ...{ startMs: Date.parse(from), endMs: Date.parse(to), stats: new Map() },
    members: probes.map(({ id }) => ({
      probeId: id,
      role: id === 1 ? 'pit' : 'food',
      fromMs: null,
      toMs: null,
    })),
  };
  const peak = {
    probeId: 1,
    measuredAtMs: session.startMs,
    hundredths: (pit ?? 0) * 100,
    unit: 'C',
    flags: 0,
  } as const;
  return nameOf(pit === undefined ? session : addReading(session, peak), {
    ...deviceFacts(probes),
    timeZone,
  });
}

describe('nameOf', () => {
  const night = { from: '2026-11-22T03:00:00Z', to: '2026-11-22T18:00:00Z' };
  const evening = { from: '2026-11-21T23:00:00Z', to: '2026-11-22T01:00:00Z' };

  it('says what was cooked, and when by the clock of its owner', () => {
    expect(named({ ...night, labels: ['Brisket'], pit: 121 })).to.equal('Brisket, overnight 21 Nov');
    expect(named({ ...night, labels: ['Brisket'], timeZone: null })).to.equal('Brisket, overnight 22 Nov');
    expect(named({ ...night, labels: ['Brisket'], timeZone: 'Moon/Far' })).to.equal(
      'Brisket, overnight 22 Nov',
    );
    expect(named({ ...evening, labels: ['Steak'] })).to.equal('Steak, evening 21 Nov');
    expect(named({ ...evening, labels: ['Steak'], timeZone: 'Asia/Tokyo' })).to.equal(
      'Steak, morning 22 Nov',
    );
  });

  it('names two dishes and counts the others, each once', () => {
    expect(named({ ...evening, labels: ['Ribs', 'ribs', 'Wings'] })).to.equal(
      'Ribs and Wings, evening 21 Nov',
    );
    expect(named({ ...evening, labels: ['Ribs', 'Wings', 'Corn', 'Thighs'] })).to.equal(
      'Ribs, Wings and 2 more, evening 21 Nov',
    );
  });

  it('takes no label for a dish that only says where the probe is, nor anything that controls a terminal', () => {
    const places = ['Probe 1', 'channel2', 'CH 3', '', null, 'Food', '4', 'Meat #2', ' Internal '];
    for (const label of places)
      expect(named({ ...evening, labels: [label] }), `${label}`).to.equal('Cook, evening 21 Nov');
    expect(named({ ...evening, labels: ['Chicken 2', 'Pit\u001b[31m\n beef'] })).to.equal(
      'Chicken 2 and Pit [31m beef, evening 21 Nov',
    );
    expect([...named({ ...evening, labels: ['🍖'.repeat(60), 'x'.repeat(99)] })].length).to.be.at.most(100);
  });

  it('tells by the fire what it was, where no label does', () => {
    expect(named({ ...evening, pit: 232 })).to.equal('Hot grill, evening 21 Nov');
    expect(named({ ...evening, pit: 200 })).to.equal('Hot grill, evening 21 Nov');
    expect(named({ ...evening, pit: 199 })).to.equal('Roast, evening 21 Nov');
    expect(named({ ...evening, pit: 149 })).to.equal('Smoke, evening 21 Nov');
    expect(named({ ...night, pit: 121 })).to.equal('Low and slow, overnight 21 Nov');
  });

  it('says overnight only of what went on at three, for hours', () => {
    const from = '2026-11-22T08:30:00Z';
    expect(named({ from, to: '2026-11-22T10:30:00Z', labels: ['Pie'] })).to.equal('Pie, night 22 Nov');
    expect(named({ from: '2026-11-21T14:00:00Z', to: '2026-11-22T02:00:00Z', labels: ['Ham'] })).to.equal(
      'Ham, afternoon 21 Nov',
    );
    expect(named({ from, to: '2026-11-23T20:30:00Z', labels: ['Ham'] })).to.equal('Ham, 22 Nov to 23 Nov');
  });

  it('is right on the night when the clocks change', () => {
    const labels = ['Pork'];
    expect(named({ from: '2026-11-01T01:00:00Z', to: '2026-11-01T14:00:00Z', labels })).to.equal(
      'Pork, overnight 31 Oct',
    );
    expect(named({ from: '2026-03-08T01:00:00Z', to: '2026-03-08T14:00:00Z', labels })).to.equal(
      'Pork, overnight 7 Mar',
    );
  });
});

describe('neutralName', () => {
  it('says since when', () => {
    expect(neutralName(Date.parse('2026-11-22T03:05:00Z'), CHICAGO)).to.equal('Cook since 21:05, 21 Nov');
    expect(neutralName(Date.parse('2026-11-22T03:05:00Z'), null)).to.equal('Cook since 03:05, 22 Nov');
  });
});
