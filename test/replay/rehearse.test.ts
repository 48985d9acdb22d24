import { expect } from 'chai';
import type { AlertRule } from '../../src/alerts/types.js';
import type { IngestWorld } from '../../src/ingest/types.js';
import type { Observation } from '../../src/readings/observation.js';
import { FLAG } from '../../src/readings/sample.js';
import { rehearse } from '../../src/replay/rehearse.js';
import type { KnownGap } from '../../src/replay/rehearse-presence.js';
import { unseenProbe, unseenWorld } from '../../src/replay/unseen.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import { NO_LIMITS } from '../alerts/no-limits.js';
import { at, deviceFacts, minutesOf, probeFacts, shows } from '../support/traces.js';

const RULE: AlertRule = {
  ...NO_LIMITS,
  id: 42,
  type: 'range',
  temperatureUnit: 'C',
  repeatSeconds: 0,
  maxTemperature: 100,
  holdSeconds: 120,
  recoverySeconds: 60,
  hysteresis: 4,
  cooldownSeconds: 0,
  severity: 'warning',
};
const DEVICE: IngestWorld = {
  sessions: {
    device: deviceFacts([probeFacts(1), probeFacts(2)]),
    detection: { ...emptyDetection(), probes: { 1: { lastMs: at(999), bucket: 0, minima: [] } } },
    sessions: [],
  },
  statedIntervalSeconds: 60,
  recordingIntervalSeconds: null,
  reportsOnChange: false,
  probes: new Map([[1, { ...unseenProbe(1), lastMs: at(999), learnedIntervalSeconds: 60 }]]),
  alerts: new Map(),
};
/** A value each minute. */
const readings = (...values: number[]) => values.map((celsius, minute) => shows(1, minute, celsius));
const run = (rule: Partial<AlertRule>, rows = readings(...WAVES)) =>
  rehearse({ world: unseenWorld(DEVICE, [1]), probeId: 1, rule: { ...RULE, ...rule } }, [rows]);
// Two minutes above the limit; then six, with a dip to 97 in the middle; then above to the end.
const WAVES = [90, 101, 101, 90, 90, 101, 101, 101, 97, 97, 101, 101, 101, 90, 90, 90, 105, 105, 105];

describe('rehearse', () => {
  it('tells each firing with its bounds; the last goes on', async () => {
    const { firings } = await run({});
    const told = firings.map(({ fired_at, resolved_at, side, tier, value, seconds }) => {
      const bounds = [fired_at, resolved_at].map((one) => one && minutesOf(one.getTime()));
      return [...bounds, side, tier, value, seconds];
    });
    expect(told).to.deep.equal([
      [7, 14, 'high', 'warning', 101, 420],
      [18, null, 'high', 'warning', 105, 0],
    ]);
  });

  it('varies hold and hysteresis, and has the rule as it is among them', async () => {
    const { variations } = await run({});
    expect(variations.map((one) => Object.values(one))).to.deep.equal([
      [60, 4, 3, 120 + 480 + 60],
      [120, 2, 3, 120 + 120],
      [120, 4, 2, 420],
      [120, 8, 2, 420],
      [240, 4, 0, 0],
    ]);
  });

  it('keeps to variations that there can be', async () => {
    const rising = { type: 'rising', thresholdValue: 10, windowSeconds: 600, maxTemperature: null } as const;
    const { variations } = await run({ ...rising, holdSeconds: 0, hysteresis: 5 });
    expect(variations.map(({ hold_seconds, hysteresis }) => `${hold_seconds} ${hysteresis}`)).to.deep.equal([
      ...['0 2.5', '0 5', '1 5', '60 5', '180 5'],
    ]);
    expect((await run({ hysteresis: 0 })).variations.map(({ hysteresis }) => hysteresis)).to.include.members([
      0, 1, 2,
    ]);
    const narrow = await run({ minTemperature: 92 });
    expect(new Set(narrow.variations.map(({ hysteresis }) => hysteresis))).to.deep.equal(new Set([2, 4]));
  });

  it('leaves out what came too late to tell anybody, and what is not believed', async () => {
    const rows = readings(90, 101, 101, 101, 101).map((row) => ({ ...row, flags: FLAG.late }));
    expect((await run({}, rows)).firings).to.deep.equal([]);
    const imported = rows.map((row) => ({ ...row, flags: FLAG.late | FLAG.backfilled }));
    expect((await run({}, imported)).firings).to.have.length(1);
    const suspect = readings(90, 101, 101, 101).map((row) => ({ ...row, flags: FLAG.suspect }));
    expect((await run({}, suspect)).firings).to.deep.equal([]);
    expect((await run({}, [])).firings).to.deep.equal([]);
  });

  it('gives the same however the readings are split', async () => {
    const rows = readings(...WAVES);
    const place = { world: unseenWorld(DEVICE, [1]), probeId: 1, rule: RULE };
    const parts = rows.map((row) => [row]);
    expect(await rehearse(place, parts)).to.deep.equal(await rehearse(place, [rows]));
    expect(await rehearse(place, [[], rows.slice(0, 7), [], rows.slice(7)])).to.deep.equal(await run({}));
  });
});

describe('rehearse, of a probe that is missed', () => {
  const STORE: IngestWorld = {
    ...DEVICE,
    sessions: {
      ...DEVICE.sessions,
      device: deviceFacts([1, 2].map((id) => ({ ...probeFacts(id), role: 'storage' as const }))),
    },
  };
  const NO_DATA = { ...RULE, type: 'no_data', maxTemperature: null, silenceMinutes: 10 } as const;
  const REMOVED = { ...RULE, type: 'probe_removed', maxTemperature: null } as const;
  /** Of 4 °C, at these minutes. */
  const shown = (probe: number, ...minutes: number[]) => minutes.map((minute) => shows(probe, minute, 4));
  const byTime = (rows: Observation[]) => rows.toSorted((a, b) => a.measuredAtMs - b.measuredAtMs);
  const gap = (cause: KnownGap['cause'], from: number, to: number) => ({
    ...{ cause, startMs: at(from), endMs: at(to) },
  });
  const missed = async (
    rule: AlertRule,
    { rows, gaps = [], probes = [1, 2] }: { rows: Observation[]; gaps?: KnownGap[]; probes?: number[] },
  ) => {
    const place = { world: unseenWorld(STORE, probes), probeId: 1, rule, gaps };
    const { firings, variations } = await rehearse(place, [byTime(rows)]);
    const bounds = firings.map(({ fired_at, resolved_at }) =>
      [fired_at, resolved_at].map((one) => one && minutesOf(one.getTime())),
    );
    return { bounds, variations };
  };

  it('tells silence from the moment that it is too long, and varies that', async () => {
    const rows = shown(1, 0, 5, 16, 25.99, 50);
    const { bounds, variations } = await missed(NO_DATA, { rows });
    expect(bounds).to.deep.equal([
      [15, 16],
      [35.99, 50],
    ]);
    expect(variations.map((one) => Object.values(one))).to.deep.equal([
      [5, 3, (6 + 4.99 + 19.01) * 60],
      [10, 2, (1 + 14.01) * 60],
      [20, 1, 4.01 * 60],
    ]);
  });

  it('misses nothing while nobody looked', async () => {
    for (const cause of ['account', 'service'] as const) {
      const { bounds } = await missed(NO_DATA, { rows: shown(1, 0, 60, 80), gaps: [gap(cause, 0, 60)] });
      expect(bounds).to.deep.equal([[70, 80]]);
    }
  });

  it('takes a probe for pulled when another one of its device was heard meanwhile', async () => {
    const rows = [...shown(1, 0, 60, 100), ...shown(2, 0, 1, 2, 60, 61, 100)];
    const gaps = [gap('offline', 0, 60), gap('overwritten', 60, 100)];
    expect((await missed(REMOVED, { rows, gaps })).bounds).to.deep.equal([[1, 60]]);
    expect((await missed(NO_DATA, { rows, gaps })).bounds).to.deep.equal([[70, 100]]);
  });

  it('takes the only probe of a device for pulled or silent, as is asked', async () => {
    const given = { rows: shown(1, 0, 60), gaps: [gap('offline', 0, 60)], probes: [1] };
    const { bounds, variations } = await missed(REMOVED, given);
    expect(bounds.map(([from, to]) => [Math.floor(from ?? -1), to])).to.deep.equal([[0, 60]]);
    expect(variations).to.have.length(1);
    expect((await missed(NO_DATA, given)).bounds).to.deep.equal([[10, 60]]);
  });

  it("misses a cook's probe while its cook goes on", async () => {
    const cook = {
      ...STORE,
      sessions: { ...STORE.sessions, device: deviceFacts([probeFacts(1), probeFacts(2)]) },
    };
    const minutes = Array.from({ length: 200 }, (_, minute) => minute);
    const food = minutes.filter((minute) => minute < 60 || minute > 90);
    const rows = [
      ...minutes.map((minute) => shows(2, minute, Math.min(20 + 5 * minute, 120))),
      ...food.map((minute) => shows(1, minute, 10 + minute / 4)),
    ];
    const run = (world: IngestWorld) => rehearse({ world, probeId: 1, rule: NO_DATA }, [byTime(rows)]);
    const { firings } = await run(unseenWorld(cook, [1, 2]));
    expect(firings.map(({ fired_at }) => minutesOf(fired_at.getTime()))).to.deep.equal([69]);
    expect((await run(unseenWorld(cook, [1]))).firings).to.deep.equal([]);
  });
});
