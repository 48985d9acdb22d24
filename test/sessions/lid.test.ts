import { expect } from 'chai';
import { evaluate, initialStates } from '../../src/alerts/evaluate.js';
import type { AlertRule } from '../../src/alerts/types.js';
import type { LidTrack } from '../../src/sessions/detection-state.js';
import { followLid } from '../../src/sessions/lid.js';
import { NO_LIMITS } from '../alerts/no-limits.js';

type Shown = [seconds: number, celsius: number];

/** A pit 100 °C above its baseline of 20 °C, after each value. */
function tracks(values: readonly Shown[]): LidTrack[] {
  let lid: LidTrack | undefined;
  return values.map(([seconds, celsius]) => {
    lid = followLid(lid, { atMs: seconds * 1000, value: Math.round(celsius * 100), baseline: 2000 });
    return lid;
  });
}

/** When it began, and when it was seen to be an open lid, in seconds. */
function dropAfter(...values: Shown[]): [from: number, lid: number | null] | null {
  const drop = tracks(values).at(-1)?.drop;
  return drop ? [drop.fromMs / 1000, drop.lidMs === undefined ? null : drop.lidMs / 1000] : null;
}

describe('followLid', () => {
  it('takes 15 % of the height above the baseline for a drop, and not a hundredth less', () => {
    expect(dropAfter([0, 120], [60, 105.01])).to.equal(null);
    expect(dropAfter([0, 120], [60, 105])).to.deep.equal([0, null]);
  });

  it('takes no notice of a pit less than 20 °C above its baseline', () => {
    expect(dropAfter([0, 40], [60, 37])).to.deep.equal([0, null]);
    expect(dropAfter([0, 39.99], [60, 30])).to.equal(null);
  });

  it('looks back for ten minutes', () => {
    expect(dropAfter([0, 120], [300, 112], [590, 105])).to.deep.equal([0, null]);
    expect(dropAfter([0, 120], [300, 112], [600, 105])).to.deep.equal([0, null]);
    expect(dropAfter([0, 120], [300, 112], [610, 105])).to.equal(null);
  });

  it('lets a drop begin with the last value that lay so high', () => {
    expect(dropAfter([0, 121], [60, 119], [120, 121], [180, 120], [240, 90])).to.deep.equal([180, null]);
    expect(dropAfter([0, 120], [60, 112], [120, 104])).to.deep.equal([0, null]);
  });

  it('takes it for an open lid when half of it is made good within ten minutes', () => {
    const down: Shown[] = [
      [0, 120],
      [60, 100],
      [120, 80],
    ];
    expect(dropAfter(...down, [300, 99.99])).to.deep.equal([0, null]);
    expect(dropAfter(...down, [590, 100])).to.deep.equal([0, 590]);
    expect(dropAfter(...down, [600, 100])).to.deep.equal([0, 600]);
    expect(dropAfter(...down, [610, 100])).to.deep.equal([0, null]);
  });

  it('does not overlap in a fire that dies, and goes on where a lid that was open opens again', () => {
    const dies = tracks(Array.from({ length: 61 }, (_, i): Shown => [i * 30, 120 - i]));
    const begun = new Set(dies.flatMap(({ drop }) => (drop ? [drop.fromMs / 60_000] : [])));
    expect([...begun]).to.deep.equal([0, 10, 20]);
    const twice: Shown[] = [
      [0, 120],
      [60, 100],
      [180, 118],
      [240, 118],
      [300, 100],
    ];
    expect(tracks(twice).at(-1)?.drop).to.include({ sinceMs: 0, fromMs: 240_000, peak: 11_800 });
  });

  it('keeps values of ten minutes, a minute apart, and none that later ones outdo', () => {
    const falls = tracks(Array.from({ length: 400 }, (_, i): Shown => [i * 5, 120 - i / 100]));
    expect(Math.max(...falls.map(({ recent }) => recent.length))).to.equal(11);
    expect(dropAfter([0, 120], [60, 119], [120, 121])).to.equal(null);
    for (const last of [120, 121]) {
      const steady = tracks([
        [0, 120],
        [60, 119],
        [120, last],
      ]);
      expect(steady.at(-1)?.recent).to.have.lengthOf(1);
    }
  });
});

describe('an alert of a pit whose lid may be open', () => {
  const BASE = { ...NO_LIMITS, id: 1, temperatureUnit: 'C', holdSeconds: 0, recoverySeconds: 0 } as const;
  const rest = { hysteresis: 0, cooldownSeconds: 0, repeatSeconds: 0, severity: 'warning' } as const;
  const low = { ...BASE, ...rest, type: 'range', minTemperature: 105, maxTemperature: 150 } as const;
  const falling = { ...BASE, ...rest, type: 'falling', thresholdValue: 15, windowSeconds: 300 } as const;

  /** When it fired, in seconds. */
  function fired(rule: AlertRule, values: readonly Shown[]): number[] {
    let states = initialStates(rule);
    const lids = tracks(values);
    return values.flatMap(([seconds, celsius], index) => {
      const hundredths = Math.round(celsius * 100);
      const shown = { probeId: 1, measuredAtMs: seconds * 1000, hundredths, unit: 'C' as const, flags: 0 };
      const drop = lids[index]?.drop;
      const next = evaluate(rule, states, shown, { expectedIntervalMs: 60_000, drop });
      states = next.states;
      return next.transitions.flatMap(({ kind }) => (kind === 'fired' ? [seconds] : []));
    });
  }

  const every = (from: number, to: number, celsius: number): Shown[] =>
    Array.from({ length: (to - from) / 60 + 1 }, (_, i) => [from + i * 60, celsius]);

  it('waits out ten minutes from when the drop began, not a second longer', () => {
    const down = [...every(0, 300, 120), ...every(360, 840, 100)];
    for (const rule of [low, falling]) {
      expect(fired(rule, [...down, [890, 100], [899, 100]])).to.deep.equal([]);
      expect(fired(rule, [...down, [890, 100], [900, 100]])).to.deep.equal([900]);
    }
  });

  it('does not wait for a smaller drop, nor when it is too hot', () => {
    expect(fired(low, [...every(0, 300, 110), [360, 104]])).to.deep.equal([360]);
    expect(fired(low, [...every(0, 300, 120), [360, 100], [400, 160]])).to.deep.equal([400]);
  });

  it('does not wait when it was so before the drop', () => {
    const held = { ...low, holdSeconds: 240 } as const;
    expect(fired(held, [...every(0, 300, 104), [360, 80], [420, 80]])).to.deep.equal([240]);
    expect(fired(held, [...every(0, 120, 110), ...every(180, 300, 104), [360, 80], [420, 80]])).to.deep.equal(
      [420],
    );
  });

  it('does not wait for one drop after another', () => {
    // The pit swings as if its lid were opened every eight minutes, while its fire grows weak.
    const values = Array.from({ length: 240 }, (_, minute): Shown => {
      const mean = Math.max(80, 125 - Math.max(0, minute - 60) / 2);
      return [minute * 60, mean + 15 * Math.cos((minute / 4) * Math.PI)];
    });
    const [below] = values.findLast(([, celsius]) => celsius >= 105) ?? [0];
    expect(fired(low, values)).to.deep.equal([below + 660]);
  });

  it('forgets the fall with a lid that was open', () => {
    const down = [...every(0, 300, 120), ...every(360, 480, 100)];
    const slow = { ...falling, windowSeconds: 900 };
    expect(fired(slow, [...down, [540, 110], ...every(600, 1200, 104)])).to.deep.equal([]);
    expect(fired(slow, [...down, [540, 109.99], ...every(600, 1200, 104)])).to.deep.equal([900]);
  });
});
