import { expect } from 'chai';
import fc from 'fast-check';
import { evaluate, initialStates } from '../../src/alerts/evaluate.js';
import { release, shareSilence } from '../../src/alerts/inhibition.js';
import type { AlertRule, AlertState, AlertTransition } from '../../src/alerts/types.js';
import type { AlertInstance, IngestWorld } from '../../src/ingest/types.js';
import { ReplayedDevice } from '../../src/replay/replayed-device.js';
import { unseenProbe } from '../../src/replay/unseen.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import { NO_LIMITS } from './no-limits.js';

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 10, 21, 2);
const RULE: AlertRule = {
  ...NO_LIMITS,
  id: 1,
  type: 'no_data',
  temperatureUnit: 'C',
  silenceMinutes: 12,
  criticalSilenceMinutes: 30,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 0,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
};
const WARM: AlertRule = {
  ...RULE,
  type: 'range',
  silenceMinutes: null,
  criticalSilenceMinutes: null,
  maxTemperature: 5,
  criticalMaxTemperature: 15,
};

/** A cold store of so many probes that send each five minutes, with both rules on each: ids 10, 11, 20, 21, … */
function store(probes: number, limitOf = (_probe: number) => 12): ReplayedDevice {
  const ids = Array.from({ length: probes }, (_, index) => index + 1);
  const alerts = ids.map((id): [number, AlertInstance[]] => {
    const rules = [
      { ...RULE, id: 10 * id, silenceMinutes: limitOf(id) },
      { ...WARM, id: 10 * id + 1 },
    ];
    // In the order that the rows are read in.
    const statesOf = (rule: AlertRule) => initialStates(rule).sort((a, b) => (a.tier < b.tier ? -1 : 1));
    return [id, rules.map((rule) => ({ rule, states: statesOf(rule) }))];
  });
  const facts = ids.map((id) => ({
    id,
    kind: 'temperature' as const,
    label: null,
    role: 'storage' as const,
  }));
  const device = { id: 1, deviceId: 'M1', userId: 1, type: null, model: null, temperatureUnit: 'C' as const };
  const world: IngestWorld = {
    sessions: { device: { ...device, probes: facts }, detection: emptyDetection(), sessions: [] },
    statedIntervalSeconds: 300,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map(ids.map((id) => [id, unseenProbe(id)])),
    alerts: new Map(alerts),
  };
  return new ReplayedDevice(world);
}

function show(device: ReplayedDevice, probeId: number, measuredAtMs: number, value: number | null): void {
  const hundredths = value === null ? null : value * 100;
  device.take({ probeId, measuredAtMs, hundredths, unit: 'C', flags: 0 });
}

const isTold = ({ isMuted, isSuperseded }: ReplayedDevice['transitions'][number]) =>
  !isMuted && !isSuperseded;

describe('one cause, one message', () => {
  it('of a device that falls silent one alert tells, for all its probes, once for each tier', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 290 }), { minLength: 2, maxLength: 5 }),
        fc.array(fc.integer({ min: 12, max: 25 }), { minLength: 5, maxLength: 5 }),
        (lags, limits) => {
          const device = store(lags.length, (probe) => limits[probe - 1] ?? 12);
          for (const [index, lag] of lags.entries()) show(device, index + 1, T0 + lag * 1000, 4);
          device.end(T0 + 60 * MINUTE);
          const fired = device.transitions.filter(({ kind }) => kind === 'fired');
          expect(fired).to.have.lengthOf(2 * lags.length);
          const told = fired.filter(isTold);
          expect(told.map(({ tier, silentProbes }) => `${tier} ${silentProbes}`)).to.deep.equal([
            `warning ${lags.length}`,
            `critical ${lags.length}`,
          ]);
          for (const one of fired) expect(one.isInhibited === true).to.equal(!told.includes(one));
        },
      ),
      { numRuns: 30 },
    ));

  for (const [lag, tells] of [
    [299_999, ['10', '20 inhibited']],
    [300_000, ['10', '20 inhibited']],
    [300_001, ['10', '20']],
  ] as const)
    it(`a probe that was heard ${lag} ms later ${tells[1] === '20' ? 'has a silence of its own' : 'shares it'}`, () => {
      const device = store(2);
      show(device, 1, T0, 4);
      show(device, 2, T0 + lag, 4);
      device.end(T0 + 20 * MINUTE);
      expect(
        device.transitions.map(({ alertId, isInhibited }) => `${alertId}${isInhibited ? ' inhibited' : ''}`),
      ).to.deep.equal(tells);
    });

  it('speaks for the device too when it is the last of its probes to fall silent', () => {
    const device = store(3);
    show(device, 1, T0, 4);
    for (const minute of [0, 5, 10, 15])
      for (const probe of [2, 3]) show(device, probe, T0 + minute * MINUTE, 4);
    device.end(T0 + 29 * MINUTE);
    expect(
      device.transitions.map(({ alertId, silentProbes, isInhibited }) => [
        alertId,
        silentProbes,
        isInhibited,
      ]),
    ).to.deep.equal([
      [10, undefined, undefined],
      [20, 3, undefined],
      [30, undefined, true],
    ]);
  });

  it('however readings come, the end of each thing that was told is told once, and nothing is told twice', () => {
    const sight = fc.record({
      probe: fc.integer({ min: 1, max: 3 }),
      minutes: fc.constantFrom(0, 1, 2, 5, 13, 31),
      value: fc.constantFrom(4, 4, 9, 16, null),
    });
    fc.assert(
      fc.property(fc.array(sight, { minLength: 1, maxLength: 25 }), (sights) => {
        const device = store(3);
        let ms = T0;
        for (const { probe, minutes, value } of sights) {
          ms += minutes * MINUTE + 1;
          show(device, probe, ms, value);
        }
        for (let probe = 1; probe <= 3; probe++)
          for (let i = 1; i <= 4; i++) show(device, probe, ms + i * MINUTE, 4);
        const sides = new Map<string, { isOpen: boolean; tiers: Set<string> }>();
        for (const { alertId, side, tier, kind, isMuted, isSuperseded } of device.transitions) {
          if (isMuted) continue;
          const key = `${alertId} ${side}`;
          const told = sides.get(key) ?? { isOpen: false, tiers: new Set() };
          sides.set(key, told);
          if (isSuperseded)
            expect(told.tiers.delete(tier), `${key} ${tier}: an end of nothing`).to.equal(true);
          else if (kind === 'resolved') {
            expect(told.isOpen, `${key}: an end of nothing`).to.equal(true);
            sides.delete(key);
          } else {
            expect(told.tiers.has(tier), `${key} ${tier}: told twice`).to.equal(false);
            told.tiers.add(tier);
            told.isOpen = true;
          }
        }
        for (const [key, { isOpen }] of sides) expect(isOpen, `${key}: without an end`).to.equal(false);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the end of a side with two tiers', () => {
  const reading = (minute: number, value: number) => {
    const observation = {
      probeId: 1,
      measuredAtMs: T0 + minute * MINUTE,
      hundredths: value * 100,
      unit: 'C' as const,
    };
    return { ...observation, flags: 0 };
  };

  it('is told though the warning was snoozed, where the critical tier was told', () => {
    let states = initialStates(WARM).map((state) =>
      state.tier === 'warning' ? { ...state, snoozedUntilMs: T0 + 60 * MINUTE } : state,
    );
    const told: string[] = [];
    for (const [minute, value] of [4, 9, 16, 9, 4].entries()) {
      const next = evaluate(WARM, states, reading(minute, value), { expectedIntervalMs: MINUTE });
      states = next.states;
      for (const { kind, tier, isMuted, isSuperseded } of next.transitions)
        told.push(`${kind} ${tier}${isMuted ? ' muted' : ''}${isSuperseded ? ' superseded' : ''}`);
    }
    expect(told).to.deep.equal([
      'fired warning muted',
      'fired critical',
      'resolved critical superseded',
      'resolved warning',
    ]);
  });
});

describe('shareSilence and release', () => {
  const firing = (given: Partial<AlertState> = {}): AlertState[] =>
    initialStates({ ...RULE, criticalSilenceMinutes: null }).map((state) => ({
      ...state,
      ...{ phase: 'firing' as const, isAnnounced: true, firedAtMs: T0 + 12 * MINUTE, ...given },
    }));
  const fired: AlertTransition = {
    ...{ alertId: 1, kind: 'fired', side: 'high', tier: 'warning', version: 1, value: null, unit: null },
    ...{ measuredAtMs: T0 + 12 * MINUTE, durationSeconds: null, extreme: null, change: null, isMuted: false },
  };
  const heard = [{ lastMs: T0, intervalMs: 0 }];
  const beside = (given: Partial<AlertState>) => {
    const others = [{ probeId: 2, rule: RULE, states: firing(given) }];
    const { states, transitions } = shareSilence(
      RULE,
      { states: firing(), transitions: [fired] },
      { heard, others },
      T0 + 12 * MINUTE,
    );
    return { state: states[0], transition: transitions[0] };
  };

  it('is silent only beside what was told itself, of the same device', () => {
    expect(beside({}).state).to.include({ isMuted: true, isInhibited: true, toldAtMs: null });
    for (const given of [
      { isMuted: true },
      { isAnnounced: false },
      { phase: 'pending' as const },
      { firedAtMs: T0 + 11 * MINUTE },
      { tier: 'info' as const },
    ])
      expect(beside(given).transition, JSON.stringify(given)).to.deep.include({
        silentProbes: 2,
        isMuted: false,
      });
  });

  it('once released it waits once', () => {
    const waiting = firing({ isMuted: true, isInhibited: true, toldAtMs: null });
    const released = release(waiting, T0 + 20 * MINUTE);
    expect(released[0]).to.include({ isInhibited: true, toldAtMs: T0 + 20 * MINUTE });
    expect(release(released, T0 + 30 * MINUTE)).to.equal(released);
    expect(release(firing(), T0)).to.have.nested.property('[0].toldAtMs', null);
  });
});
