import { expect } from 'chai';
import fc from 'fast-check';
import { initialStates } from '../../src/alerts/evaluate.js';
import { evaluatePresence, isUnmoved, type Presence, silenceEndsMs } from '../../src/alerts/presence.js';
import type { AlertRule, AlertState, AlertTransition } from '../../src/alerts/types.js';
import { NO_LIMITS } from './no-limits.js';

const MINUTE = 60_000;
const NO_DATA: AlertRule = {
  ...NO_LIMITS,
  id: 1,
  type: 'no_data',
  temperatureUnit: 'C',
  silenceMinutes: 10,
  criticalSilenceMinutes: 30,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 0,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
};
const REMOVED: AlertRule = {
  ...NO_DATA,
  type: 'probe_removed',
  silenceMinutes: null,
  criticalSilenceMinutes: null,
};

type Sight = [minute: number, shows: Presence['shows'], isWatched?: boolean];

/** What is told, one line each, of sights in order; the last value is remembered as the fold does. */
function run(rule: AlertRule, sights: readonly Sight[]) {
  let states = initialStates(rule);
  let lastMs: number | null = null;
  const transitions: AlertTransition[] = [];
  for (const [minute, shows, isWatched = true] of sights) {
    const atMs = minute * MINUTE;
    if (shows === 'value') lastMs = Math.max(lastMs ?? 0, atMs);
    const next = evaluatePresence(rule, states, { atMs, shows, lastMs, isWatched });
    ({ states } = next);
    transitions.push(...next.transitions);
  }
  const told = transitions.map(({ kind, tier, measuredAtMs }) => `${kind} ${tier} ${measuredAtMs / MINUTE}`);
  return { told, states, transitions, lastMs };
}

/** Silence, looked at twice, as timers do. */
const silence = (minute: number, isWatched = true): Sight[] => [
  [minute, 'silence', isWatched],
  [minute, 'silence', isWatched],
];

describe('evaluatePresence', () => {
  describe('no data', () => {
    it('fires at the moment its limit ends, not a moment before, and not at the first look', () => {
      expect(run(NO_DATA, [[0, 'value'], ...silence(9.99)]).told).to.deep.equal([]);
      expect(
        run(NO_DATA, [
          [0, 'value'],
          [10, 'silence'],
        ]).told,
      ).to.deep.equal([]);
      expect(run(NO_DATA, [[0, 'value'], ...silence(10)]).told).to.deep.equal(['fired warning 10']);
      expect(run(NO_DATA, [[0, 'value'], ...silence(17), ...silence(19)]).told).to.deep.equal([
        'fired warning 10',
      ]);
    });

    it('tells nothing if a value comes between the two looks', () => {
      const { told, states } = run(NO_DATA, [
        [0, 'value'],
        [10, 'silence'],
        [10.1, 'value'],
        [10.2, 'silence'],
      ]);
      expect(told).to.deep.equal([]);
      expect(states.map(({ phase }) => phase)).to.deep.equal(['inactive', 'inactive']);
    });

    it('gets worse once, and is told to be over once', () => {
      const sights: Sight[] = [[0, 'value'], ...silence(10), ...silence(30), ...silence(90), [91, 'value']];
      const { told, transitions } = run(NO_DATA, sights);
      expect(told).to.deep.equal([
        'fired warning 10',
        'fired critical 30',
        'resolved warning 91',
        'resolved critical 91',
      ]);
      expect(transitions.at(-1)).to.include({
        durationSeconds: 61 * 60,
        value: null,
        unit: null,
        extreme: null,
      });
    });

    it('is told as critical alone where both limits had passed unseen', () => {
      const sights: Sight[] = [[0, 'value'], ...silence(40), [41, 'value']];
      expect(run(NO_DATA, sights).told).to.deep.equal(['fired critical 30', 'resolved critical 41']);
    });

    it('ends no earlier than it fired, by readings that come late', () => {
      const { transitions } = run(NO_DATA, [[0, 'value'], ...silence(20), [5, 'value'], [25, 'value']]);
      expect(transitions.map(({ kind, measuredAtMs }) => `${kind} ${measuredAtMs / MINUTE}`)).to.deep.equal([
        'fired 10',
        'resolved 10',
      ]);
      expect(transitions.at(-1)?.durationSeconds).to.equal(0);
    });

    it('does not miss what never was there, what is unplugged, or what nobody waits for', () => {
      expect(run(NO_DATA, silence(100)).told).to.deep.equal([]);
      expect(run(NO_DATA, [[0, 'value'], [5, 'nothing'], ...silence(100)]).told).to.deep.equal([]);
      expect(run(NO_DATA, [[0, 'value'], ...silence(100, false)]).told).to.deep.equal([]);
      const back: Sight[] = [[0, 'value'], [5, 'nothing'], ...silence(100), [101, 'value'], ...silence(111)];
      expect(run(NO_DATA, back).told).to.deep.equal(['fired warning 111']);
    });

    it('ends untold when nobody waits any more', () => {
      const sights: Sight[] = [
        [0, 'value'],
        ...silence(10),
        [11, 'silence', false],
        [12, 'value'],
        ...silence(22),
      ];
      expect(run(NO_DATA, sights).told).to.deep.equal(['fired warning 10', 'fired warning 22']);
    });

    it('keeps quiet for its cooldown, and then fires if it is still silent', () => {
      const rule = { ...NO_DATA, criticalSilenceMinutes: null, cooldownSeconds: 3600 };
      const sights: Sight[] = [[0, 'value'], ...silence(10), [20, 'value'], ...silence(79.9), ...silence(80)];
      expect(run(rule, sights).told).to.deep.equal([
        'fired warning 10',
        'resolved warning 20',
        'fired warning 80',
      ]);
    });

    it('says when to look, and when not to', () => {
      const due = (sights: readonly Sight[]) => {
        const { states, lastMs } = run(NO_DATA, sights);
        const ms = silenceEndsMs(NO_DATA, states, lastMs);
        return ms === null ? null : ms / MINUTE;
      };
      expect(due([])).to.equal(null);
      expect(due([[1, 'value']])).to.equal(11);
      expect(due([[1, 'value'], ...silence(11)])).to.equal(31);
      expect(due([[1, 'value'], ...silence(31)])).to.equal(null);
      expect(
        due([
          [1, 'value'],
          [2, 'nothing'],
        ]),
      ).to.equal(null);
    });
  });

  describe('probe removed', () => {
    it('fires when nothing is plugged in, once, and is over with a value', () => {
      const sights: Sight[] = [
        [0, 'value'],
        [3, 'nothing'],
        [4, 'nothing'],
        ...silence(50),
        [60, 'value'],
        [61, 'value'],
      ];
      expect(run(REMOVED, sights).told).to.deep.equal(['fired warning 3', 'resolved warning 60']);
    });

    it('tells at the end of its cooldown of what was pulled within it, unless it is back', () => {
      const rule = { ...REMOVED, cooldownSeconds: 600 };
      const sights: Sight[] = [
        [0, 'value'],
        [1, 'nothing'],
        [2, 'value'],
        [5, 'nothing'],
        [11.9, 'silence'],
        [12, 'silence'],
      ];
      expect(run(rule, sights).told).to.deep.equal([
        'fired warning 1',
        'resolved warning 2',
        'fired warning 12',
      ]);
      const back: Sight[] = [...sights.slice(0, 4), [6, 'value'], [12, 'silence']];
      expect(run(rule, back).told).to.deep.equal(['fired warning 1', 'resolved warning 2']);
      const { states, lastMs } = run(rule, sights.slice(0, 4));
      expect(silenceEndsMs(rule, states, lastMs)).to.equal(12 * MINUTE);
    });

    it('takes silence for no removal, and one that nobody minds for none', () => {
      expect(run(REMOVED, [[0, 'value'], ...silence(50)]).told).to.deep.equal([]);
      expect(
        run(REMOVED, [
          [0, 'value'],
          [3, 'nothing', false],
          [5, 'value'],
        ]).told,
      ).to.deep.equal([]);
    });
  });

  it('takes only legal steps: tells a firing once, and its end only after it', () => {
    const sight = fc.tuple(
      fc.integer({ min: 0, max: 20 }),
      fc.constantFrom('value' as const, 'nothing' as const, 'silence' as const),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.constantFrom(NO_DATA, REMOVED), fc.array(sight, { maxLength: 40 }), (rule, steps) => {
        let minute = 0;
        const { transitions, states } = run(
          rule,
          steps.map(([wait, shows, isWatched]) => {
            minute += wait;
            return [minute, shows, isWatched];
          }),
        );
        for (const { tier } of initialStates(rule)) {
          const own = transitions.filter((one) => one.tier === tier);
          expect(own.map(({ version }) => version)).to.deep.equal(own.map((_, index) => index + 1));
          own.forEach(({ kind, durationSeconds }, index) => {
            if (kind === 'fired') return;
            expect(own[index - 1]?.kind).to.equal('fired');
            expect(durationSeconds).to.be.at.least(0);
          });
        }
        const phases: AlertState['phase'][] = ['inactive', 'pending', 'firing'];
        for (const state of states) expect(phases).to.include(state.phase);
      }),
      { numRuns: 500 },
    );
  });

  it('knows beforehand which sights change nothing', () => {
    const sight = fc.record({
      wait: fc.integer({ min: 0, max: 20 }),
      shows: fc.constantFrom('value' as const, 'nothing' as const, 'silence' as const),
      isWatched: fc.boolean(),
    });
    let unmoved = 0;
    fc.assert(
      fc.property(fc.constantFrom(NO_DATA, REMOVED), fc.array(sight, { maxLength: 40 }), (rule, sights) => {
        let [minute, states] = [0, initialStates(rule)];
        for (const { wait, shows, isWatched } of sights) {
          minute += wait;
          for (const lastMs of [null, (minute - 1) * MINUTE, minute * MINUTE]) {
            const seen = { atMs: minute * MINUTE, shows, lastMs };
            if (!isUnmoved(states, seen)) continue;
            unmoved += 1;
            for (const watched of [true, false]) {
              const next = evaluatePresence(rule, states, { ...seen, isWatched: watched });
              expect(next).to.deep.equal({ states, transitions: [] });
              expect(next.states).to.equal(states);
            }
          }
          const lastMs = minute * MINUTE;
          ({ states } = evaluatePresence(rule, states, { atMs: lastMs, shows, lastMs, isWatched }));
        }
      }),
    );
    expect(unmoved).to.be.above(0);
  });
});
