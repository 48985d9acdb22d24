import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { PICTURES, pictures } from '../../scripts/pictures/pictures.js';
import { ARROWS } from '../../scripts/pictures/states-picture.js';
import { evaluate, initialStates } from '../../src/alerts/evaluate.js';
import type { AlertRule, AlertState } from '../../src/alerts/types.js';
import { NO_LIMITS } from '../alerts/no-limits.js';
import { shows } from '../support/traces.js';

const drawn = () => readdirSync(PICTURES).filter((file) => file.endsWith('.svg'));
const read = (...path: string[]) => readFileSync(join(PICTURES, ...path), 'utf8');

describe('docs/pictures', () => {
  it('holds what `npm run pictures` makes, and nothing else', () => {
    const made = pictures();
    expect(drawn().sort()).to.deep.equal([...made.keys()].sort());
    for (const [file, text] of made)
      expect(read(file) === text, `${file} is old: npm run pictures`).to.equal(true);
  });

  it('is shown in docs/alerts.md, every one', () => {
    const page = read('..', 'alerts.md');
    for (const file of drawn()) expect(page).to.include(`](pictures/${file})`);
    expect(read('../..', 'README.md')).to.include('](docs/pictures/states.svg)');
  });

  it('shows of the phases all steps that there are', () => {
    const drawn = ARROWS.map(({ from, to }) => `${from} ${to}`);
    expect([...stepsTaken()].sort()).to.deep.equal(drawn.sort());
  });
});

const RULE: AlertRule = {
  ...NO_LIMITS,
  ...{ id: 1, type: 'range', temperatureUnit: 'C', maxTemperature: 100, hysteresis: 2 },
  ...{ holdSeconds: 60, recoverySeconds: 60, cooldownSeconds: 0, repeatSeconds: 0, severity: 'warning' },
};
/** Beyond the limit; back, but not by the hysteresis; surely back; none. */
const VALUES = [101, 99, 90, null];
const LENGTH = 6;

/** What follows what, over all short courses of values, with and without holds. */
function stepsTaken(): Set<string> {
  const taken = new Set<string>();
  const rules = [0, 60].flatMap((seconds) =>
    [0, 60].map((recoverySeconds): AlertRule => ({ ...RULE, holdSeconds: seconds, recoverySeconds })),
  );
  const follow = (rule: AlertRule, states: AlertState[], minute: number): void => {
    if (minute === LENGTH) return;
    for (const value of VALUES) {
      const next = evaluate(rule, states, shows(1, minute, value), { expectedIntervalMs: 60_000 }).states;
      const [from, to] = [states[0]?.phase, next[0]?.phase];
      if (from !== to) taken.add(`${from} ${to}`);
      follow(rule, next, minute + 1);
    }
  };
  for (const rule of rules) follow(rule, initialStates(rule), 0);
  return taken;
}
