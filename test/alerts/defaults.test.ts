import { expect } from 'chai';
import { withDefaults } from '../../src/alerts/defaults.js';
import { InputError } from '../../src/errors.js';
import type { ProbeRole } from '../../src/readings/sample.js';
import type { TemperatureUnit } from '../../src/readings/temperature.js';

const defaults = (
  input: Record<string, unknown>,
  role: ProbeRole = 'food',
  temperatureUnit: TemperatureUnit | null = null,
) => withDefaults(input, { role, temperatureUnit, transmitIntervalSeconds: null, intervalSeconds: null });

const TYPES = 'target, range, rising, falling, no_data, battery or probe_removed';
const PERCENT = 'must be a whole number of percent from 1 to 99';
const MINUTES = 'must be a whole number of minutes from 1 to 10080';

describe('withDefaults', () => {
  it('makes a whole alert of a type and a number', () => {
    expect(defaults({ type: 'target', targetTemperature: 203 })).to.deep.equal({
      type: 'target',
      name: null,
      description: null,
      targetTemperature: 203,
      preAlertDifference: null,
      direction: 'up',
      minTemperature: null,
      maxTemperature: null,
      criticalMinTemperature: null,
      criticalMaxTemperature: null,
      thresholdValue: null,
      windowSeconds: null,
      silenceMinutes: null,
      criticalSilenceMinutes: null,
      batteryPercent: null,
      criticalBatteryPercent: null,
      temperatureUnit: 'F',
      holdSeconds: 1,
      recoverySeconds: null,
      hysteresis: 1.8,
      cooldownSeconds: 0,
      repeatSeconds: 0,
      severity: 'warning',
    });
  });

  it('takes what is left out from the role of the probe', () => {
    const numbers = (role: ProbeRole, unit: TemperatureUnit) => {
      const { holdSeconds, recoverySeconds, hysteresis } = defaults(
        { type: 'range', maxTemperature: 5 },
        role,
        unit,
      );
      return [holdSeconds, recoverySeconds, hysteresis];
    };
    expect(numbers('pit', 'F')).to.deep.equal([180, null, 5]);
    expect(numbers('pit', 'C')).to.deep.equal([180, null, 3]);
    expect(numbers('storage', 'F')).to.deep.equal([1800, 600, 1.8]);
    expect(numbers('storage', 'C')).to.deep.equal([1800, 600, 1]);
    for (const role of ['food', 'other'] as const) expect(numbers(role, 'C')).to.deep.equal([60, null, 1]);
    expect(defaults({ type: 'target', targetTemperature: 5 }, 'storage')).to.include({
      holdSeconds: 1,
      recoverySeconds: 600,
    });
  });

  it('gives a narrow range half of its width as hysteresis at most', () => {
    const of = (given: object) => defaults({ type: 'range', ...given }, 'pit').hysteresis;
    expect(of({ minTemperature: 200, maxTemperature: 203 })).to.equal(1.5);
    expect(of({ minTemperature: 200, maxTemperature: 275 })).to.equal(5);
    expect(of({ maxTemperature: 203 })).to.equal(5);
    expect(of({ minTemperature: 200, maxTemperature: 203, hysteresis: 2.5 })).to.equal(2.5);
  });

  it('takes the unit given, else the one its owner prefers, else F', () => {
    const unit = (temperatureUnit: string | undefined, preferred: TemperatureUnit | null) =>
      defaults({ type: 'target', targetTemperature: 5, temperatureUnit }, 'food', preferred).temperatureUnit;
    expect([unit('C', 'F'), unit(undefined, 'C'), unit(undefined, null)]).to.deep.equal(['C', 'C', 'F']);
  });

  it('keeps what is given, 0 too, and reads numbers from text', () => {
    const given = {
      holdSeconds: '0',
      hysteresis: 0,
      cooldownSeconds: '86400',
      recoverySeconds: 0,
      severity: 'critical',
    };
    expect(
      defaults({ type: 'range', minTemperature: '-18.5', name: 'Freezer', ...given }, 'storage', 'C'),
    ).to.include({
      minTemperature: -18.5,
      name: 'Freezer',
      holdSeconds: 0,
      hysteresis: 0,
      cooldownSeconds: 86_400,
      recoverySeconds: 0,
      severity: 'critical',
    });
  });

  const slope = (
    input: Record<string, unknown>,
    role: ProbeRole,
    temperatureUnit: TemperatureUnit,
    transmitIntervalSeconds: number | null = null,
  ) => {
    const given = { type: 'rising', ...input };
    const { thresholdValue, windowSeconds, hysteresis, holdSeconds, recoverySeconds } = withDefaults(given, {
      ...{ role, temperatureUnit, transmitIntervalSeconds, intervalSeconds: transmitIntervalSeconds },
    });
    return [thresholdValue, windowSeconds, hysteresis, holdSeconds, recoverySeconds];
  };

  it('needs no number for silence: three intervals and six, at least 10 and 30 minutes', () => {
    const silence = (
      input: Record<string, unknown>,
      intervalSeconds: number | null,
      stated = intervalSeconds,
    ) => {
      const given = { type: 'no_data', ...input };
      const place = { role: 'storage', temperatureUnit: 'C', transmitIntervalSeconds: stated } as const;
      const settings = withDefaults(given, { ...place, intervalSeconds });
      expect(settings).to.include({ holdSeconds: 0, recoverySeconds: 0, hysteresis: 0 });
      return [settings.silenceMinutes, settings.criticalSilenceMinutes];
    };
    expect(silence({}, null)).to.deep.equal([10, 30]);
    expect(silence({}, 200)).to.deep.equal([10, 30]);
    expect(silence({}, 300)).to.deep.equal([15, 30]);
    expect(silence({}, 301)).to.deep.equal([16, 31]);
    expect(silence({}, 7200, null)).to.deep.equal([360, 720]);
    expect(silence({ severity: 'critical' }, null)).to.deep.equal([10, null]);
    expect(silence({ silenceMinutes: '5' }, null)).to.deep.equal([5, null]);
    expect(silence({ criticalSilenceMinutes: 60 }, null)).to.deep.equal([null, 60]);
    expect(silence({ silenceMinutes: 20 }, 600)).to.deep.equal([20, null]);
    expect(() => silence({ silenceMinutes: 19 }, 600)).to.throw(
      '--silence-minutes must be at least 20: the device sends a reading every 600 s',
    );
    expect(defaults({ type: 'probe_removed' })).to.include({ holdSeconds: 0, recoverySeconds: 0 });
  });

  it('needs no number for a battery: 20 and 10 percent', () => {
    const limits = (input: Record<string, unknown>) => {
      const settings = defaults({ type: 'battery', ...input });
      expect(settings).to.include({ holdSeconds: 0, recoverySeconds: 0 });
      return [settings.batteryPercent, settings.criticalBatteryPercent, settings.hysteresis];
    };
    expect(limits({})).to.deep.equal([20, 10, 5]);
    expect(limits({ severity: 'critical' })).to.deep.equal([10, null, 5]);
    expect(limits({ batteryPercent: '30' })).to.deep.equal([30, null, 5]);
    expect(limits({ criticalBatteryPercent: 15, hysteresis: 0 })).to.deep.equal([null, 15, 0]);
    expect(limits({ batteryPercent: 90, hysteresis: 9.9 })).to.deep.equal([90, null, 9.9]);
  });

  it('needs no number for a rising or falling alert', () => {
    for (const role of ['pit', 'food', 'other'] as const) {
      expect(slope({}, role, 'C')).to.deep.equal([15, 600, 7.5, 0, null]);
      expect(slope({}, role, 'F')).to.deep.equal([27, 600, 13.5, 0, null]);
    }
    expect(slope({ type: 'falling' }, 'storage', 'C')).to.deep.equal([3, 1800, 1.5, 0, 600]);
    expect(slope({ type: 'falling' }, 'storage', 'F')).to.deep.equal([5.4, 1800, 2.7, 0, 600]);
  });

  it('keeps a change, a window and a hysteresis that are given, and halves what is not', () => {
    expect(slope({ thresholdValue: 20 }, 'pit', 'F')).to.deep.equal([20, 600, 10, 0, null]);
    expect(slope({ windowSeconds: 120 }, 'pit', 'F')).to.deep.equal([27, 120, 13.5, 0, null]);
    expect(slope({ thresholdValue: '0.01', hysteresis: 0, holdSeconds: '60' }, 'pit', 'C')).to.deep.equal([
      0.01,
      600,
      0,
      60,
      null,
    ]);
    expect(slope({ thresholdValue: 0.03 }, 'pit', 'C')[2]).to.equal(0.01);
  });

  it('gives a slow logger a window of four of its cycles, and the change of an hour at most', () => {
    const logger = (seconds: number) => slope({}, 'storage', 'C', seconds).slice(0, 2);
    expect([logger(300), logger(450), logger(600), logger(900), logger(7200)]).to.deep.equal([
      [3, 1800],
      [3, 1800],
      [4, 2400],
      [6, 3600],
      [6, 28_800],
    ]);
    expect(slope({ thresholdValue: 2 }, 'storage', 'C', 900)).to.deep.equal([2, 3600, 1, 0, 600]);
    expect(slope({ windowSeconds: 1800 }, 'storage', 'C', 900)).to.deep.equal([3, 1800, 1.5, 0, 600]);
    expect(() => slope({ windowSeconds: 1799 }, 'storage', 'C', 900)).to.throw(
      InputError,
      '--window-seconds must be at least 1800: the device sends a reading every 900 s, and it takes three',
    );
  });

  const range = { type: 'range', minTemperature: 33, maxTemperature: 41 };
  const target = { type: 'target', targetTemperature: 203 };
  const rising = { type: 'rising', thresholdValue: 5 };
  const battery = { type: 'battery' };
  const good: Record<string, unknown>[] = [
    { ...range, criticalMinTemperature: 33, criticalMaxTemperature: 41 },
    { type: 'range', criticalMaxTemperature: 50 },
    { ...range, criticalMaxTemperature: 41, severity: 'info' },
    { type: 'range', minTemperature: 33, criticalMaxTemperature: 41, severity: 'critical' },
    { ...target, targetTemperature: 1000, temperatureUnit: 'C' },
    { ...target, targetTemperature: 1832 },
    { ...target, targetTemperature: -1768 },
    { ...rising, thresholdValue: 0.01, windowSeconds: 60 },
    { ...rising, thresholdValue: '1000', windowSeconds: '86400', hysteresis: 999.99 },
    { ...target, holdSeconds: 86_400, name: 'x'.repeat(100), direction: 'down' },
  ];
  for (const input of good) it(`takes ${JSON.stringify(input).slice(0, 90)}`, () => void defaults(input));

  const bad: [Record<string, unknown>, string][] = [
    [{ type: 'deadline' }, `--type must be one of ${TYPES}`],
    [{ targetTemperature: 203 }, `--type must be one of ${TYPES}`],
    [{ type: 'target' }, 'a target needs --target-temperature'],
    [{ type: 'range' }, 'a range needs --critical-min-temperature or --min-temperature or --max-temperature'],
    [{ ...target, targetTemperature: 'warm' }, '--target-temperature must be a number'],
    [{ ...target, targetTemperature: '' }, '--target-temperature must be a number'],
    [{ ...target, targetTemperature: Number.NaN }, '--target-temperature must be a number'],
    [{ ...target, targetTemperature: Number.POSITIVE_INFINITY }, '--target-temperature must be a number'],
    [
      { ...target, targetTemperature: 1000.01, temperatureUnit: 'C' },
      '--target-temperature must be within ±1000 °C',
    ],
    [{ ...target, targetTemperature: 1832.02 }, '--target-temperature must be within ±1000 °C'],
    [{ ...target, targetTemperature: -1768.02 }, '--target-temperature must be within ±1000 °C'],
    [{ ...target, minTemperature: 5 }, '--min-temperature is not for a target'],
    [{ ...range, targetTemperature: 5 }, '--target-temperature is not for a range'],
    [{ ...range, direction: 'up' }, '--direction is not for a range'],
    [{ ...range, maxTemperature: 33 }, '--min-temperature must be below --max-temperature'],
    [
      { ...range, criticalMinTemperature: 34 },
      '--critical-min-temperature must be at most --min-temperature',
    ],
    [
      { ...range, criticalMaxTemperature: 40 },
      '--max-temperature must be at most --critical-max-temperature',
    ],
    [
      { type: 'range', criticalMinTemperature: 41, criticalMaxTemperature: 41 },
      '--critical-min-temperature must be below --critical-max-temperature',
    ],
    [
      { ...range, criticalMaxTemperature: 50, severity: 'critical' },
      '--severity critical leaves room for one of --max-temperature and --critical-max-temperature',
    ],
    [{ ...range, windowSeconds: 600 }, '--window-seconds is not for a range'],
    [{ ...target, thresholdValue: 5 }, '--threshold-value is not for a target'],
    [{ ...rising, maxTemperature: 5 }, '--max-temperature is not for a rising alert'],
    [{ ...rising, type: 'falling', targetTemperature: 5 }, '--target-temperature is not for a falling alert'],
    [{ ...rising, direction: 'up' }, '--direction is not for a rising alert'],
    [{ ...rising, thresholdValue: 0 }, '--threshold-value must be above 0'],
    [{ ...rising, thresholdValue: -15 }, '--threshold-value must be above 0'],
    [{ ...rising, thresholdValue: 1000.01 }, '--threshold-value must be at most 1000'],
    [{ ...rising, windowSeconds: 59 }, '--window-seconds must be a whole number of seconds from 60 to 86400'],
    [{ ...rising, windowSeconds: '10m' }, '--window-seconds must be a number'],
    [{ ...rising, hysteresis: 5 }, '--hysteresis must be below --threshold-value'],
    [{ ...target, holdSeconds: -1 }, '--hold-seconds must be a whole number of seconds from 0 to 86400'],
    [{ ...target, holdSeconds: 86_401 }, '--hold-seconds must be a whole number of seconds from 0 to 86400'],
    [{ ...target, holdSeconds: 1.5 }, '--hold-seconds must be a whole number of seconds from 0 to 86400'],
    [{ ...target, hysteresis: -0.1 }, '--hysteresis must be at least 0'],
    [{ ...target, temperatureUnit: 'K' }, '--temperature-unit must be one of F, C'],
    [{ ...target, severity: 'high' }, '--severity must be one of info, warning, critical'],
    [{ ...target, direction: 'left' }, '--direction must be one of up, down'],
    [{ ...target, name: 'x'.repeat(101) }, '--name must not be longer than 100 characters'],
    [{ ...target, silenceMinutes: 5 }, '--silence-minutes is not for a target'],
    [{ ...target, preAlertDifference: 0 }, '--pre-alert-difference must be above 0'],
    [
      { ...target, preAlertDifference: 10, severity: 'info' },
      '--pre-alert-difference needs a --severity of warning or critical',
    ],
    [
      { type: 'range', maxTemperature: 5, preAlertDifference: 1 },
      '--pre-alert-difference is not for a range',
    ],
    [{ type: 'rising', preAlertDifference: 1 }, '--pre-alert-difference is not for a rising alert'],
    [{ ...target, batteryPercent: 5 }, '--battery-percent is not for a target'],
    [{ ...target, deadline: 5 }, `--deadline is not an option of a ${TYPES} alert`],
    [{ ...battery, batteryPercent: 0 }, `--battery-percent ${PERCENT}`],
    [{ ...battery, batteryPercent: 100 }, `--battery-percent ${PERCENT}`],
    [{ ...battery, batteryPercent: '19.5' }, `--battery-percent ${PERCENT}`],
    [{ ...battery, criticalBatteryPercent: 'low' }, '--critical-battery-percent must be a number'],
    [
      { ...battery, batteryPercent: 10, criticalBatteryPercent: 10 },
      '--critical-battery-percent must be below --battery-percent',
    ],
    [
      { ...battery, batteryPercent: 20, criticalBatteryPercent: 10, severity: 'critical' },
      '--severity critical leaves room for one of --battery-percent and --critical-battery-percent',
    ],
    [{ ...battery, batteryPercent: 95 }, '--hysteresis must leave room'],
    [{ ...battery, hysteresis: 80 }, '--hysteresis must leave room'],
    [{ ...battery, holdSeconds: 60 }, '--hold-seconds is not for a battery alert'],
    [{ ...battery, cooldownSeconds: 60 }, '--cooldown-seconds is not for a battery alert'],
    [{ ...battery, silenceMinutes: 60 }, '--silence-minutes is not for a battery alert'],
    [{ type: 'no_data', silenceMinutes: 0 }, `--silence-minutes ${MINUTES}`],
    [{ type: 'no_data', silenceMinutes: 10_081 }, `--silence-minutes ${MINUTES}`],
    [{ type: 'no_data', silenceMinutes: 1.5 }, `--silence-minutes ${MINUTES}`],
    [{ type: 'no_data', silenceMinutes: 'long' }, '--silence-minutes must be a number'],
    [
      { type: 'no_data', silenceMinutes: 30, criticalSilenceMinutes: 30 },
      '--critical-silence-minutes must be above --silence-minutes',
    ],
    [
      { type: 'no_data', silenceMinutes: 30, criticalSilenceMinutes: 60, severity: 'critical' },
      '--severity critical leaves room for one of --silence-minutes and --critical-silence-minutes',
    ],
    [{ type: 'no_data', targetTemperature: 5 }, '--target-temperature is not for a no-data alert'],
    [{ type: 'no_data', holdSeconds: 5 }, '--hold-seconds is not for a no-data alert'],
    [{ type: 'no_data', direction: 'up' }, '--direction is not for a no-data alert'],
    [{ type: 'probe_removed', silenceMinutes: 5 }, '--silence-minutes is not for a probe-removed alert'],
    [{ type: 'probe_removed', hysteresis: 1 }, '--hysteresis is not for a probe-removed alert'],
  ];
  for (const [input, message] of bad) {
    it(`refuses ${JSON.stringify(input).slice(0, 90)}`, () => {
      expect(() => defaults(input)).to.throw(InputError, message);
    });
  }
});
