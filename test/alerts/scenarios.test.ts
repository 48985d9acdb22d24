import { expect } from 'chai';
import { evaluate, initialStates } from '../../src/alerts/evaluate.js';
import type { AlertState } from '../../src/alerts/types.js';
import { toHundredths } from '../../src/readings/sample.js';
import { SCENARIOS, type Scenario } from './scenarios.js';

/** As a row gives it back. */
const stored = (states: AlertState[]): AlertState[] => JSON.parse(JSON.stringify(states));

function tell(given: Scenario, between: (states: AlertState[]) => AlertState[]): string[] {
  const rule = { ...given.rule, id: 1 };
  let states = initialStates(rule);
  return given.readings.flatMap(([seconds, value]) => {
    const hundredths = value === null ? null : toHundredths(value);
    const observation = {
      probeId: 1,
      measuredAtMs: seconds * 1000,
      hundredths,
      unit: 'F' as const,
      flags: 0,
    };
    const next = evaluate(rule, between(states), observation, {
      expectedIntervalMs: given.intervalSeconds * 1000,
      isFood: true,
    });
    states = next.states;
    return next.transitions.map(({ kind, side, tier }) => `${seconds} ${kind} ${side} ${tier}`);
  });
}

describe('alert scenarios', () => {
  for (const given of SCENARIOS)
    it(given.title, () => {
      expect(tell(given, (states) => states)).to.deep.equal(given.told);
      expect(tell(given, stored)).to.deep.equal(given.told);
    });
});
