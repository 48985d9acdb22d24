import { expect } from 'chai';
import fc from 'fast-check';
import { evaluate, initialStates } from '../../src/alerts/evaluate.js';
import { type LateProbe, PIECE, replayLate } from '../../src/alerts/late.js';
import type { Recorded, Stretch } from '../../src/alerts/past.js';
import type { AlertRule } from '../../src/alerts/types.js';
import type { Observation } from '../../src/readings/observation.js';
import { FLAG } from '../../src/readings/sample.js';
import { Firings } from '../../src/replay/firings.js';
import { NO_LIMITS } from './no-limits.js';

const MINUTE = 60_000;
const INTERVAL = MINUTE;

type Shown = [minute: number, value: number];

const rule = (given: Partial<AlertRule> = {}): AlertRule => ({
  ...NO_LIMITS,
  id: 1,
  type: 'range',
  temperatureUnit: 'F',
  maxTemperature: 100,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 2,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
  ...given,
});

const observed = ([minute, value]: Shown, flags = 0): Observation => ({
  probeId: 1,
  measuredAtMs: minute * MINUTE,
  hundredths: Math.round(value * 100),
  unit: 'F',
  flags,
});

/** What fires when these arrive in order. */
function fired(of: AlertRule, values: readonly Shown[]): Firings {
  const firings = new Firings();
  let states = initialStates(of);
  for (const value of values) {
    const next = evaluate(of, states, observed(value), { expectedIntervalMs: INTERVAL });
    states = next.states;
    for (const transition of next.transitions) firings.take(transition);
  }
  return firings;
}

/** The probe as it is stored, and how often it was asked for readings. */
class Stored {
  readonly readings: Observation[];
  readonly firings: Firings;
  asked = 0;
  constructor(
    private readonly of: AlertRule,
    live: readonly Shown[],
    private readonly given: Partial<LateProbe> & { judgedAfterMs?: number } = {},
  ) {
    this.readings = live.map((value) => observed(value));
    this.firings = fired(of, live);
  }

  /** These arrive together, after all that is there. */
  add(values: readonly Shown[], flags = 0): this {
    this.readings.push(...values.map((value) => observed(value, flags)));
    this.readings.sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    const times = values.map(([minute]) => minute * MINUTE).sort((a, b) => a - b);
    const { judgedAfterMs = 0, ...given } = this.given;
    const probe = { expectedIntervalMs: INTERVAL, baselineAt: () => null, ...given };
    const run = replayLate([{ rule: this.of, judgedAfterMs, recorded: this.firings.of(1) }], times, probe);
    let asked = run.next();
    while (!asked.done) {
      const fromMs = asked.value;
      this.asked += 1;
      asked = run.next(this.readings.filter(({ measuredAtMs: ms }) => ms >= fromMs).slice(0, PIECE));
    }
    for (const change of asked.value) this.firings.change(change);
    return this;
  }

  late(): string[] {
    return this.firings
      .of(1)
      .flatMap((one) => (one.version < 0 ? [lineOf(one)] : []))
      .sort();
  }
}

/** `high warning 5-9: 103 to 97, 104 at worst`, in minutes. */
function lineOf({ side, tier, fromMs, toMs, first, last, extreme }: Stretch): string {
  const [from, to] = [fromMs / MINUTE, toMs / MINUTE];
  return `${side} ${tier} ${from}-${to}: ${first.value} to ${last.value}, ${extreme} at worst`;
}

describe('replayLate', () => {
  it('creates a firing that nobody was told of', () => {
    const stored = new Stored(rule(), [
      [0, 90],
      [1, 90],
      [9, 90],
    ]);
    expect(
      stored
        .add([
          [3, 101],
          [4, 103],
          [5, 90],
        ])
        .late(),
    ).to.deep.equal(['high warning 3-5: 101 to 90, 103 at worst']);
  });

  it('extends a live firing at both ends, which stays as it was told', () => {
    const stored = new Stored(rule(), [
      [0, 90],
      [5, 101],
      [6, 90],
      [9, 90],
    ]);
    expect(stored.late()).to.deep.equal([]);
    stored.add([[4, 102]]).add([[6.5, 101]]);
    expect(stored.late()).to.deep.equal([
      'high warning 4-5: 102 to 101, 102 at worst',
      'high warning 6.5-9: 101 to 90, 101 at worst',
    ]);
    expect(
      stored.firings
        .of(1)
        .filter(({ version }) => version > 0)
        .map(lineOf),
    ).to.deep.equal(['high warning 5-6: 101 to 90, 101 at worst']);
  });

  it('goes past any number of live firings', () => {
    const hourly = Array.from({ length: 1000 }, (_, hour): Shown[] => [
      [60 * hour + 30, 90],
      [60 * hour + 40, 101],
      [60 * hour + 50, 90],
    ]);
    const stored = new Stored(rule(), hourly.flat());
    expect(stored.add([[20, 102]]).late()).to.deep.equal(['high warning 20-30: 102 to 90, 102 at worst']);
    stored.add([[59_940, 102]]);
    expect(stored.late()).to.include('high warning 59940-59970: 102 to 90, 102 at worst');
  });

  it('changes nothing where the readings fire nothing new', () => {
    const stored = new Stored(rule(), [
      [0, 90],
      [5, 101],
      [9, 90],
    ]);
    expect(
      stored
        .add([
          [2, 100],
          [6, 150],
          [7, 90],
        ])
        .late(),
    ).to.deep.equal([]);
    expect(stored.add([[3, 150]], FLAG.suspect).late()).to.deep.equal([]);
  });

  it('replaces what later readings show to have been otherwise', () => {
    const stored = new Stored(rule({ holdSeconds: 180 }), [
      [0, 90],
      [9, 90],
    ]);
    expect(
      stored
        .add([
          [2, 101],
          [3, 101],
          [5, 101],
        ])
        .late(),
    ).to.have.lengthOf(1);
    expect(stored.add([[4, 90]]).late()).to.deep.equal([]);
    expect(
      stored
        .add([
          [6, 101],
          [7, 101],
          [8, 101],
        ])
        .late(),
    ).to.deep.equal(['high warning 8-9: 101 to 90, 101 at worst']);
  });

  it('knows what was told when a worse tier ended, hours before', () => {
    const tiers = rule({ criticalMaxTemperature: 120 });
    const hours = Array.from({ length: 100 }, (_, i): Shown => [10 + i * 10, 110]);
    const stored = new Stored(tiers, [[0, 90], [1, 130], [2, 110], ...hours, [1100, 90]]);
    expect(stored.firings.of(1)).to.have.lengthOf(2);
    expect(stored.add([[1005, 111]]).late()).to.deep.equal([]);
  });

  it('follows a cooldown that begins earlier to its end', () => {
    const cool = rule({ cooldownSeconds: 3600 });
    const stored = new Stored(cool, [
      [0, 90],
      [60, 101],
      [65, 90],
      [100, 90],
      [122, 101],
      [126, 101],
      [127, 90],
    ]);
    expect(stored.add([[61, 90]]).late()).to.deep.equal(['high warning 122-126: 101 to 101, 101 at worst']);
  });

  it('judges nothing from before the alert was made', () => {
    const stored = new Stored(
      rule(),
      [
        [0, 90],
        [9, 90],
      ],
      { judgedAfterMs: 3 * MINUTE },
    );
    expect(
      stored
        .add([
          [2, 101],
          [3, 101],
        ])
        .late(),
    ).to.deep.equal([]);
    expect(stored.add([[4, 101]]).late()).to.deep.equal(['high warning 4-9: 101 to 90, 101 at worst']);
  });

  it('waits out an open lid, and only of a pit in a session', () => {
    const low = rule({ maxTemperature: null, minTemperature: 220 });
    const pit: Shown[] = [
      [0, 250],
      [20, 250],
    ];
    const down: Shown[] = [
      [1, 200],
      [5, 200],
      [6, 240],
    ];
    const baselineAt = () => 2000;
    expect(new Stored(low, pit, { baselineAt }).add(down).late()).to.deep.equal([]);
    expect(new Stored(low, pit).add(down).late()).to.deep.equal([
      'low warning 1-6: 200 to 240, 200 at worst',
    ]);
    const cold: Shown[] = [...down.slice(0, 2), [10, 200]];
    expect(new Stored(low, pit, { baselineAt }).add(cold).late()).to.deep.equal([
      'low warning 10-20: 200 to 250, 200 at worst',
    ]);
  });

  it('asks for what lies around a late reading, and for more only while something is held', () => {
    const days: Shown[] = Array.from({ length: 5000 }, (_, i) => [i, i < 1000 || i > 4500 ? 90 : 99]);
    const stored = new Stored(rule(), days).add([[500.5, 101]]);
    expect(stored.asked).to.equal(1);
    expect(stored.late()).to.deep.equal(['high warning 500.5-501: 101 to 90, 101 at worst']);
    stored.add([[1500.5, 101]]);
    expect(stored.late().at(-1)).to.equal('high warning 500.5-501: 101 to 90, 101 at worst');
    expect(stored.late()[0]).to.equal('high warning 1500.5-4501: 101 to 90, 101 at worst');
    expect(stored.asked).to.be.within(7, 9);
  });

  const values = fc.array(fc.constantFrom(60, 60, 70, 97, 99, 101, 105, 125), {
    minLength: 2,
    maxLength: 60,
  });
  const gaps = fc.array(fc.constantFrom(1, 1, 1, 2, 3, 7, 30), { minLength: 1, maxLength: 20 });
  const rules = fc.record({
    holdSeconds: fc.constantFrom(0, 60, 180),
    recoverySeconds: fc.constantFrom(0, 60, 120, null),
    hysteresis: fc.constantFrom(0, 2, 5),
    cooldownSeconds: fc.constantFrom(0, 0, 300),
    minTemperature: fc.constantFrom(null, 65),
    criticalMaxTemperature: fc.constantFrom(null, 120),
  });
  const isLate = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 });
  const cooks = fc.record({ values, gaps, given: rules, isLate });

  function cookOf({
    values,
    gaps,
    given,
    isLate,
  }: {
    values: number[];
    gaps: number[];
    given: Partial<AlertRule>;
    isLate: number[];
  }) {
    let minute = 0;
    const all = values.map((value, index): Shown => {
      minute += gaps[index % gaps.length] ?? 1;
      return [minute, value];
    });
    // The newest one is in time.
    const late = all.filter((_, index) => index < all.length - 1 && isLate[index % isLate.length] === 0);
    return { all, late, live: all.filter((one) => !late.includes(one)), of: rule(given) };
  }

  /** Whether it fires at each reading, for what is told of it. */
  const covers = (firings: readonly Recorded[], isIt: (one: Recorded) => boolean, minute: number) =>
    firings
      .filter((one) => isIt(one) && one.fromMs <= minute * MINUTE && minute * MINUTE < one.toMs)
      .map(({ side, tier }) => `${side} ${tier}`)
      .sort();

  it('finds what would have fired in order, but for what had been told', () => {
    fc.assert(
      fc.property(cooks, (cook) => {
        const { all, late, live, of } = cookOf(cook);
        const stored = new Stored(of, live).add(late);
        const inOrder = fired(of, all).of(1);
        for (const [minute] of all.slice(0, -1)) {
          const told = covers(stored.firings.of(1), ({ version }) => version > 0, minute);
          const found = covers(stored.firings.of(1), ({ version }) => version < 0, minute);
          const due = covers(inOrder, () => true, minute);
          expect(found, `at ${minute}`).to.deep.equal(due.filter((one) => !told.includes(one)));
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('comes to the same in whatever order and parts they come, and however often', () => {
    fc.assert(
      fc.property(
        cooks,
        fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        (cook, order, size) => {
          const { late, live, of } = cookOf(cook);
          const together = new Stored(of, live).add(late);
          const shuffled = late
            .map((one, index) => ({ one, at: order[index] ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ one }) => one);
          const parts = new Stored(of, live);
          for (let from = 0; from < shuffled.length; from += size)
            parts.add(shuffled.slice(from, from + size));
          expect(parts.late()).to.deep.equal(together.late());
        },
      ),
      { numRuns: 300, seed: 2 },
    );
  });
});
