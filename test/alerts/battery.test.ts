import { expect } from 'chai';
import fc from 'fast-check';
import { type BatterySight, evaluateBattery } from '../../src/alerts/battery.js';
import { initialStates } from '../../src/alerts/evaluate.js';
import type { AlertRule, AlertTransition } from '../../src/alerts/types.js';
import { NO_LIMITS } from './no-limits.js';

const BATTERY: AlertRule = {
  ...NO_LIMITS,
  id: 1,
  type: 'battery',
  temperatureUnit: 'F',
  batteryPercent: 20,
  criticalBatteryPercent: 10,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 5,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
};

/** What is told, one line each, of sights in order: `+` charges, `-` drains, else the device does not say. */
function told(sights: string, rule = BATTERY): string[] {
  const seen = sights.split(' ').map((text, minute): BatterySight => {
    const isCharging = text.endsWith('+') ? true : text.endsWith('-') ? false : null;
    return { measuredAtMs: minute, percent: Number.parseInt(text, 10), isCharging };
  });
  return lines(run(rule, seen).transitions);
}

function run(rule: AlertRule, sights: readonly BatterySight[]) {
  let states = initialStates(rule);
  const transitions: AlertTransition[] = [];
  for (const sight of sights) {
    const next = evaluateBattery(rule, states, sight);
    ({ states } = next);
    transitions.push(...next.transitions);
  }
  return { states, transitions };
}

const lines = (transitions: readonly AlertTransition[]): string[] =>
  transitions.map(({ kind, tier, value, measuredAtMs }) => `${measuredAtMs} ${kind} ${tier} at ${value}`);

describe('evaluateBattery', () => {
  const cases: [name: string, sights: string, told: string[]][] = [
    [
      'tells at its limits, once each',
      '22 21 20 19 20 19 11 10 9',
      ['2 fired warning at 20', '7 fired critical at 10'],
    ],
    ['passes over a warning that is critical at once', '50 9', ['1 fired critical at 9']],
    [
      'is over past the hysteresis, and then may fire again',
      '21 20 25 20 26 20',
      ['1 fired warning at 20', '4 resolved warning at 26', '5 fired warning at 20'],
    ],
    ['does not fire on what was first seen low', '15 15 15', []],
    ['nor while that rises', '12 13 13 14 19', []],
    ['but when it falls', '12 13 12', ['2 fired warning at 12']],
    ['believes a device that says that it drains, from the first', '15-', ['0 fired warning at 15']],
    ['and one that says that it charges, though it falls', '22+ 19+ 8+', []],
    ['and goes on as before when it says no more', '12+ 12', []],
    ['until it no longer charges', '12+ 14+ 14-', ['2 fired warning at 14']],
    [
      'goes on while it charges, until it is past the hysteresis',
      '21- 20- 21+ 25+ 26+',
      ['1 fired warning at 20', '4 resolved warning at 26'],
    ],
    ['is over with a fresh battery', '50 10 100', ['1 fired critical at 10', '2 resolved critical at 100']],
  ];
  for (const [name, sights, expected] of cases) it(name, () => expect(told(sights)).to.deep.equal(expected));

  it('tells the lowest and how long, when it is over', () => {
    const at = (minutes: number, percent: number) => ({
      measuredAtMs: minutes * 60_000,
      percent,
      isCharging: null,
    });
    const { transitions } = run(BATTERY, [at(0, 21), at(10, 20), at(20, 13), at(90, 80)]);
    expect(transitions.at(-1)).to.include({
      kind: 'resolved',
      side: 'low',
      durationSeconds: 4_800,
      extreme: 13,
      unit: null,
    });
  });

  it('has one tier where only one limit is given', () => {
    expect(told('15- 5-', { ...BATTERY, batteryPercent: null })).to.deep.equal(['1 fired critical at 5']);
  });

  it('tells the same of sights that come twice or too late', () => {
    const sight = fc.record({
      percent: fc.integer({ min: 0, max: 100 }),
      isCharging: fc.constantFrom(true, false, null),
    });
    const sights = fc.array(sight, { maxLength: 60 });
    const again = fc.array(fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(sights, again, (list, repeats) => {
        const inOrder = list.map((one, index) => ({ ...one, measuredAtMs: index }));
        const repeated = inOrder.flatMap((one, index) => [
          one,
          ...inOrder.slice(Math.max(0, index - (repeats[index] ?? 0)), index),
          one,
        ]);
        const once = run(BATTERY, inOrder);
        expect(run(BATTERY, repeated).transitions).to.deep.equal(once.transitions);
        // Never twice on a side and tier without an end between them.
        for (const tier of ['warning', 'critical']) {
          const kinds = once.transitions.flatMap((one) => (one.tier === tier ? [one.kind] : []));
          expect(kinds.every((kind, index) => kind === (index % 2 === 0 ? 'fired' : 'resolved'))).to.equal(
            true,
          );
        }
      }),
    );
  });
});
