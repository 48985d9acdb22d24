import { convertHundredths, isTemperature } from '../../src/readings/temperature.js';
import type { SessionAnswer } from '../../src/replay/answer.js';
import type { TraceRow } from '../../src/replay/trace.js';
import { type Plot, type Scale, scaleOf, timeAxis, valueAxis } from '../pictures/axes.js';
import { box, label, line, px, svg, widthOf } from '../pictures/svg.js';
import type { Scenario } from './scenario.js';
import { replayed } from './variants.js';

const WIDTH = 760;
const PLOT: Plot = { left: 84, right: 736, top: 52, bottom: 212 };
const [EXPECTED_Y, DETECTED_Y, AXIS_Y] = [224, 244, 282];
const PAUSE_MS = 10 * 60_000;
/** Pixels that a curve may be off. */
const CLOSE = 0.6;

type Point = readonly [x: number, y: number];

/** A scenario as it is replayed: its curves, below them what the rules say and what was detected. */
export function scenarioPicture(scenario: Scenario, rows: readonly TraceRow[]): string {
  const { name, about, begins, hours } = scenario;
  const unit = scenario.unit(0);
  const fromMs = Date.parse(begins);
  const { sessions } = replayed(scenario, rows);
  const values = rows.flatMap((row) => shownBy(row, unit) ?? []);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = (high - low) * 0.06;
  const margin = hours * 90_000;
  const time = scaleOf([fromMs - margin, fromMs + hours * 3_600_000 + margin], [PLOT.left, PLOT.right]);
  const value = scaleOf([low - pad, high + pad], [PLOT.bottom, PLOT.top]);
  const at = (minute: number) => time(fromMs + minute * 60_000);
  const spans = scenario.sessions.flatMap(({ start, end }) => [start, end]);
  return svg(`${name}: ${about}`, WIDTH, AXIS_Y + 34, [
    ...timeAxis(PLOT, time, AXIS_Y),
    ...valueAxis(PLOT, value, `°${unit}`),
    ...Object.keys(scenario.probes).flatMap((id, index) => curve(rows, id, { index, time, value, unit })),
    ...bar('expected', EXPECTED_Y),
    ...spans.map(([from, to]) => box('pending', at(from), EXPECTED_Y, Math.max(at(to) - at(from), 3), 14, 2)),
    ...bar('detected', DETECTED_Y),
    ...sessions.flatMap((session) => sessionBar(session, rows, time)),
    ...legend(scenario, sessions),
    box('frame', PLOT.left, PLOT.top, PLOT.right - PLOT.left, PLOT.bottom - PLOT.top),
    label({ x: 12, y: 18, text: name, className: 'faint' }),
  ]);
}

function shownBy({ hundredths, unit }: TraceRow, shown: 'F' | 'C'): number | null {
  if (hundredths === null || unit === null || !isTemperature(unit)) return null;
  return convertHundredths(hundredths, unit, shown) / 100;
}

const bar = (text: string, y: number): string[] => [
  line('grid', [PLOT.left, y + 7], [PLOT.right, y + 7]),
  label({ x: PLOT.left - 10, y: y + 11, text, anchor: 'end' }),
];

/** From start to end, grey where nothing was heard; the bounds are named above the curves. */
function sessionBar(session: SessionAnswer, rows: readonly TraceRow[], time: Scale): string[] {
  const { start_time: start, end_time: end, end_reason: reason, status, probes } = session;
  const members = new Set(probes.map(({ probe_id: id }) => id));
  const [fromMs, toMs] = [start.getTime(), end?.getTime() ?? time.to];
  const own = rows.filter(
    ({ probeId, measuredAtMs: ms }) => members.has(probeId) && ms >= fromMs && ms <= toMs,
  );
  const pauses = own.slice(1).flatMap(({ measuredAtMs: ms }, index): Point[] => {
    const lastMs = own[index]?.measuredAtMs ?? ms;
    return ms - lastMs > PAUSE_MS ? [[time(lastMs), time(ms)]] : [];
  });
  const said = status === 'cancelled' ? 'cancelled' : (reason ?? 'goes on').replace('_', ' ');
  const marks: [number, string, string][] = [
    [time(fromMs), `start ${clock(fromMs)}`, 'fired'],
    [time(toMs), `${said} ${clock(toMs)}`, 'resolved'],
  ];
  return [
    box('recovering', time(fromMs), DETECTED_Y, Math.max(time(toMs) - time(fromMs), 3), 14, 2),
    ...pauses.map(([from, to]) => box('unknown', from, DETECTED_Y, to - from, 14)),
    ...marks.flatMap(([x, text, className], row) => {
      const anchor = x + widthOf(text) > WIDTH - 10 ? ('end' as const) : ('start' as const);
      const y = 30 + row * 15;
      return [
        line('mark', [x, y + 3], [x, DETECTED_Y + 14]),
        label({ x: x + (anchor === 'end' ? -4 : 4), y, text, className, anchor }),
      ];
    }),
  ];
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);

/** A line through the readings, broken where more than ten minutes are missing. */
function curve(
  rows: readonly TraceRow[],
  id: string,
  { index, time, value, unit }: { index: number; time: Scale; value: Scale; unit: 'F' | 'C' },
): string[] {
  const pieces: Point[][] = [];
  let lastMs = 0;
  for (const row of rows) {
    if (row.probeId !== id) continue;
    const shown = shownBy(row, unit);
    if (shown === null) lastMs = 0;
    if (shown === null) continue;
    if (row.measuredAtMs - lastMs > PAUSE_MS) pieces.push([]);
    lastMs = row.measuredAtMs;
    pieces.at(-1)?.push([time(lastMs), value(shown)]);
  }
  const path = pieces.map(
    (piece) =>
      `M${simplified(piece)
        .map(([x, y]) => `${px(x)} ${px(y)}`)
        .join('L')}`,
  );
  return path.length > 0 ? [`<path class="line p${index % 4}" d="${path.join('')}"/>`] : [];
}

/** As few of the points as stay close to all (Douglas and Peucker). */
function simplified(points: readonly Point[]): Point[] {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length < 3) return [...points];
  let [farthest, at] = [CLOSE, 0];
  for (const [index, [x, y]] of points.entries()) {
    const on = first[1] + ((last[1] - first[1]) * (x - first[0])) / (last[0] - first[0] || 1);
    if (Math.abs(y - on) > farthest) [farthest, at] = [Math.abs(y - on), index];
  }
  if (at === 0) return [first, last];
  return [...simplified(points.slice(0, at + 1)).slice(0, -1), ...simplified(points.slice(at))];
}

function legend({ probes }: Scenario, sessions: readonly SessionAnswer[]): string[] {
  let x = PLOT.left;
  return Object.keys(probes).flatMap((id, index) => {
    const role = sessions.flatMap((one) => one.probes).find((one) => one.probe_id === id)?.role;
    const text = `probe ${id}: ${role ?? 'no member'}`;
    const parts = [
      box(`p${index % 4}`, x, AXIS_Y + 16, 11, 3),
      label({ x: x + 16, y: AXIS_Y + 22, text, className: 'faint' }),
    ];
    x += 34 + widthOf(text);
    return parts;
  });
}
