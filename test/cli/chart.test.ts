import { expect } from 'chai';
import type { AlertRule } from '../../src/alerts/types.js';
import { Chart } from '../../src/cli/chart.js';
import { NO_LIMITS } from '../alerts/no-limits.js';
import { shows } from '../support/traces.js';

const RULE: AlertRule = {
  ...NO_LIMITS,
  id: 1,
  type: 'range',
  temperatureUnit: 'C',
  minTemperature: 10,
  maxTemperature: 40,
  holdSeconds: 0,
  recoverySeconds: 0,
  hysteresis: 1,
  cooldownSeconds: 0,
  repeatSeconds: 0,
  severity: 'warning',
};
const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 9, 1);
const DAY = 1440;

/** Over so many minutes, with these values by their minute. */
function chartOf(
  minutes: number,
  values: [minute: number, celsius: number][],
  rule: Partial<AlertRule> = {},
) {
  const chart = new Chart({ ...RULE, ...rule }, { fromMs: START, toMs: START + minutes * MINUTE_MS });
  for (const [minute, celsius] of values)
    chart.add({ ...shows(1, 0, celsius), measuredAtMs: START + minute * MINUTE_MS });
  return chart;
}

const fires = (from: number, until: number) => ({
  fromMs: START + from * MINUTE_MS,
  untilMs: START + until * MINUTE_MS,
});

describe('the chart of a rehearsal', () => {
  const values: [number, number][] = [
    [0, 5],
    [30, 10],
    [60, 25],
    [90, 40],
    [120, 41],
    [DAY * 2 + 60, 20],
  ];
  const chart = () => chartOf(30 * DAY, values);
  const firings = [fires(120, 160), fires(DAY * 2 - 30, DAY * 2 + 45)];

  it('is a line a day, with marks where the alert fires', () => {
    const lines = chart().toText(firings, { isColoured: false }).split('\n');
    const day = (day: number) => new Date(START + day * DAY * MINUTE_MS).toISOString().slice(0, 10);
    expect(lines[0]).to.equal('▂ to ▇ is 10 to 40 °C, ▁ below 10, █ above 40; ! fires; UTC');
    expect(lines.slice(1).map((line) => line.slice(12).trimEnd())).to.deep.equal([
      '0 h         6 h         12 h        18 h',
      `▁▂▅▇█${' '.repeat(43)}  1 × 40 min`,
      '    !-',
      `${' '.repeat(48)}  1 × 30 min`,
      `${' '.repeat(47)}!`,
      `  ▄${' '.repeat(45)}  1 × 45 min`,
      '--',
      '28 × no readings',
    ]);
    expect([2, 4, 6].map((line) => lines[line]?.slice(0, 10))).to.deep.equal([day(0), day(1), day(2)]);
  });

  it('is red where it fires, on a terminal', () => {
    const [, , first = '', below = ''] = chart().toText(firings, { isColoured: true }).split('\n');
    expect(first).to.include('▁▂▅▇\u001b[31m█\u001b[0m');
    expect(below.trim()).to.equal('\u001b[31m    !-\u001b[0m'.trim());
  });

  it('has shorter lines for less time and longer ones for more, never more than 80 columns', () => {
    for (const [minutes, axis] of [
      [50, '0 min       15 min      30 min      45 min'],
      [DAY * 3, '0 h         1.5 h       3 h         4.5 h'],
      [DAY * 200, 'day 0       day 1.75    day 3.5     day 5.25'],
      [DAY * 3000, 'day 0       day 7       day 14      day 21'],
    ] as const) {
      const text = chartOf(minutes, [[5, 20]]).toText([fires(5, minutes)], { isColoured: false });
      expect(text.split('\n')[1]?.trim()).to.equal(axis);
      expect(Math.max(...text.split('\n').map((line) => line.length))).to.be.at.most(80);
    }
  });

  it('scales by the values where the rule has no limit', () => {
    const slope = { type: 'rising', minTemperature: null, maxTemperature: null, thresholdValue: 5 } as const;
    const text = chartOf(
      DAY * 20,
      [
        [0, 10],
        [30, 14],
        [60, 18],
      ],
      slope,
    ).toText([], { isColoured: false });
    expect(text)
      .to.match(/^▁ to █ is 10 to 18 °C; /)
      .and.include('▁▅█');
  });

  it('of a probe that shows no temperature is empty', () => {
    expect(chartOf(50, []).toText([], { isColoured: false })).to.match(/\d × no readings$/);
  });
});
