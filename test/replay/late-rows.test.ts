import { expect } from 'chai';
import { initialStates } from '../../src/alerts/evaluate.js';
import type { AlertRule } from '../../src/alerts/types.js';
import { ReplayedDevice } from '../../src/replay/replayed-device.js';
import { unseenProbe } from '../../src/replay/unseen.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import { NO_LIMITS } from '../alerts/no-limits.js';
import { T0 } from '../support/traces.js';

const MINUTE = 60_000;
const RULE: AlertRule = {
  ...{ ...NO_LIMITS, id: 1, type: 'range', temperatureUnit: 'C', maxTemperature: 5, severity: 'warning' },
  ...{ holdSeconds: 0, recoverySeconds: 0, hysteresis: 0, cooldownSeconds: 0, repeatSeconds: 0 },
};

/** A cold store that sends each minute. */
function store(): ReplayedDevice {
  const probe = { id: 1, kind: 'temperature' as const, label: null, role: 'storage' as const };
  const device = { id: 1, deviceId: 'M1', userId: 1, type: null, model: null, temperatureUnit: 'C' as const };
  return new ReplayedDevice({
    sessions: { device: { ...device, probes: [probe] }, detection: emptyDetection(), sessions: [] },
    statedIntervalSeconds: 60,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map([[1, unseenProbe(1)]]),
    alerts: new Map([[1, [{ rule: RULE, states: initialStates(RULE) }]]]),
  });
}

describe('late rows of a trace', () => {
  it('are looked back at together, before anything else follows', () => {
    const device = store();
    let asked = 0;
    const { readings } = device;
    const following = readings.following.bind(readings);
    readings.following = (...args) => {
      asked += 1;
      return following(...args);
    };
    const show = (minute: number, celsius: number) =>
      device.take({
        probeId: 1,
        measuredAtMs: T0 + minute * MINUTE,
        hundredths: celsius * 100,
        unit: 'C',
        flags: 0,
      });
    show(0, 4);
    show(100, 4);
    for (let minute = 99; minute > 0; minute--) show(minute, minute >= 40 && minute < 60 ? 6 : 4);
    show(101, 4);
    expect(asked).to.equal(1);
    show(100.5, 6);
    device.end(T0 + 200 * MINUTE);
    expect(device.firings.lateEvents().map(({ measuredAtMs }) => (measuredAtMs - T0) / MINUTE)).to.deep.equal(
      [40, 60, 100.5, 101],
    );
  });
});
