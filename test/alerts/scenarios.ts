import type { AlertRule } from '../../src/alerts/types.js';
import { NO_LIMITS } from './no-limits.js';

/** A rule, what its food probe shows, and what must be told of it; however the readings are cut, stored and restarted. */
export interface Scenario {
  title: string;
  rule: Omit<AlertRule, 'id'>;
  intervalSeconds: number;
  /** Seconds from the first one, and the value in F; null: the probe is absent. */
  readings: [seconds: number, value: number | null][];
  /** In order: seconds, kind, side, tier. */
  told: string[];
}

const BASE = {
  ...NO_LIMITS,
  temperatureUnit: 'F',
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 2,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
} as const;

/** Over 100 °F. */
const high = (given: Partial<AlertRule>): Scenario['rule'] => ({
  ...BASE,
  type: 'range',
  maxTemperature: 100,
  ...given,
});
/** At 200 °F. */
const target = (given: Partial<AlertRule> = {}): Scenario['rule'] => ({
  ...BASE,
  type: 'target',
  targetTemperature: 200,
  direction: 'up',
  holdSeconds: 1,
  ...given,
});
/** By 15 °F within ten minutes. */
const change = (type: 'rising' | 'falling', given: Partial<AlertRule> = {}): Scenario['rule'] => ({
  ...BASE,
  type,
  thresholdValue: 15,
  windowSeconds: 600,
  hysteresis: 7.5,
  ...given,
});
const ROSE = 'fired up warning';
const CALM = 'resolved up warning';
const FIRED = 'fired high warning';
const RESOLVED = 'resolved high warning';

/** [seconds, value]… from the readings of one line each: `0 101` or `60 -` for an absent probe. */
function trace(text: string): Scenario['readings'] {
  return text.split(', ').map((step) => {
    const [seconds, value] = step.split(' ');
    return [Number(seconds), value === '-' ? null : Number(value)];
  });
}

function scenario(
  title: string,
  rule: Scenario['rule'],
  readings: string,
  told: string[],
  intervalSeconds = 60,
): Scenario {
  return { title, rule, readings: trace(readings), told, intervalSeconds };
}

export const SCENARIOS: readonly Scenario[] = [
  scenario('a hold that is complete', high({ holdSeconds: 180 }), '0 101, 60 101, 120 101, 180 101', [
    `180 ${FIRED}`,
  ]),
  scenario('a hold a second short', high({ holdSeconds: 180 }), '0 101, 60 101, 120 101, 179 101', []),
  scenario('no hold', high({}), '0 100, 60 100.01', [`60 ${FIRED}`]),
  scenario('a hold shorter than an interval', high({ holdSeconds: 5 }), '0 101, 60 101', [`60 ${FIRED}`]),
  scenario(
    'a hold that one reading in range begins anew',
    high({ holdSeconds: 180 }),
    '0 101, 120 101, 150 100, 180 101, 300 101, 360 101',
    [`360 ${FIRED}`],
  ),
  scenario(
    'a hold that a long gap neither counts nor forgets',
    high({ holdSeconds: 180 }),
    '0 101, 60 101, 3600 101, 3719 101, 3720 101',
    [`3720 ${FIRED}`],
  ),
  scenario(
    'a hold that an absent probe suspends',
    high({ holdSeconds: 180 }),
    '0 101, 60 101, 90 -, 150 101, 269 101, 270 101',
    [`270 ${FIRED}`],
  ),
  scenario(
    'a recovery hold that is complete',
    high({ recoverySeconds: 300 }),
    '0 101, 60 90, 180 90, 300 90, 359 90, 360 90',
    [`0 ${FIRED}`, `360 ${RESOLVED}`],
  ),
  scenario(
    'a recovery within the hysteresis',
    high({ recoverySeconds: 60 }),
    '0 101, 60 98, 120 98, 180 98',
    [`0 ${FIRED}`],
  ),
  scenario(
    'a recovery that one contrary reading begins anew, without a message',
    high({ recoverySeconds: 120 }),
    '0 101, 60 90, 120 99, 180 90, 240 90, 300 90',
    [`0 ${FIRED}`, `300 ${RESOLVED}`],
  ),
  scenario(
    'a recovery of two intervals where none is set',
    high({ recoverySeconds: null }),
    '0 101, 300 90, 899 90, 900 90, 960 101',
    [`0 ${FIRED}`, `900 ${RESOLVED}`, `960 ${FIRED}`],
    300,
  ),
  scenario(
    'a recovery that an absent probe suspends',
    high({ recoverySeconds: 120 }),
    '0 101, 60 90, 120 -, 180 90, 299 90, 300 90',
    [`0 ${FIRED}`, `300 ${RESOLVED}`],
  ),
  scenario('a firing that an absent probe does not end', high({}), '0 101, 60 -, 600 101, 660 90', [
    `0 ${FIRED}`,
    `660 ${RESOLVED}`,
  ]),
  scenario('a cooldown', high({ cooldownSeconds: 600 }), '0 101, 60 90, 120 101, 180 90, 659 101, 660 101', [
    `0 ${FIRED}`,
    `60 ${RESOLVED}`,
    `660 ${FIRED}`,
  ]),
  scenario(
    'two tiers',
    high({ criticalMaxTemperature: 120, hysteresis: 0 }),
    '0 110, 60 121, 120 110, 180 90',
    [`0 ${FIRED}`, '60 fired high critical', '120 resolved high critical', `180 ${RESOLVED}`],
  ),
  scenario('a swing from low to high', high({ minTemperature: 40 }), '0 30, 60 110, 120 70', [
    '0 fired low warning',
    '60 resolved low warning',
    `60 ${FIRED}`,
    `120 ${RESOLVED}`,
  ]),
  scenario('a target met by two readings in a row', target(), '0 150, 60 200, 120 199.99, 180 200, 240 200', [
    '240 fired up warning',
  ]),
  scenario('a target met clearly by one', target(), '0 150, 60 201.79, 120 199, 180 201.8', [
    '180 fired up warning',
  ]),
  scenario(
    'a target downwards',
    target({ direction: 'down', targetTemperature: 40 }),
    '0 60, 60 40, 120 40',
    ['120 fired down warning'],
  ),
  scenario('a target that was met before anybody looked', target(), '0 205, 60 205, 120 205', []),
  scenario(
    'a target that is armed again after ten minutes 5 °C below',
    target(),
    '0 150, 60 205, 120 190.99, 420 190.99, 720 190.99, 780 205',
    ['60 fired up warning', '120 resolved up warning', '780 fired up warning'],
    300,
  ),
  scenario(
    'a target that is not armed again a second before',
    target(),
    '0 150, 60 205, 120 190.99, 420 190.99, 719 190.99, 780 205',
    ['60 fired up warning', '120 resolved up warning'],
    300,
  ),
  scenario(
    'a target whose way to being armed an absent probe suspends',
    target(),
    '0 150, 60 205, 120 150, 420 -, 720 150, 780 205',
    ['60 fired up warning', '120 resolved up warning'],
    300,
  ),
  scenario('a rise of the limit', change('rising'), '0 100, 300 107, 600 115', [`600 ${ROSE}`], 300),
  scenario('a rise below the limit', change('rising'), '0 100, 300 107, 600 114.99', [], 300),
  scenario(
    'a fall of the limit',
    change('falling'),
    '0 100, 300 93, 600 85',
    ['600 fired down warning'],
    300,
  ),
  scenario('a fall for who watches a rise', change('rising'), '0 100, 300 93, 600 85', [], 300),
  scenario(
    'a rise that is as old as the window',
    change('rising'),
    '0 100, 60 107, 600 110, 660 122',
    [`660 ${ROSE}`],
    300,
  ),
  scenario(
    'a rise a second older than the window',
    change('rising'),
    '0 100, 60 107, 600 110, 661 122',
    [],
    300,
  ),
  scenario('a rise in two readings', change('rising'), '0 100, 600 120', [], 300),
  scenario('a rise in three readings', change('rising'), '0 100, 300 100, 600 120', [`600 ${ROSE}`], 300),
  scenario('a rise in half a window', change('rising'), '0 100, 120 110, 300 120', [`300 ${ROSE}`], 300),
  scenario('a rise in less than half a window', change('rising'), '0 100, 120 110, 299 120', [], 300),
  scenario(
    'a rise over a gap that leaves half of the window known',
    change('rising'),
    '0 100, 60 100, 120 100, 180 100, 480 100, 600 120',
    [`600 ${ROSE}`],
    60,
  ),
  scenario(
    'a rise over a gap that leaves a second less',
    change('rising'),
    '0 100, 60 100, 120 100, 180 100, 481 100, 600 120',
    [],
    60,
  ),
  scenario(
    'a rise as fast as a hand is not',
    change('rising'),
    '0 100, 300 100, 310 118, 320 118',
    [`310 ${ROSE}`],
    300,
  ),
  scenario('a rise as fast as a hand', change('rising'), '0 100, 300 100, 310 118.01, 320 118.01', [], 300),
  scenario(
    'a rise after the probe was put in, half a window later',
    change('rising'),
    '0 100, 300 100, 310 250, 600 250, 610 265',
    [`610 ${ROSE}`],
    300,
  ),
  scenario(
    'a rise during the hold of which the probe is put elsewhere',
    change('rising', { holdSeconds: 300 }),
    '0 100, 200 100, 300 116, 590 140, 600 260, 890 261, 900 276',
    [],
    300,
  ),
  scenario(
    'a rise while the probe was out of its socket',
    change('rising'),
    '0 100, 300 110, 310 -, 400 120, 600 130',
    [],
    300,
  ),
  scenario(
    'a rise that is told again after a window below half of the limit',
    change('rising'),
    '0 100, 300 110, 600 120, 900 100, 1200 107.49, 1500 100, 1800 120',
    [`600 ${ROSE}`, `900 ${CALM}`, `1800 ${ROSE}`],
    300,
  ),
  scenario(
    'a rise that is not told again a second before',
    change('rising'),
    '0 100, 300 110, 600 120, 900 100, 1200 107.49, 1499 100, 1800 120',
    [`600 ${ROSE}`, `900 ${CALM}`],
    300,
  ),
  scenario(
    'a rise that is not told again after half of the limit',
    change('rising'),
    '0 100, 300 110, 600 120, 900 100, 1200 107.5, 1500 100, 1800 120',
    [`600 ${ROSE}`, `900 ${CALM}`],
    300,
  ),
];
