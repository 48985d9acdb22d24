import { expect } from 'chai';
import fc from 'fast-check';
import { evaluate, initialStates, rearm } from '../../src/alerts/evaluate.js';
import { follow } from '../../src/alerts/slope.js';
import type { AlertRule, AlertState, AlertTransition } from '../../src/alerts/types.js';
import { toHundredths, type Unit } from '../../src/readings/sample.js';
import { NO_LIMITS } from './no-limits.js';

const SECOND = 1_000;
const MINUTE = 60_000;
/** By 15 °C within ten minutes. */
const slope = (given: Partial<AlertRule> = {}): AlertRule => ({
  ...NO_LIMITS,
  id: 7,
  type: 'rising',
  temperatureUnit: 'C',
  thresholdValue: 15,
  windowSeconds: 600,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 7.5,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
  ...given,
});

/** Minute and value, null for an absent probe; the unit is C unless given. */
type Point = [minute: number, value: number | null, unit?: Unit];
interface Run {
  states: AlertState[];
  transitions: AlertTransition[];
}
const stored = (states: AlertState[]): AlertState[] => JSON.parse(JSON.stringify(states));

function run(rule: AlertRule, points: Point[], { isFood = false, from = initialStates(rule) } = {}): Run {
  return points.reduce<Run>(
    ({ states, transitions }, [minute, value, unit = 'C']) => {
      const hundredths = value === null ? null : toHundredths(value);
      const observation = { probeId: 1, measuredAtMs: minute * MINUTE, hundredths, unit, flags: 0 };
      const next = evaluate(rule, stored(states), observation, { expectedIntervalMs: 5 * MINUTE, isFood });
      return { states: next.states, transitions: [...transitions, ...next.transitions] };
    },
    { states: from, transitions: [] },
  );
}
const told = (...given: Parameters<typeof run>) =>
  run(...given).transitions.map(({ measuredAtMs, kind }) => `${measuredAtMs / MINUTE} ${kind}`);

describe('a rising or falling alert', () => {
  const climb: Point[] = [
    [0, 100],
    [5, 107],
    [10, 117.25],
  ];

  it('tells by how much the value rose or fell, in the unit of the rule', () => {
    const [fired] = run(slope(), climb).transitions;
    expect(fired).to.include({ kind: 'fired', side: 'up', tier: 'warning', value: 117.25, unit: 'C' });
    expect(fired).to.include({ change: 17.25, extreme: null, durationSeconds: null, version: 1 });
    const inF = slope({ type: 'falling', temperatureUnit: 'F', thresholdValue: 27, severity: 'info' });
    const fell = run(inF, [
      [0, 100],
      [5, 95],
      [10, 80],
    ]).transitions;
    expect(fell).to.have.length(1);
    expect(fell[0]).to.include({ side: 'down', tier: 'info', value: 80, unit: 'C', change: 36 });
  });

  it('tells when it is over how long it lasted and the worst value', () => {
    const { transitions } = run(slope(), [...climb, [12, 125], [15, 124], [20, 124], [25, 124]]);
    expect(transitions.map(({ measuredAtMs, kind }) => [measuredAtMs / MINUTE, kind])).to.deep.equal([
      [10, 'fired'],
      [20, 'resolved'],
    ]);
    expect(transitions[1]).to.include({ durationSeconds: 600, extreme: 125, change: null });
  });

  it('takes no notice of a probe that changes its unit', () => {
    const steady: Point[] = [0, 2, 4, 6, 8, 10, 12].map((minute, i) =>
      i % 2 ? [minute, 121.11, 'C'] : [minute, 250, 'F'],
    );
    for (const temperatureUnit of ['F', 'C'] as const)
      for (const type of ['rising', 'falling'] as const) {
        const rule = slope({ type, temperatureUnit, thresholdValue: 0.05, hysteresis: 0 });
        expect(told(rule, steady, { isFood: true })).to.deep.equal([]);
      }
    // 14.99 and 15 °C, the middle one in F.
    expect(
      told(slope(), [
        [0, 100],
        [5, 224.6, 'F'],
        [10, 114.99],
      ]),
    ).to.deep.equal([]);
    expect(
      told(slope(), [
        [0, 212, 'F'],
        [5, 107],
        [10, 239, 'F'],
      ]),
    ).to.deep.equal(['10 fired']);
  });

  const put: Point[] = [
    [0, 20],
    [5, 20],
  ];
  const last = (value: number): Point => [5.25, value];

  it('takes a jump of a food probe for a hand, and of any other for a change', () => {
    expect(told(slope(), [...put, last(35)], { isFood: true })).to.deep.equal(['5.25 fired']);
    expect(told(slope(), [...put, last(35.01)], { isFood: true })).to.deep.equal([]);
    expect(told(slope(), [...put, last(35.01)])).to.deep.equal(['5.25 fired']);
    const inF = slope({ temperatureUnit: 'F', thresholdValue: 27 });
    expect(told(inF, [...put, last(35)], { isFood: true })).to.deep.equal(['5.25 fired']);
    expect(told(inF, [...put, last(35.01)], { isFood: true })).to.deep.equal([]);
  });

  it('begins its window anew after a jump, with the value that it came to', () => {
    const pulled: Point[] = [...put, last(80), [8, 82], [10.25, 95]];
    expect(told(slope(), pulled, { isFood: true })).to.deep.equal(['10.25 fired']);
    expect(told(slope(), [...pulled.slice(0, -1), [10.25, 94.99]], { isFood: true })).to.deep.equal([]);
    expect(told(slope(), [...pulled.slice(0, -1), [10.24, 95]], { isFood: true })).to.deep.equal([]);
  });

  it('begins its window anew where a food probe was out of its socket, else remembers it', () => {
    const out: Point[] = [
      [0, 100],
      [5, 100],
      [6, null],
      [7, 110],
      [10, 115],
    ];
    expect(told(slope(), out, { isFood: true })).to.deep.equal([]);
    expect(told(slope(), out)).to.deep.equal(['10 fired']);
  });

  it('does not know of a change while its window fills: what fires goes on, what is held waits', () => {
    const firing = run(slope(), climb).states;
    const silent: Point[] = [
      [60, 100],
      [61, 100],
    ];
    expect(run(slope(), silent, { from: firing }).states[0]).to.include({ phase: 'firing', rearmMs: -1 });
    const held = slope({ holdSeconds: 600 });
    const pending = run(held, climb).states;
    expect(pending[0]).to.include({ phase: 'pending', heldMs: 0 });
    expect(run(held, silent, { from: pending }).states[0]).to.include({ phase: 'pending', heldMs: 0 });
    expect(run(held, [[10.25, 20]], { from: pending, isFood: true }).states[0]).to.include({
      phase: 'inactive',
    });
  });

  it('is not armed again by a new session, as a target is', () => {
    const fired = run(slope(), climb).states;
    expect(rearm(slope(), fired)).to.equal(fired);
    expect(fired[0]).to.include({ phase: 'firing', isArmed: false });
  });

  it('is held, waits out its cooldown and recovers as a range does', () => {
    const rise: Point[] = [...climb, [12, 123], [15, 125]];
    expect(told(slope({ holdSeconds: 120 }), rise)).to.deep.equal(['12 fired']);
    expect(told(slope({ holdSeconds: 121 }), rise)).to.deep.equal(['15 fired']);
    const over: Point[] = [...climb, [15, 112], [20, 112], [25, 112]];
    expect(told(slope({ recoverySeconds: 600 }), over)).to.deep.equal(['10 fired', '25 resolved']);
    expect(told(slope({ recoverySeconds: 601 }), over)).to.deep.equal(['10 fired']);
    const back: Point[] = [...climb, [15, 119], [20, 112]];
    expect(told(slope({ hysteresis: 2.99 }), back)).to.deep.equal(['10 fired', '15 resolved']);
    expect(told(slope({ hysteresis: 3 }), back)).to.deep.equal(['10 fired', '20 resolved']);
  });
});

describe('the window of a rising or falling alert', () => {
  const WINDOW = 600;
  const reading = fc.record({
    seconds: fc.constantFrom(1, 2, 3, 5, 8, 40),
    value: fc.integer({ min: -300, max: 300 }),
    known: fc.option(fc.constant(true), { freq: 20 }),
  });

  /** From the lowest (or highest) of all readings of a window so long. */
  function changeOf(all: [number, number][], windowMs: number, sign: number): number {
    const [atMs, now] = all.at(-1) ?? [0, 0];
    const inside = all.filter(([ms]) => ms >= atMs - windowMs);
    return Math.max(...inside.map(([, value]) => sign * (now - value)));
  }

  it('is exact up to 64 readings; beyond, it never says too much, nor less than a window a twentieth shorter', () => {
    // However the rest is drawn: more than are kept.
    const dense = Array.from({ length: 80 }, () => ({ seconds: 2, value: 0, known: true }));
    fc.assert(
      fc.property(
        fc.constantFrom('rising' as const, 'falling' as const),
        // A walk that drifts, or values without order.
        fc.constantFrom(-250, 0, 250, null),
        fc.array(reading, { minLength: 60, maxLength: 250 }),
        (type, drift, steps) => {
          const rule = slope({ type, windowSeconds: WINDOW });
          const sign = type === 'rising' ? 1 : -1;
          const all: [number, number][] = [];
          let [state] = initialStates(rule);
          let atMs = 0;
          let value = 0;
          for (const { seconds, value: given, known } of [...dense, ...steps]) {
            atMs += seconds * SECOND;
            value = drift === null ? 100 * given : value + drift + given;
            all.push([atMs, value]);
            if (!state) throw new Error('no state');
            const knownMs = known ? seconds * SECOND : 0;
            const next = follow(rule, state, { measuredAtMs: atMs, value, knownMs, isFood: false });
            state = next.state;
            const inside = all.filter(([ms]) => ms >= atMs - WINDOW * SECOND).length;
            const kept = state.recent ?? [];
            expect(kept.length).to.be.at.most(64);
            const isWhole = kept.length === inside;
            if (all.length <= 64) expect(isWhole).to.equal(true);
            if (next.change === null) continue;
            expect(next.change).to.be.at.most(changeOf(all, WINDOW * SECOND, sign));
            expect(next.change).to.be.at.least(changeOf(all, WINDOW * SECOND * (isWhole ? 1 : 0.95), sign));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('counts no time from before it began', () => {
    const changeAfter = (lastKnownSeconds: number) => {
      const steps: [seconds: number, value: number, known: number][] = [
        [0, 0, 0],
        [60, 0, 60],
        [362, 0, 0],
        [660, 5, lastKnownSeconds],
      ];
      let [state] = initialStates(slope());
      let change: number | null = null;
      for (const [seconds, value, known] of steps) {
        const step = { measuredAtMs: seconds * SECOND, value, knownMs: known * SECOND, isFood: false };
        if (state) ({ state, change } = follow(slope(), state, step));
      }
      return change;
    };
    expect([changeAfter(299), changeAfter(300)]).to.deep.equal([null, 5]);
  });

  it('counts what is covered also of readings that were thinned out', () => {
    const rule = slope({ windowSeconds: 3600 });
    let [state] = initialStates(rule);
    const changes: (number | null)[] = [];
    for (let i = 0; i <= 360 && state; i++) {
      const step = { measuredAtMs: i * 5 * SECOND, value: i, knownMs: 5 * SECOND, isFood: true };
      const next = follow(rule, state, step);
      state = next.state;
      changes.push(next.change);
    }
    expect(changes.slice(0, 360).filter((change) => change !== null)).to.deep.equal([]);
    expect(changes[360]).to.equal(360);
    expect(JSON.stringify(state?.recent).length).to.be.lessThan(2_000);
  });
});
