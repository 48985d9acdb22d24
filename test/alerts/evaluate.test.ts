import { expect } from 'chai';
import fc from 'fast-check';
import { alreadyMet, evaluate, initialStates, rearm } from '../../src/alerts/evaluate.js';
import { areLeftAtRest, isUndisturbed, type KnownCalm } from '../../src/alerts/resting.js';
import type { AlertRule, AlertState, AlertTransition } from '../../src/alerts/types.js';
import type { Observation } from '../../src/readings/observation.js';
import { toHundredths, type Unit } from '../../src/readings/sample.js';
import { NO_LIMITS } from './no-limits.js';

const MINUTE = 60_000;
/** Minute and value, null for an absent probe; the unit is F unless given. */
type Point = [minute: number, value: number | null, unit?: Unit];

const BASE = {
  ...NO_LIMITS,
  id: 7,
  temperatureUnit: 'F',
  hysteresis: 2,
  recoverySeconds: 0,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
} as const;
/** Over or under at once, back at once. */
const range = (given: Partial<AlertRule>): AlertRule => ({
  ...BASE,
  type: 'range',
  holdSeconds: 0,
  ...given,
});
const high = (given: Partial<AlertRule> = {}) => range({ maxTemperature: 100, ...given });
const low = (given: Partial<AlertRule> = {}) => range({ minTemperature: 40, ...given });
const target = (given: Partial<AlertRule> = {}): AlertRule => ({
  ...BASE,
  type: 'target',
  targetTemperature: 200,
  direction: 'up',
  holdSeconds: 1,
  ...given,
});

const observe = ([minute, value, unit = 'F']: Point): Observation => ({
  probeId: 1,
  measuredAtMs: minute * MINUTE,
  hundredths: value === null ? null : toHundredths(value),
  unit,
  flags: 0,
});

interface Run {
  states: AlertState[];
  transitions: AlertTransition[];
}

const stored = (states: AlertState[]): AlertState[] => JSON.parse(JSON.stringify(states));
const kept = (states: AlertState[]) => states;

function runOnce(
  rule: AlertRule,
  points: Point[],
  between: typeof kept,
  expectedIntervalMs: number | null,
): Run {
  return points.reduce<Run>(
    ({ states, transitions }, point) => {
      const next = evaluate(rule, between(states), observe(point), { expectedIntervalMs });
      return { states: next.states, transitions: [...transitions, ...next.transitions] };
    },
    { states: initialStates(rule), transitions: [] },
  );
}

/** The trace in one go, and once more with the states stored and loaded between each two readings: no difference. */
function run(rule: AlertRule, points: Point[], expectedIntervalMs: number | null = MINUTE): Run {
  const inOneGo = runOnce(rule, points, kept, expectedIntervalMs);
  expect(runOnce(rule, points, stored, expectedIntervalMs)).to.deep.equal(inOneGo);
  return inOneGo;
}

/** What was told: minute, kind, and of a range side and tier. */
function told(rule: AlertRule, points: Point[], expectedIntervalMs: number | null = MINUTE): string[] {
  return run(rule, points, expectedIntervalMs).transitions.map(({ measuredAtMs, kind, side, tier }) =>
    [measuredAtMs / MINUTE, kind, ...(rule.type === 'range' ? [side, tier] : [])].join(' '),
  );
}

const phases = (rule: AlertRule, points: Point[]) => run(rule, points).states.map(({ phase }) => phase);

describe('evaluate: a range', () => {
  it('has a state for each number that is given', () => {
    const keys = (rule: AlertRule) => initialStates(rule).map(({ side, tier }) => `${side} ${tier}`);
    expect(keys(low({ maxTemperature: 100, criticalMaxTemperature: 120, severity: 'info' }))).to.deep.equal([
      'low info',
      'high info',
      'high critical',
    ]);
    expect(keys(target({ direction: 'down' }))).to.deep.equal(['down warning']);
  });

  it('is over above its maximum and under below its minimum, not at them', () => {
    expect(
      told(high(), [
        [0, 100],
        [1, 100.01],
      ]),
    ).to.deep.equal(['1 fired high warning']);
    expect(
      told(low(), [
        [0, 40],
        [1, 39.99],
      ]),
    ).to.deep.equal(['1 fired low warning']);
  });

  it('fires on the first reading there is when that is out of range: conditions are levels', () => {
    expect(told(high(), [[0, 101]])).to.deep.equal(['0 fired high warning']);
  });

  it('compares a reading in its own unit: 37.78 °C is 100.00 °F and 37.79 °C is 100.02 °F', () => {
    expect(
      told(high(), [
        [0, 37.78, 'C'],
        [1, 37.79, 'C'],
      ]),
    ).to.deep.equal(['1 fired high warning']);
    const celsius = high({ temperatureUnit: 'C', maxTemperature: 4 });
    expect(
      told(celsius, [
        [0, 39.2],
        [1, 39.21],
      ]),
    ).to.deep.equal(['1 fired high warning']);
  });

  it('takes no notice of humidity', () => {
    expect(
      told(high(), [
        [0, 150, 'H'],
        [1, null, 'H'],
      ]),
    ).to.deep.equal([]);
    const states = initialStates(high());
    expect(evaluate(high(), states, observe([0, 150, 'H']), { expectedIntervalMs: 1 }).states).to.equal(
      states,
    );
  });

  it('tells what was measured, and when it is over how long it lasted and the worst of it in its own unit', () => {
    const { transitions } = run(high({ holdSeconds: 60 }), [
      [0, 60, 'C'],
      [1, 45, 'C'],
      [2, 50, 'C'],
      [3, 30, 'C'],
    ]);
    expect(transitions).to.deep.equal([
      {
        alertId: 7,
        kind: 'fired',
        side: 'high',
        tier: 'warning',
        version: 1,
        value: 45,
        unit: 'C',
        measuredAtMs: MINUTE,
        durationSeconds: null,
        extreme: null,
        change: null,
        isMuted: false,
      },
      {
        alertId: 7,
        kind: 'resolved',
        side: 'high',
        tier: 'warning',
        version: 2,
        value: 30,
        unit: 'C',
        measuredAtMs: 3 * MINUTE,
        durationSeconds: 120,
        extreme: 140,
        change: null,
        isMuted: false,
      },
    ]);
  });

  it('keeps low and high apart: a swing from one to the other is told', () => {
    const both = low({ maxTemperature: 100 });
    expect(
      told(both, [
        [0, 110],
        [1, 30],
        [2, 70],
      ]),
    ).to.deep.equal([
      '0 fired high warning',
      '1 fired low warning',
      '1 resolved high warning',
      '2 resolved low warning',
    ]);
  });

  it('looks at each reading once: one that is not newer changes nothing', () => {
    const rule = high({ holdSeconds: 60 });
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [1, 101],
        [0, 50],
      ]),
    ).to.deep.equal(['1 fired high warning']);
    expect(
      told(rule, [
        [0, 101],
        [0, 101],
        [0, 101],
      ]),
    ).to.deep.equal([]);
    expect(
      told(high(), [
        [1, 99],
        [1, 101],
        [0, 101],
      ]),
    ).to.deep.equal([]);
  });
});

describe('evaluate: the hold', () => {
  const rule = high({ holdSeconds: 180 });

  it('fires when the condition was true for so long', () => {
    expect(
      told(rule, [
        [0, 101],
        [2, 101],
        [2.999, 101],
      ]),
    ).to.deep.equal([]);
    expect(
      told(rule, [
        [0, 101],
        [2, 101],
        [3, 101],
      ]),
    ).to.deep.equal(['3 fired high warning']);
  });

  it('begins anew after one reading in range', () => {
    expect(
      told(rule, [
        [0, 101],
        [2, 101],
        [2.5, 100],
        [3, 101],
        [4, 101],
        [5, 101],
      ]),
    ).to.deep.equal([]);
    expect(
      told(rule, [
        [0, 101],
        [2.5, 100],
        [3, 101],
        [4.5, 101],
        [6, 101],
      ]),
    ).to.deep.equal(['6 fired high warning']);
  });

  it('goes on over a gap of two intervals, and neither counts nor forgets a longer one', () => {
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [3, 101],
      ]),
    ).to.deep.equal(['3 fired high warning']);
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [3.001, 101],
        [4.001, 101],
      ]),
    ).to.deep.equal([]);
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [60, 101],
        [62, 101],
      ]),
    ).to.deep.equal(['62 fired high warning']);
  });

  it('goes on over ten minutes of a probe that reports on change', () => {
    expect(
      told(
        rule,
        [
          [0, 101],
          [10, 101],
        ],
        null,
      ),
    ).to.deep.equal(['10 fired high warning']);
    expect(
      told(
        rule,
        [
          [0, 101],
          [10.001, 101],
        ],
        null,
      ),
    ).to.deep.equal([]);
  });

  it('needs two readings when it is shorter than an interval, and one when it is none', () => {
    expect(
      told(high({ holdSeconds: 5 }), [
        [0, 101],
        [1, 101],
      ]),
    ).to.deep.equal(['1 fired high warning']);
    expect(told(high({ holdSeconds: 0 }), [[0, 101]])).to.deep.equal(['0 fired high warning']);
  });

  it('does not count time without a value, nor forget what it counted before', () => {
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [1.5, null],
        [2.5, 101],
        [3.5, 101],
      ]),
    ).to.deep.equal([]);
    expect(
      told(rule, [
        [0, 101],
        [1, 101],
        [1.5, null],
        [2.5, 101],
        [4.5, 101],
      ]),
    ).to.deep.equal(['4.5 fired high warning']);
  });
});

describe('evaluate: the end', () => {
  it('needs a value past the threshold by more than the hysteresis', () => {
    expect(
      told(high(), [
        [0, 101],
        [1, 100],
        [2, 98],
      ]),
    ).to.deep.equal(['0 fired high warning']);
    expect(
      told(high(), [
        [0, 101],
        [2, 97.99],
      ]),
    ).to.deep.equal(['0 fired high warning', '2 resolved high warning']);
    expect(
      told(low(), [
        [0, 39],
        [1, 40],
        [2, 42],
      ]),
    ).to.deep.equal(['0 fired low warning']);
    expect(
      told(low(), [
        [0, 39],
        [2, 42.01],
      ]),
    ).to.deep.equal(['0 fired low warning', '2 resolved low warning']);
  });

  it('takes the hysteresis as a difference in its own unit', () => {
    expect(
      told(high(), [
        [0, 40, 'C'],
        [1, 36.67, 'C'],
      ]),
    ).to.deep.equal(['0 fired high warning']);
    expect(
      told(high(), [
        [0, 40, 'C'],
        [1, 36.66, 'C'],
      ]),
    ).to.have.length(2);
  });

  it('needs it for the recovery hold', () => {
    const rule = high({ recoverySeconds: 300 });
    const start: Point[] = [
      [0, 101],
      [1, 90],
      [3, 90],
      [5, 90],
    ];
    expect(told(rule, [...start, [5.999, 90]])).to.have.length(1);
    expect(told(rule, [...start, [6, 90]])).to.deep.equal([
      '0 fired high warning',
      '6 resolved high warning',
    ]);
  });

  it('waits two intervals, and no less than two minutes, where no recovery hold is set', () => {
    const rule = high({ recoverySeconds: null });
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [2.999, 90],
        ],
        100_000,
      ),
    ).to.have.length(1);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [4, 90],
          [4.333, 90],
        ],
        100_000,
      ),
    ).to.have.length(1);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [4, 90],
          [4.334, 90],
        ],
        100_000,
      ),
    ).to.have.length(2);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [1.5, 90],
          [2.999, 90],
        ],
        1,
      ),
    ).to.have.length(1);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [2, 90],
          [3, 90],
        ],
        30_000,
      ),
    ).to.have.length(2);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [2.999, 90],
        ],
        null,
      ),
    ).to.have.length(1);
    expect(
      told(
        rule,
        [
          [0, 101],
          [1, 90],
          [3, 90],
        ],
        null,
      ),
    ).to.have.length(2);
  });

  it('goes back to firing without a message on one contrary reading, and counts anew', () => {
    const rule = high({ recoverySeconds: 120 });
    const contrary = (value: number): Point[] => [
      [0, 101],
      [1, 90],
      [2, value],
      [3, 90],
      [4, 90],
    ];
    for (const value of [101, 99]) {
      expect(phases(rule, contrary(value).slice(0, 3))).to.deep.equal(['firing']);
      expect(told(rule, contrary(value))).to.deep.equal(['0 fired high warning']);
      expect(told(rule, [...contrary(value), [5, 90]])).to.deep.equal([
        '0 fired high warning',
        '5 resolved high warning',
      ]);
    }
  });

  it('is not the gap that a probe without a value leaves', () => {
    const rule = high({ recoverySeconds: 120 });
    expect(
      told(rule, [
        [0, 101],
        [1, null],
        [90, 101],
      ]),
    ).to.deep.equal(['0 fired high warning']);
    expect(
      phases(rule, [
        [0, 101],
        [1, null],
      ]),
    ).to.deep.equal(['firing']);
    expect(
      told(rule, [
        [0, 101],
        [1, 90],
        [2, null],
        [3, 90],
        [4, 90],
      ]),
    ).to.have.length(1);
    expect(
      told(rule, [
        [0, 101],
        [1, 90],
        [2, null],
        [3, 90],
        [4, 90],
        [5, 90],
      ]),
    ).to.have.length(2);
  });

  it('keeps the same side quiet for the cooldown', () => {
    const rule = low({ maxTemperature: 100, cooldownSeconds: 600 });
    const start: Point[] = [
      [0, 101],
      [1, 70],
    ];
    expect(told(rule, [...start, [10.999, 101]])).to.have.length(2);
    expect(told(rule, [...start, [5, 101], [11, 101]])).to.deep.equal([
      '0 fired high warning',
      '1 resolved high warning',
      '11 fired high warning',
    ]);
    expect(told(rule, [...start, [2, 30]])).to.include('2 fired low warning');
  });
});

describe('evaluate: the critical tier', () => {
  const rule = high({ criticalMaxTemperature: 120, hysteresis: 0 });

  it('silences a warning of the same reading until it ends; what is left of it is told then', () => {
    expect(
      told(rule, [
        [0, 121],
        [1, 110],
        [2, 90],
      ]),
    ).to.deep.equal([
      '0 fired high critical',
      '1 fired high warning',
      '1 resolved high critical',
      '2 resolved high warning',
    ]);
    expect(
      told(rule, [
        [0, 121],
        [1, 90],
      ]),
    ).to.deep.equal(['0 fired high critical', '1 resolved high critical']);
  });

  it('leaves a warning that was told to tell its end', () => {
    expect(
      told(rule, [
        [0, 110],
        [1, 121],
        [2, 110],
        [3, 90],
      ]),
    ).to.deep.equal([
      '0 fired high warning',
      '1 fired high critical',
      '2 resolved high critical',
      '3 resolved high warning',
    ]);
  });

  it('silences a warning that fires under it while it lasts; a later one is told again', () => {
    const slow = high({ criticalMaxTemperature: 120, hysteresis: 0, cooldownSeconds: 300 });
    // The warning's cooldown ends under the critical tier, which was never quiet before.
    expect(
      told(slow, [
        [0, 101],
        [1, 90],
        [5, 121],
        [7, 110],
        [8, 90],
        [20, 101],
      ]),
    ).to.deep.equal([
      '0 fired high warning',
      '1 resolved high warning',
      '5 fired high critical',
      '7 fired high warning',
      '7 resolved high critical',
      '8 resolved high warning',
      '20 fired high warning',
    ]);
  });

  it('does not silence the other side', () => {
    const both = low({ criticalMaxTemperature: 120, recoverySeconds: 600 });
    expect(
      told(both, [
        [0, 121],
        [1, 30],
      ]),
    ).to.deep.equal(['0 fired high critical', '1 fired low warning']);
  });
});

describe('evaluate: a target', () => {
  const cold: Point = [0, 150];

  it('fires on two consecutive readings at it or above', () => {
    expect(told(target(), [cold, [1, 199.99], [2, 200], [3, 199.99], [4, 200]])).to.deep.equal([]);
    expect(told(target(), [cold, [1, 200], [2, 200]])).to.deep.equal(['2 fired']);
  });

  it('takes the next reading for the second one however late it comes, unless another hold was asked for', () => {
    expect(told(target(), [cold, [1, 200], [6, 200]])).to.deep.equal(['6 fired']);
    expect(told(target(), [cold, [1, 200], [2, null], [6, 200]])).to.deep.equal(['6 fired']);
    expect(told(target(), [cold, [1, 200], [6, 199], [11, 200]])).to.deep.equal([]);
    expect(told(target({ holdSeconds: 2 }), [cold, [1, 200], [6, 200]])).to.deep.equal([]);
  });

  it('fires at once when it is exceeded by 1 °C, 1.8 °F, unless another hold was asked for', () => {
    expect(told(target(), [cold, [1, 201.79]])).to.deep.equal([]);
    expect(told(target(), [cold, [1, 201.8]])).to.deep.equal(['1 fired']);
    const celsius = target({ temperatureUnit: 'C', targetTemperature: 95 });
    expect(told(celsius, [cold, [1, 95.99, 'C']])).to.deep.equal([]);
    expect(told(celsius, [cold, [1, 96, 'C']])).to.deep.equal(['1 fired']);
    expect(told(target({ holdSeconds: 60 }), [cold, [1, 250]])).to.deep.equal([]);
    expect(told(target({ holdSeconds: 60 }), [cold, [1, 250], [2, 250]])).to.deep.equal(['2 fired']);
    expect(told(target({ holdSeconds: 0 }), [cold, [1, 200]])).to.deep.equal(['1 fired']);
  });

  it('works downwards the same way', () => {
    const down = target({ direction: 'down', targetTemperature: 40 });
    expect(told(down, [cold, [1, 40.01], [2, 40], [3, 40]])).to.deep.equal(['3 fired']);
    expect(told(down, [cold, [1, 38.21]])).to.deep.equal([]);
    expect(told(down, [cold, [1, 38.2]])).to.deep.equal(['1 fired']);
  });

  it('ends like others and then stays silent', () => {
    expect(told(target(), [cold, [1, 205], [2, 198], [3, 197.99], [4, 205], [5, 205]])).to.deep.equal([
      '1 fired',
      '3 resolved',
    ]);
  });

  it('is armed again after 10 min below it by more than 5 °C, 9 °F', () => {
    const dip = (value: number, minutes: number): Point[] => [
      cold,
      [1, 205],
      ...Array.from({ length: minutes + 1 }, (_, i): Point => [2 + i, value]),
      [3 + minutes, 205],
    ];
    expect(told(target(), dip(190.99, 10))).to.deep.equal(['1 fired', '2 resolved', '13 fired']);
    expect(told(target(), dip(190.99, 9))).to.deep.equal(['1 fired', '2 resolved']);
    expect(told(target(), dip(191, 10))).to.deep.equal(['1 fired', '2 resolved']);
  });

  it('counts towards being armed only known, unbroken time', () => {
    const again: Point = [60, 205];
    const start: Point[] = [cold, [1, 205]];
    const firings = (...points: Point[]) =>
      told(target(), [...start, ...points, again], 5 * MINUTE).filter((line) => line.endsWith('fired'));
    expect(firings([2, 150], [12, 150])).to.deep.equal(['1 fired', '60 fired']);
    expect(firings([2, 150], [12.001, 150])).to.deep.equal(['1 fired']);
    expect(firings([2, 150], [3, null], [12, 150])).to.deep.equal(['1 fired']);
    expect(firings([2, 150], [7, 191], [8, 150], [13, 150])).to.deep.equal(['1 fired']);
    expect(firings([2, 150], [7, 191], [8, 150], [18, 150])).to.deep.equal(['1 fired', '60 fired']);
  });

  it('is not armed while it still fires, however long the recovery takes', () => {
    const slow = target({ recoverySeconds: 1200 });
    const below = Array.from({ length: 23 }, (_, i): Point => [2 + i, 150]);
    const states = (count: number) => run(slow, [cold, [1, 205], ...below.slice(0, count)]).states;
    expect(states(20)[0]).to.include({ phase: 'recovering', isArmed: false });
    expect(states(21)[0]).to.include({ phase: 'inactive', isArmed: true });
  });

  it('is armed again by a new session, also while it fires', () => {
    const fired = run(target(), [cold, [1, 205]]).states;
    const armed = rearm(target(), fired);
    expect(armed[0]).to.include({ phase: 'firing', isArmed: true });
    const options = { expectedIntervalMs: MINUTE };
    const still = evaluate(target(), armed, observe([2, 205]), options);
    expect(still.transitions).to.deep.equal([]);
    const resolved = evaluate(target(), still.states, observe([3, 150]), options);
    const again = evaluate(target(), resolved.states, observe([4, 205]), options);
    expect([...resolved.transitions, ...again.transitions].map(({ kind }) => kind)).to.deep.equal([
      'resolved',
      'fired',
    ]);
    expect(again.states[0]?.version).to.equal(3);
    expect(rearm(target(), initialStates(target()))).to.deep.equal(initialStates(target()));
  });

  it('rests while it waits to be armed, and from the first reading far enough away counts ten minutes', () => {
    const options = { expectedIntervalMs: MINUTE };
    const next = (states: AlertState[], point: Point) =>
      evaluate(target(), states, observe(point), options).states;
    const above = run(target(), [[0, 205]]).states;
    expect(above[0]).to.include({ phase: 'inactive', isArmed: false });
    expect(isUndisturbed(target(), above, observe([30, 205]), new Map())).to.equal(true);
    expect(next(above, [30, 205]), 'met').to.equal(above);
    expect(next(above, [60, 192]), 'near').to.equal(above);
    let armed = above;
    const away = Array.from({ length: 11 }, (_, i) => {
      armed = next(armed, [90 + i, 150]);
      return armed;
    });
    expect(away.map(([state]) => state?.isArmed)).to.deep.equal([...Array(10).fill(false), true]);
    expect(isUndisturbed(target(), armed, observe([120, 150]), new Map())).to.equal(true);
    expect(next(armed, [120, 150]), 'armed again').to.equal(armed);
    expect(isUndisturbed(target(), armed, observe([121, 205]), new Map())).to.equal(false);
  });

  it('takes a first value that meets it for met before, not for a crossing', () => {
    expect(
      told(target(), [
        [0, 205],
        [1, 205],
        [2, 205],
      ]),
    ).to.deep.equal([]);
    expect(
      told(target(), [
        [0, null],
        [1, 205],
        [2, 205],
      ]),
    ).to.deep.equal([]);
    const below = Array.from({ length: 11 }, (_, i): Point => [1 + i, 150]);
    expect(told(target(), [[0, 205], ...below, [12, 205]])).to.deep.equal(['12 fired']);
  });

  it('compares the value after a gap with the one before it', () => {
    expect(told(target(), [cold, [1, null], [30, 205]])).to.deep.equal(['30 fired']);
    expect(told(target(), [cold, [1, 205], [2, null], [30, 205]])).to.deep.equal(['1 fired']);
  });
});

describe('alreadyMet', () => {
  it('holds for a target that the value meets', () => {
    const at = (hundredths: number | null, unit: Unit = 'F') => ({ hundredths, unit });
    expect(alreadyMet(target(), at(20_000))).to.deep.equal(['warning']);
    expect(alreadyMet(target(), at(19_999))).to.deep.equal([]);
    expect(alreadyMet(target(), at(9_333, 'C'))).to.deep.equal([]);
    expect(alreadyMet(target(), at(9_334, 'C'))).to.deep.equal(['warning']);
    expect(alreadyMet(target({ direction: 'down' }), at(20_000))).to.deep.equal(['warning']);
    expect(alreadyMet(target(), at(null))).to.deep.equal([]);
    expect(alreadyMet(target(), at(20_000, 'H'))).to.deep.equal([]);
    expect(alreadyMet(high(), at(20_000))).to.deep.equal([]);
  });
});

const LEGAL: Record<string, string[]> = {
  inactive: ['inactive', 'pending', 'firing'],
  pending: ['pending', 'inactive', 'firing'],
  firing: ['firing', 'recovering', 'inactive'],
  recovering: ['recovering', 'firing', 'inactive'],
};

describe('evaluate on any trace', () => {
  const value = fc.option(fc.integer({ min: 0, max: 30 }), { freq: 6 });
  const trace = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), value), { maxLength: 60 }).map((steps) => {
    let minute = 0;
    return steps.map(([gap, v]): Point => {
      minute += gap;
      return [minute, v];
    });
  });
  const rules = fc
    .record({
      type: fc.constantFrom('target' as const, 'range' as const, 'rising' as const, 'falling' as const),
      holdSeconds: fc.constantFrom(0, 1, 120),
      recoverySeconds: fc.constantFrom(null, 0, 180),
      cooldownSeconds: fc.constantFrom(0, 300),
      hysteresis: fc.constantFrom(0, 2),
      windowSeconds: fc.constantFrom(240, 600, 6000),
    })
    .map(({ type, windowSeconds, ...given }) => {
      if (type === 'target') return target({ ...given, targetTemperature: 20 });
      if (type !== 'range') return range({ ...given, type, windowSeconds, thresholdValue: 10 });
      return range({
        ...given,
        minTemperature: 10,
        criticalMinTemperature: 5,
        maxTemperature: 20,
        criticalMaxTemperature: 25,
      });
    });

  it('takes legal steps only, and numbers each side and tier without a hole', () => {
    fc.assert(
      fc.property(rules, trace, (rule, points) => {
        let states = initialStates(rule);
        const versions = new Map<string, number>();
        for (const point of points) {
          const next = evaluate(rule, states, observe(point), { expectedIntervalMs: MINUTE });
          for (const [i, { phase, side, tier, version }] of next.states.entries()) {
            expect(LEGAL[states[i]?.phase ?? '']).to.include(phase);
            const mine = next.transitions.filter((t) => t.side === side && t.tier === tier);
            const known = versions.get(`${side} ${tier}`) ?? 0;
            expect(mine.map((t) => t.version)).to.deep.equal(mine.length ? [known + 1] : []);
            expect(version).to.equal(known + mine.length);
            for (const { kind } of mine) expect(kind).to.equal(version % 2 ? 'fired' : 'resolved');
            versions.set(`${side} ${tier}`, version);
          }
          states = next.states;
        }
      }),
    );
  });

  it('knows beforehand which values leave all as it is', () => {
    fc.assert(
      fc.property(rules, trace, (rule, points) => {
        let states = initialStates(rule);
        const known: KnownCalm = new Map();
        for (const point of points) {
          for (let hundredths = 0; hundredths <= 3_000; hundredths += 50) {
            const isAtRest = areLeftAtRest(rule, states, hundredths);
            const about = `${hundredths} of ${JSON.stringify({ rule, states })}`;
            expect(isUndisturbed(rule, states, { hundredths, unit: 'F' }, known), about).to.equal(isAtRest);
          }
          states = evaluate(rule, states, observe(point), { expectedIntervalMs: MINUTE }).states;
        }
      }),
      { numRuns: 40 },
    );
  });

  it('tells the same however the readings are batched, repeated and stored between', () => {
    const cut = fc.record({ size: fc.integer({ min: 1, max: 9 }), again: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(rules, trace, fc.array(cut, { minLength: 1 }), (rule, points, cuts) => {
        const plain = run(rule, points);
        let states = initialStates(rule);
        const transitions: AlertTransition[] = [];
        let from = 0;
        for (let i = 0; from < points.length; i++) {
          const { size, again } = cuts[i % cuts.length] ?? { size: 1, again: 0 };
          const watermark = points[from - 1]?.[0] ?? Number.NEGATIVE_INFINITY;
          const batch = points
            .slice(Math.max(0, from - again), from + size)
            .filter(([minute]) => minute > watermark);
          for (const point of batch) {
            const next = evaluate(rule, states, observe(point), { expectedIntervalMs: MINUTE });
            states = next.states;
            transitions.push(...next.transitions);
          }
          states = stored(states);
          from += size;
        }
        expect({ states, transitions }).to.deep.equal(plain);
      }),
    );
  });
});
