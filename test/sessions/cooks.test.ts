import { expect } from 'chai';
import fc from 'fast-check';
import type { Observation } from '../../src/readings/observation.js';
import { reduceDevice } from '../../src/sessions/detection.js';
import { emptyDetection, parseDetection } from '../../src/sessions/detection-state.js';
import type { Session, SessionEvent } from '../../src/sessions/types.js';
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
  restarted,
  T0,
  trace,
  unplugged,
} from '../support/traces.js';

const smoker = deviceFacts([
  probeFacts(1, 'Pit'),
  probeFacts(2, 'Point'),
  probeFacts(3, 'Flat'),
  probeFacts(4),
]);

/** Heat is on from minute 60 to `off`. */
interface Cook {
  name: string;
  off: number;
  curves: { [probeId: number]: Curve };
  minutes: number;
}

const brisket = meat([60, 4], [240, 66], [420, 70], [480, 74], [760, 95], [780, 96], [1200, 50]);
const lostIn = (from: number, to: number) => ({
  1: dropout(pit(), from, to),
  2: dropout(meat([60, 4], [420, 93], [900, 40]), from, to),
});

const COOKS: Cook[] = [
  { name: '250 °F ± 8 °F for 6 h', off: 420, curves: { 1: pit({ wobble: 4.4 }) }, minutes: 700 },
  { name: '250 °F ± 2 °F for 6 h', off: 420, curves: { 1: pit({ wobble: 1.1 }) }, minutes: 700 },
  { name: 'a 450 °F grill', off: 120, curves: { 1: pit({ off: 120, level: 232 }) }, minutes: 400 },
  {
    name: 'a 20-minute steak',
    off: 80,
    curves: { 1: pit({ off: 80, level: 232, riseTau: 4 }) },
    minutes: 300,
  },
  { name: 'a lid that opens 5 min each hour', off: 420, curves: { 1: pit({ lidEvery: 60 }) }, minutes: 700 },
  { name: 'a 45-minute dropout', off: 420, curves: lostIn(200, 245), minutes: 700 },
  { name: 'a 3-hour dropout', off: 420, curves: lostIn(130, 310), minutes: 700 },
  {
    name: 'an overnight brisket with a stall, wrapped at 8 h',
    off: 780,
    curves: {
      1: pit({ off: 780, lidEvery: 120 }),
      2: brisket,
      3: unplugged(brisket, 475, 482),
      4: () => null,
    },
    minutes: 1100,
  },
];

describe('cooks', () => {
  for (const { name, off, curves, minutes } of COOKS) {
    for (const everySeconds of [10, 60, 300]) {
      it(`are one session each: ${name}, every ${everySeconds} s`, () => {
        const rows = trace(curves, { minutes, everySeconds });
        const { sessions, largestState } = replay(smoker, rows, { until: minutes + 500 });
        expect(sessions.map(({ status }) => status)).to.deep.equal(['completed']);
        const [session] = sessions;
        expect(session?.endReason).to.equal('cooled');
        expect(minutesOf(session?.startMs ?? null)).to.be.within(60, 65);
        expect(minutesOf(session?.endMs ?? null)).to.be.within(off, off + 15);
        const shown = Object.keys(curves).filter((id) =>
          rows.some((r) => `${r.probeId}` === id && r.hundredths),
        );
        const members = session?.members.map(({ probeId, role }) => `${probeId} ${role}`);
        expect(members).to.have.members(shown.map((id) => `${id} ${id === '1' ? 'pit' : 'food'}`));
        expect(largestState).to.be.lessThan(1500);
      });
    }
  }

  it('are two sessions when the grill is fired up again the same evening', () => {
    const both: Curve = (m) => (m < 300 ? pit({ off: 120, level: 200 })(m) : pit({ on: 300, off: 400 })(m));
    const { sessions } = replay(smoker, trace({ 1: both }, { minutes: 700 }));
    expect(sessions.map(({ status, endReason }) => `${status} ${endReason}`)).to.deep.equal([
      'completed cooled',
      'completed cooled',
    ]);
    expect(minutesOf(sessions[1]?.startMs ?? null)).to.be.within(300, 305);
  });

  it('keep a state of less than 1.5 kB with four probes at 480 °F', () => {
    const [grill, food] = [2_000_000_001, [2_000_000_002, 2_000_000_003, 2_000_000_004]];
    const device = deviceFacts([probeFacts(grill, 'Grill'), ...food.map((id) => probeFacts(id))]);
    const curves: { [probeId: number]: Curve } = {
      [grill]: pit({ level: 249, lidEvery: 60, on: 240, off: 600 }),
    };
    for (const id of food) curves[id] = meat([0, 4], [240, 5], [700, 90]);
    const { sessions, largestState } = replay(device, trace(curves, { minutes: 900, everySeconds: 30 }));
    expect(sessions.map(({ members }) => members.length)).to.deep.equal([4]);
    expect(largestState).to.be.lessThan(1500);
  });
});

describe('no cook', () => {
  const swing = (low: number, high: number, hours: number) => (minutes: number) =>
    low + ((high - low) * (1 - Math.cos((2 * Math.PI * minutes) / (hours * 60)))) / 2;
  const defrosts: Curve = (m) =>
    m % 360 < 25 ? 3 + (m % 360) / 2.5 : 3 + 10 * Math.exp(-((m % 360) - 25) / 15);
  const quiet: [string, { [probeId: number]: Curve }][] = [
    ['a sunny day', { 1: swing(12, 41, 24), 2: swing(12, 36, 24) }],
    ['a closed smoker in the sun, a food probe at 48 °C', { 1: swing(12, 58, 24), 2: swing(12, 48, 24) }],
    ['a smoker that the sun takes slowly to 64 °C', { 1: swing(30, 64, 24) }],
    ['a fridge with defrost', { 1: defrosts }],
    ['cold smoke', { 1: (m) => (m > 60 && m < 400 ? 28 : 12) }],
  ];

  for (const [name, curves] of quiet) {
    it(`is ${name}`, () => {
      const rows = trace(curves, { minutes: 2880 });
      expect(replay(smoker, rows).events).to.deep.equal([]);
    });
  }
});

const kinds: { [kind in SessionEvent['kind']]: [from: string, to: string] } = {
  started: ['none', 'active'],
  joined: ['active paused', ''],
  paused: ['active', 'paused'],
  resumed: ['paused', 'active'],
  ended: ['active paused', 'ended'],
  cancelled: ['active paused', 'ended'],
  reopened: ['ended', 'active'],
  lid_open: ['active', ''],
};

/** Fires of random length with random holes in the data and probes pulled, sampled unevenly. */
const worlds = fc.array(
  fc.record({
    minutes: fc.integer({ min: 1, max: 200 }),
    celsius: fc.constantFrom(4, 18, 30, 49, 55, 61, 90, 120, 230),
    everySeconds: fc.constantFrom(30, 60, 300, 900),
    state: fc.constantFrom('shown', 'shown', 'shown', 'absent', 'silent', 'food only', 'pit only'),
  }),
  { minLength: 1, maxLength: 14 },
);

const kitchen = deviceFacts([
  probeFacts(1, 'Roast', { role: 'food' }),
  probeFacts(2, 'Ham', { role: 'food', hasIntent: true }),
]);
const devices = fc.constantFrom(smoker, smoker, kitchen, deviceFacts([probeFacts(1), probeFacts(2)]));

type Stretch = typeof worlds extends fc.Arbitrary<(infer T)[]> ? T : never;

function unroll(stretches: Stretch[]): Observation[] {
  const rows: Observation[] = [];
  let from = 0;
  for (const { minutes, celsius, everySeconds, state } of stretches) {
    const shown = state === 'absent' ? null : celsius;
    const none = () => undefined;
    const all: { [probeId: number]: Curve } = {
      1: state === 'food only' ? none : () => shown,
      2: state === 'pit only' ? none : () => (shown === null ? null : shown / 2 + 5),
    };
    const local = state === 'silent' ? [] : trace(all, { minutes: minutes - 0.5, everySeconds });
    const shift = at(from) - T0;
    rows.push(...local.map((row) => ({ ...row, measuredAtMs: row.measuredAtMs + shift })));
    from += minutes;
  }
  return rows;
}

describe('any trace', () => {
  it('takes only legal steps, leaves one open session at most, and no two that overlap', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(devices, worlds, (device, stretches) => {
        const phases = new Map<string, string>();
        const { events, sessions } = replay(device, unroll(stretches), { until: 5000 });
        for (const { kind, session } of events) {
          seen.add(kind);
          expect(kinds[kind][0]).to.include(phases.get(session) ?? 'none', kind);
          phases.set(session, kinds[kind][1] || (phases.get(session) ?? 'none'));
        }
        for (const session of sessions) expectSound(session, phases.get(session.publicId));
        for (const [index, session] of sessions.slice(1).entries()) {
          expect(session.startMs).to.be.greaterThan(sessions[index]?.endMs ?? Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 350, seed: 7 },
    );
    expect([...seen]).to.have.members(Object.keys(kinds));
  });

  it('comes out the same when every reading is worked in by another process', () => {
    fc.assert(
      fc.property(devices, worlds, (device, stretches) => {
        const rows = unroll(stretches);
        const [whole, torn] = [replay(device, rows), replay(device, rows, { restarts: true })];
        expect(torn.events).to.deep.equal(whole.events);
        expect(torn.sessions).to.deep.equal(whole.sessions);
        expect(restarted(torn.world.detection)).to.deep.equal(restarted(whole.world.detection));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('comes out the same when the timers are looked at as they fall due', () => {
    fc.assert(
      fc.property(devices, worlds, (device, stretches) => {
        const rows = unroll(stretches);
        const looked = rows.flatMap((row) => [{ nowMs: row.measuredAtMs - 1 }, row]);
        const [plain, watched] = [replay(device, rows), replay(device, looked)];
        expect(watched.events).to.deep.equal(plain.events);
        expect(watched.sessions).to.deep.equal(plain.sessions);
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('changes nothing of what it was given', () => {
    fc.assert(
      fc.property(devices, worlds, (device, stretches) => {
        let world = { device, detection: emptyDetection(), sessions: [] as Session[] };
        for (const row of unroll(stretches)) {
          const before = JSON.stringify(world);
          const { world: next } = reduceDevice(world, row, () => 'new');
          expect(JSON.stringify(world)).to.equal(before);
          world = { device, detection: next.detection, sessions: next.sessions };
        }
      }),
      { numRuns: 20, seed: 7 },
    );
  });
});

function expectSound(session: Session, phase: string | undefined): void {
  const { status, startMs, endMs, endReason, lastReadingMs } = session;
  expect(session.phase).to.equal(phase);
  expect(session.phase === 'ended').to.equal(status !== 'active');
  expect(endMs === null).to.equal(status === 'active');
  expect(endReason === null).to.equal(status === 'active');
  expect(startMs).to.be.at.most(endMs ?? Number.POSITIVE_INFINITY);
  expect(lastReadingMs).to.be.within(startMs, endMs ?? Number.POSITIVE_INFINITY);
  if (endReason === 'lost_contact' || endReason === 'unplugged') expect(endMs).to.equal(lastReadingMs);
}

describe('parseDetection', () => {
  it('reads what was written, and refuses what it cannot go on from', () => {
    expect(parseDetection(emptyDetection())).to.deep.equal({ probes: {} });
    for (const bad of [
      null,
      {},
      { probes: { 1: {} } },
      { probes: [] },
      { probes: {}, cook: { session: 1 } },
    ]) {
      expect(() => parseDetection(bad), JSON.stringify(bad)).to.throw();
    }
  });
});
