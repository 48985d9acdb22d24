import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { files, PAGE, PICTURES, TRACES } from '../../scripts/scenarios/files.js';
import { SCENARIOS } from '../../scripts/scenarios/library.js';
import type { Expected, Scenario } from '../../scripts/scenarios/scenario.js';
import { replayed, rowsOf, slackOf, VARIANTS, type Variant } from '../../scripts/scenarios/variants.js';
import { convertHundredths, isTemperature } from '../../src/readings/temperature.js';
import type { SessionAnswer } from '../../src/replay/answer.js';
import { parseTrace, type TraceRow } from '../../src/replay/trace.js';

describe('the cooks of docs/scenarios.md', () => {
  it('are what `npm run scenarios` makes, and nothing else', () => {
    const made = files();
    for (const folder of [PICTURES, TRACES]) {
      const there = readdirSync(folder).filter((file) => /\.(csv|svg)$/.test(file));
      const own = [...made.keys()].filter((file) => dirname(file) === folder);
      expect(there.sort()).to.deep.equal(own.map((file) => basename(file)).sort());
    }
    for (const [file, text] of made)
      expect(readFileSync(file, 'utf8') === text, `${file} is old: npm run scenarios`).to.equal(true);
  });

  it('are there as files that replay reads as they are computed', () => {
    for (const scenario of SCENARIOS) {
      const rows = parseTrace(readFileSync(join(TRACES, `${scenario.name}.csv`)));
      expect(rows, scenario.name).to.deep.equal(rowsOf(scenario, '5 min'));
    }
  });

  it('are told of in the README', () => {
    const readme = readFileSync(join(dirname(PAGE), '../README.md'), 'utf8');
    expect(readme).to.include('](docs/scenarios.md)');
  });

  for (const scenario of SCENARIOS)
    for (const variant of VARIANTS)
      it(`${scenario.name}, ${variant}`, () => {
        const rows = rowsOf(scenario, variant);
        const sessions = replayed(scenario, rows).sessions;
        expect(sessions.map(said)).to.deep.equal(scenario.sessions.map(expected));
        for (const [index, session] of sessions.entries()) {
          expectBounds(session, scenario, { index, variant });
          expectFigures(session, rows);
        }
        if (variant === 'out of order')
          expect(sessions).to.deep.equal(replayed(scenario, inOrder(rows)).sessions);
      });
});

const said = ({ status, end_reason, session_type, probes }: SessionAnswer): string =>
  [session_type, status, end_reason, ...probes.map(({ probe_id, role }) => `${probe_id} ${role}`)].join();

const expected = ({ status, reason, members }: Expected): string =>
  ['auto', status ?? 'completed', reason, ...members].join();

const inOrder = (rows: readonly TraceRow[]): TraceRow[] =>
  rows.toSorted((a, b) => a.measuredAtMs - b.measuredAtMs);

/** A start may be late and an end early by what the readings leave open. */
function expectBounds(
  { start_time, end_time }: SessionAnswer,
  scenario: Scenario,
  { index, variant }: { index: number; variant: Variant },
): void {
  const { start = [0, 0], end = [0, 0] } = scenario.sessions[index] ?? {};
  const slack = slackOf(scenario, variant);
  const minuteOf = (at: Date | null) => ((at?.getTime() ?? 0) - Date.parse(scenario.begins)) / 60_000;
  expect(minuteOf(start_time), 'start').to.be.within(start[0], start[1] + slack);
  expect(minuteOf(end_time), 'end').to.be.within(end[0] - slack, end[1]);
}

/** Each time once, in whole hundredths of the session's unit. */
function valuesOf(rows: readonly TraceRow[], session: SessionAnswer, probeId: string): Map<number, number> {
  const [fromMs, toMs] = [session.start_time.getTime(), session.end_time?.getTime() ?? 0];
  const values = new Map<number, number>();
  for (const { probeId: id, measuredAtMs: ms, hundredths, unit } of rows) {
    if (id !== probeId || hundredths === null || unit === null || !isTemperature(unit)) continue;
    if (ms < fromMs || ms > toMs) continue;
    values.set(ms, convertHundredths(hundredths, unit, session.temperature_unit));
  }
  return values;
}

/** As computed from the rows, by the shortest way. */
function expectFigures(session: SessionAnswer, rows: readonly TraceRow[]): void {
  const all: number[] = [];
  const seconds = ((session.end_time?.getTime() ?? 0) - session.start_time.getTime()) / 1000;
  for (const probe of session.probes) {
    const byTime = valuesOf(rows, session, probe.probe_id);
    const values = [...byTime.values()];
    all.push(...values);
    expect(figuresOf(probe)).to.deep.equal(computed(values));
    expect(firstAt(byTime, Math.min(...values))).to.equal(probe.min_at?.getTime());
    expect(firstAt(byTime, Math.max(...values))).to.equal(probe.max_at?.getTime());
    expect(probe.seconds_known + probe.seconds_unknown).to.be.closeTo(seconds, 1e-6);
    expect(probe.time_weighted_avg_temperature).to.be.within(
      probe.min_temperature ?? Number.NaN,
      probe.max_temperature ?? Number.NaN,
    );
  }
  expect(figuresOf(session)).to.deep.equal(computed(all));
}

const firstAt = (values: Map<number, number>, value: number): number =>
  Math.min(...[...values].flatMap(([ms, one]) => (one === value ? [ms] : [])));

type Figures = Pick<
  SessionAnswer,
  'reading_count' | 'min_temperature' | 'max_temperature' | 'avg_temperature'
>;

const figuresOf = (of: Figures) => [
  of.reading_count,
  of.min_temperature,
  of.max_temperature,
  of.avg_temperature,
];

function computed(values: readonly number[]) {
  const sum = values.reduce((total, value) => total + value, 0);
  const [count, min, max] = [values.length, Math.min(...values) / 100, Math.max(...values) / 100];
  return [count, min, max, sum / (count * 100)];
}
