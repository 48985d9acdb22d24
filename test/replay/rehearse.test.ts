import { expect } from 'chai';
import type { AlertRule } from '../../src/alerts/types.js';
import type { IngestWorld } from '../../src/ingest/types.js';
import { FLAG } from '../../src/readings/sample.js';
import { rehearse } from '../../src/replay/rehearse.js';
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
  rehearse(unseenWorld(DEVICE, 1), 1, { ...RULE, ...rule }, rows);
// Two minutes above the limit; then six, with a dip to 97 in the middle; then above to the end.
const WAVES = [90, 101, 101, 90, 90, 101, 101, 101, 97, 97, 101, 101, 101, 90, 90, 90, 105, 105, 105];

describe('rehearse', () => {
  it('tells each firing with its bounds; the last goes on', () => {
    const { firings } = run({});
    const told = firings.map(({ fired_at, resolved_at, side, tier, value, seconds }) => {
      const bounds = [fired_at, resolved_at].map((one) => one && minutesOf(one.getTime()));
      return [...bounds, side, tier, value, seconds];
    });
    expect(told).to.deep.equal([
      [7, 14, 'high', 'warning', 101, 420],
      [18, null, 'high', 'warning', 105, 0],
    ]);
  });

  it('varies hold and hysteresis, and has the rule as it is among them', () => {
    const { variations } = run({});
    expect(variations.map((one) => Object.values(one))).to.deep.equal([
      [60, 4, 3, 120 + 480 + 60],
      [120, 2, 3, 120 + 120],
      [120, 4, 2, 420],
      [120, 8, 2, 420],
      [240, 4, 0, 0],
    ]);
  });

  it('keeps to variations that there can be', () => {
    const rising = { type: 'rising', thresholdValue: 10, windowSeconds: 600, maxTemperature: null } as const;
    const { variations } = run({ ...rising, holdSeconds: 0, hysteresis: 5 });
    expect(variations.map(({ hold_seconds, hysteresis }) => `${hold_seconds} ${hysteresis}`)).to.deep.equal([
      ...['0 2.5', '0 5', '1 5', '60 5', '180 5'],
    ]);
    expect(run({ hysteresis: 0 }).variations.map(({ hysteresis }) => hysteresis)).to.include.members([
      0, 1, 2,
    ]);
  });

  it('leaves out what came too late to tell anybody, and what is not believed', () => {
    const rows = readings(90, 101, 101, 101, 101).map((row) => ({ ...row, flags: FLAG.late }));
    expect(run({}, rows).firings).to.deep.equal([]);
    const suspect = readings(90, 101, 101, 101).map((row) => ({ ...row, flags: FLAG.suspect }));
    expect(run({}, suspect).firings).to.deep.equal([]);
    expect(run({}, []).firings).to.deep.equal([]);
  });
});
