import { expect } from 'chai';
import type { Observation } from '../../src/readings/observation.js';
import { type DeviceWorld, reduceDevice } from '../../src/sessions/detection.js';
import type { ProbeFacts } from '../../src/sessions/types.js';
import {
  at,
  type Curve,
  deviceFacts,
  dropout,
  meat,
  minutesOf,
  pit,
  probeFacts,
  replay,
  shows,
  trace,
  unplugged,
} from '../support/traces.js';

const food = (id = 1, more: Partial<ProbeFacts> = {}) => probeFacts(id, 'Point', { role: 'food', ...more });

/** Sessions as `status end_reason start end`, in minutes, and what was told when. */
function cooks(probes: ProbeFacts[], inputs: Observation[], until?: number, type = 'signals') {
  const { sessions, events } = replay(deviceFacts(probes, { type, model: type }), inputs, { until });
  const round = (ms: number | null) => (ms === null ? '-' : Math.round(minutesOf(ms) ?? 0));
  return {
    sessions: sessions.map((s) => `${s.status} ${s.endReason} ${round(s.startMs)} ${round(s.endMs)}`),
    begun: events.flatMap(({ kind, atMs }) => (kind === 'started' ? [minutesOf(atMs)] : [])),
    members: sessions.map(({ members }) => members.map(({ probeId, role }) => `${probeId}${role}`).join(' ')),
  };
}

const line = (...points: [number, number][]): Observation[] => {
  const last = points.at(-1)?.[0] ?? 0;
  return trace({ 1: meat(...points) }, { minutes: last });
};

describe('a cook without a pit', () => {
  it('is confirmed at 45 °C where food rose by 15 °C within an hour, else at 50 °C', () => {
    // 15 °C an hour from minute 60 on; a hundredth less takes until 50 °C.
    const rise = (perHour: number) => line([0, 4], [60, 4], [360, 4 + 5 * perHour]);
    expect(cooks([food()], rise(15)).begun).to.deep.equal([224]);
    expect(cooks([food()], rise(14.7)).begun).to.deep.equal([248]);
  });

  it('remembers that it rose fast when it rises slowly later', () => {
    const slower = line([0, 4], [60, 4], [120, 24], [300, 44.9], [310, 45], [320, 45.1]);
    expect(cooks([food()], slower).begun).to.deep.equal([310]);
  });

  it('needs a value of 45 °C, and 10 °C more than the baseline', () => {
    expect(cooks([food()], line([0, 20], [60, 20], [120, 44.9], [900, 44.9])).sessions).to.deep.equal([]);
    const fromWarm = (celsius: number) => line([0, 44], [200, 44], [260, celsius], [300, celsius]);
    expect(cooks([food()], fromWarm(53.9)).sessions).to.deep.equal([]);
    expect(cooks([food()], fromWarm(54.1)).sessions).to.have.length(1);
  });

  it('needs two readings: one alone may be anything', () => {
    const spike = [shows(1, 0, 20), shows(1, 60, 20), shows(1, 120, 70), shows(1, 180, 20)];
    expect(cooks([food()], spike).sessions).to.deep.equal([]);
  });

  it('began when the food left its baseline, but three hours before it was noticed at the most', () => {
    expect(cooks([food()], line([0, 4], [60, 4], [260, 54])).sessions[0]).to.match(/^active null 8[01] /);
    expect(cooks([food()], line([0, 4], [60, 4], [860, 54])).sessions[0]).to.equal('active null 616 -');
  });

  it('is none where a pit shows that it is cold, also not on a logger', () => {
    const rows = line([0, 4], [60, 4], [200, 60]);
    const cold = trace({ 2: () => 20 }, { minutes: 200 });
    const both = [...rows, ...cold].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    expect(cooks([food(), probeFacts(2, 'Pit')], both).sessions).to.deep.equal([]);
    expect(
      cooks([food(), probeFacts(2, 'Pit')], [shows(2, 0, 20), shows(2, 0.5, null), ...rows]).sessions,
    ).to.have.length(1);
    expect(cooks([food()], rows, undefined, 'datalogger').sessions).to.deep.equal([]);
    expect(cooks([probeFacts(1, null, { role: 'storage' })], rows).sessions).to.deep.equal([]);
    expect(cooks([probeFacts(1, null, { role: 'other' })], rows).sessions).to.deep.equal([]);
  });

  it('does not begin with a jump, with a probe that is put into hot food, nor with hot food at first sight', () => {
    const every10 = (curve: Curve) => trace({ 1: curve }, { minutes: 90, everySeconds: 10 });
    expect(
      cooks(
        [food()],
        every10((m) => (m < 60 ? 20 : 64)),
      ).sessions,
    ).to.deep.equal([]);
    expect(
      cooks(
        [food()],
        every10((m) => (m < 60 ? 20 : m < 70 ? null : 64)),
      ).sessions,
    ).to.deep.equal([]);
    expect(
      cooks(
        [food()],
        every10(() => 64),
      ).sessions,
    ).to.deep.equal([]);
    // 60 °C a minute is none yet: 10 °C in ten seconds.
    const fast = every10((m) => Math.min(64, m < 60 ? 20 : 20 + (m - 60) * 60));
    expect(cooks([food()], fast).sessions).to.have.length(1);
  });

  it('does when hot food has risen by 20 °C more, or goes on after a moment unplugged', () => {
    const hot = line([0, 50], [10, 50], [130, 70], [140, 70.1]);
    expect(cooks([food()], hot).begun).to.deep.equal([131]);
    const rows = trace({ 1: unplugged(meat([0, 4], [60, 4], [200, 60]), 150, 152) }, { minutes: 200 });
    expect(cooks([food()], rows).begun).to.deep.equal([163]);
  });

  it('ends after half an hour below 45 °C, at the last reading that was not', () => {
    const roast = (end: number) => line([0, 4], [60, 4], [200, 60], [300, 60], [400, 40], [end, 40]);
    expect(cooks([food()], roast(405)).sessions[0]).to.match(/^active/);
    expect(cooks([food()], roast(406)).sessions).to.deep.equal(['completed cooled 73 375']);
    const warm = line([0, 4], [60, 4], [200, 60], [300, 60], [400, 45], [900, 45]);
    expect(cooks([food()], warm).sessions[0]).to.match(/^active/);
  });

  it('waits for the last of several', () => {
    const two = trace(
      { 1: meat([0, 4], [60, 4], [200, 60], [300, 60], [400, 30]), 2: meat([0, 4], [60, 4], [260, 70]) },
      { minutes: 700 },
    );
    const { sessions, members } = cooks([food(), food(2)], two);
    expect([sessions[0]?.split(' ')[0], members]).to.deep.equal(['active', ['1food 2food']]);
  });

  it('ends by its food when the pit is pulled while it is hot', () => {
    const curves = {
      1: unplugged(pit({ off: 400 }), 300),
      2: meat([60, 4], [290, 90], [420, 30], [700, 21]),
    };
    const rows = trace(curves, { minutes: 700 });
    const { sessions } = cooks([probeFacts(1, 'Pit'), probeFacts(2, 'Point')], rows);
    expect(sessions).to.have.length(1);
    expect(sessions[0]).to.match(/^completed cooled 6\d 38\d$/);
  });

  it('lost from sight goes on when its food is warm, or warmer than it was, and else is over', () => {
    const lost = (celsius: number) => [
      ...line([0, 4], [60, 4], [200, 60]),
      ...trace({ 1: dropout(() => celsius, 0, 400) }, { minutes: 430 }),
    ];
    expect(cooks([food()], lost(46)).sessions).to.deep.equal(['active null 73 -']);
    expect(cooks([food()], lost(44)).sessions).to.deep.equal(['completed lost_contact 73 200']);
  });

  it('began like a pit where its probe turns out to be one', () => {
    const slow = pit({ riseTau: 100, off: 400 });
    const [unknown, known] = [probeFacts(1), probeFacts(1, 'Pit')].map((probe) =>
      cooks([probe], trace({ 1: slow }, { minutes: 700 })),
    );
    expect(unknown?.sessions).to.deep.equal(known?.sessions);
    expect(unknown?.members).to.deep.equal(['1pit']);
  });

  it('takes meat that was hot when it was first seen for food, and what is hotter than meat can be for a pit', () => {
    const steady =
      (celsius: number): Curve =>
      () =>
        celsius;
    const probes = [probeFacts(1), probeFacts(2), probeFacts(3)];
    const given = trace({ 1: steady(121), 2: steady(93), 3: steady(99.9) }, { minutes: 60 });
    expect(cooks(probes, given).members).to.deep.equal(['1pit 2food 3food']);
    const late = trace({ 1: meat([0, 70], [10, 99], [20, 121], [90, 121]) }, { minutes: 90 });
    expect(cooks([probeFacts(1)], late).members).to.deep.equal(['1pit']);
  });

  it('stays where a person put its start, also when its probe turns out to be a pit', () => {
    const rows = trace({ 1: pit({ riseTau: 100, off: 400 }) }, { minutes: 400 });
    const device = deviceFacts([probeFacts(1)], { type: 'signals' });
    const begunAt = rows.findIndex((_, n) => replay(device, rows.slice(0, n)).sessions.length > 0);
    const { world } = replay(device, rows.slice(0, begunAt));
    const edited = world.sessions.map((one) => ({ ...one, startMs: at(5), isEdited: true }));
    let now: DeviceWorld = { ...world, sessions: edited };
    for (const row of rows.slice(begunAt)) now = reduceDevice(now, row, () => 'other').world;
    const [session] = now.sessions;
    expect(session?.members.map(({ role }) => role)).to.deep.equal(['pit']);
    expect(session?.startMs).to.equal(at(5));
  });
});

describe('intent', () => {
  const meant = food(1, { hasIntent: true });
  const withPit = [meant, probeFacts(2, 'Pit')];
  const pitCold = shows(2, 0, 20);

  it('begins a cook with a rise of 5 °C within half an hour, also where a pit is cold', () => {
    const rise = (perHalfHour: number) => line([0, 4], [60, 4], [150, 4 + 3 * perHalfHour]);
    expect(cooks([meant], rise(5)).begun).to.deep.equal([90]);
    expect(cooks(withPit, [pitCold, ...rise(5)]).begun).to.deep.equal([90]);
    expect(cooks([meant], rise(4.9)).begun).to.deep.equal([]);
    expect(cooks([food()], rise(5)).begun).to.deep.equal([]);
  });

  it('does not end it while the food warms up, and hides it where it never cooked', () => {
    const slow = line([0, 4], [60, 4], [90, 10], [400, 24], [900, 80]);
    expect(cooks([meant], slow).sessions).to.have.length(1);
    const thawed = line([0, 4], [60, 4], [120, 18], [300, 20], [600, 20]);
    expect(cooks([meant], thawed).sessions[0]).to.match(/^cancelled cooled/);
  });

  it('does not begin with a hand that moves the probe', () => {
    const moved = trace({ 1: (m) => (m < 60 ? 4 : 22) }, { minutes: 120, everySeconds: 10 });
    expect(cooks([meant], moved).begun).to.deep.equal([]);
  });
});

describe('a long cook', () => {
  it('ends after 72 hours, at its last reading', () => {
    const hours = (n: number) => n * 60;
    const rows = trace({ 1: (m) => (m < 1 ? 20 : 110) }, { minutes: hours(73), everySeconds: 300 });
    const { sessions } = cooks([probeFacts(1, 'Pit')], rows);
    expect(sessions).to.deep.equal([`completed too_long 5 ${hours(72) + 5}`]);
    const shorter = rows.filter(({ measuredAtMs }) => measuredAtMs <= at(hours(72) + 5));
    expect(cooks([probeFacts(1, 'Pit')], shorter).sessions).to.deep.equal(['active null 5 -']);
  });
});

describe('the end of a cook', () => {
  const pitAt = (curve: Curve, minutes: number) =>
    cooks([probeFacts(1, 'Pit')], trace({ 1: curve }, { minutes }));

  it('is not that a sear is followed by hours of lower heat', () => {
    const sear: Curve = (m) => (m < 60 ? 20 : m < 100 ? 290 : Math.max(107, 290 - 10 * (m - 100)));
    const off: Curve = (m) => (m < 420 ? sear(m) : 20 + 87 * Math.exp((420 - m) / 40));
    const { sessions } = pitAt(off, 600);
    expect(sessions).to.have.length(1);
    expect(sessions[0]).to.match(/^completed cooled 60 4[23]\d$/);
  });

  it('comes to a hot grill that cools slowly, and its cooling is no cooking', () => {
    const grill: Curve = (m) => (m < 60 ? 20 : m < 180 ? 280 : 20 + 260 * Math.exp((180 - m) / 120));
    expect(pitAt(grill, 700).sessions[0]).to.match(/^completed cooled 60 20\d$/);
  });

  it('does not wait for food whose readings are merely noisy', () => {
    const noise = (m: number) => Math.sin(m * 12.9898) + Math.sin(m * 78.233) / 2;
    const curves = {
      1: pit(),
      2: (m: number) => (m < 60 ? 4 : m < 420 ? 60 : 60 - (m - 420) / 60 + noise(m) / 1.5),
    };
    const { sessions } = cooks([probeFacts(1, 'Pit'), food(2)], trace(curves, { minutes: 620 }));
    expect(sessions[0]).to.match(/^completed cooled/);
  });
});

describe('a probe that becomes a pit', () => {
  it('is none that fell into something cold first', () => {
    const ribs = meat([0, 20], [70, 20], [72, 4], [150, 61], [300, 90]);
    const rows = trace({ 1: pit({ off: 400 }), 2: ribs }, { minutes: 300 });
    expect(cooks([probeFacts(1, 'Pit'), probeFacts(2)], rows).members).to.deep.equal(['1pit 2food']);
  });

  it('left its baseline between two readings, not at the first', () => {
    const sparse: [number, number][] = [
      [0, 11],
      [60, 11],
      [60.2, 21],
      [61.7, 61],
      [70, 120],
      [80, 120],
    ];
    const rows = sparse.filter(([m]) => m !== 60).map(([m, c]) => shows(1, m, c));
    expect(cooks([probeFacts(1)], rows).members).to.deep.equal(['1pit']);
  });
});
