import type { EventAnswer } from '../../src/replay/answer.js';
import { type Plot, type Scale, scaleOf, timeAxis, valueAxis } from './axes.js';
import { batteryOf, type Level, levelsOf, type Point, type Series, seriesOf } from './series.js';
import { box, label, line, px, svg, widthOf } from './svg.js';
import type { Band, Shade, Told } from './told.js';

const WIDTH = 760;
const PLOT_HEIGHT = 170;
const BAND = 20;
const ROW = 15;
const SHADES: Shade[] = ['pending', 'firing', 'recovering', 'unknown'];

/** A worked trace: its values and limits, below them the phases of its alerts, above them what was told. */
export function tracePicture(told: Told): string {
  const { name, rows, rules, bands, events } = told;
  const isOfBattery = rules.every(({ rule }) => rule.type === 'battery');
  const series = isOfBattery ? [batteryOf(rows)] : seriesOf(rows);
  const limits = levelsOf(rules, isOfBattery);
  const unit = isOfBattery ? '%' : `°${rows.find((row) => row.unit !== null)?.unit ?? 'C'}`;
  const points = series.flatMap((one) => one.points);
  const times = [...points.map(({ atMs }) => atMs), ...events.map((one) => one.measured_at.getTime())];
  const [fromMs, toMs] = [Math.min(...times), Math.max(...times)];
  const padMs = (toMs - fromMs) * 0.03;
  const left = 24 + Math.max(60, ...bands.map((band) => widthOf(nameOf(band, bands))));
  const plot: Plot = { left, right: WIDTH - 76, top: 0, bottom: 0 };
  const time = scaleOf([fromMs - padMs, toMs + padMs], [plot.left, plot.right]);
  const labels = placed(events, time);
  plot.top = 34 + ROW * Math.max(0, ...labels.map(({ row }) => row + 1));
  plot.bottom = plot.top + PLOT_HEIGHT;
  const value = scaleOf(rangeOf(points, limits), [plot.bottom, plot.top]);
  const bandsTop = plot.bottom + 12;
  const axisY = bandsTop + bands.length * BAND + 18;
  const bottom = (row: number) => ({ from: 28 + row * ROW, to: axisY - 14 });
  return svg(titleOf(told), WIDTH, axisY + 34, [
    ...timeAxis(plot, time, axisY),
    ...valueAxis(plot, value, unit),
    ...limits.flatMap((one) => limitLine(one, { plot, value, unit })),
    ...labels.map(({ x, row }) => line('mark', [x, bottom(row).from], [x, bottom(row).to])),
    ...series.flatMap((one, index) => curve(one, `p${index % 4}`, { time, value })),
    ...bands.flatMap((band, index) => bandOf(band, { bands, plot, time, y: bandsTop + index * BAND })),
    ...labels.map(({ x, row, text, className, anchor }) =>
      label({ x: x + (anchor === 'end' ? -3 : 3), y: 32 + row * ROW, text, className, anchor }),
    ),
    ...legend(told, series, { time, y: axisY + 22 }),
    box('frame', plot.left, plot.top, plot.right - plot.left, PLOT_HEIGHT),
    label({ x: 12, y: 18, text: name, className: 'faint' }),
  ]);
}

function titleOf({ name, events }: Told): string {
  const counts = ['fired', 'repeated', 'resolved'].flatMap((kind) => {
    const times = events.filter((one) => one.kind === kind).length;
    return times > 0 ? [`${kind} ${times} ×`] : [];
  });
  return `${name}: ${counts.length > 0 ? counts.join(', ') : 'nothing is told'}`;
}

function rangeOf(points: readonly Point[], limits: readonly Level[]): [number, number] {
  const shown = points.map(({ value }) => value).filter((value) => !Number.isNaN(value));
  const all = [...shown, ...limits.flatMap(({ value, back }) => [value, back])];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const pad = Math.max((high - low) * 0.1, 0.5);
  return [low - pad, high + pad];
}

interface Placed {
  x: number;
  row: number;
  text: string;
  className: string;
  anchor: 'start' | 'end';
}

/** One row under the other where labels would overlap. */
function placed(events: readonly EventAnswer[], time: Scale): Placed[] {
  const ends: number[] = [];
  return events.map((event) => {
    const x = time(event.measured_at.getTime());
    const text = textOf(event);
    const anchor = x + widthOf(text) + 6 > WIDTH - 10 ? 'end' : 'start';
    const [from, to] = anchor === 'end' ? [x - widthOf(text) - 6, x] : [x, x + widthOf(text) + 6];
    const free = ends.findIndex((end) => end <= from);
    const row = free === -1 ? ends.length : free;
    ends[row] = to + 4;
    return { x, row, text, className: classOf(event), anchor };
  });
}

const VERBS = { fired: 'fired', resolved: 'resolved', repeated: 'told again' };

function textOf({ kind, tier, value, unit, detected_late, ...more }: EventAnswer): string {
  const verb = Object.entries(VERBS).find(([name]) => name === kind)?.[1] ?? kind;
  const shown = value === null ? '' : ` ${value} ${unit === null ? '%' : `°${unit}`}`;
  const silent = 'is_inhibited' in more && more.is_inhibited ? ', not told' : '';
  return `${verb}${tier === 'warning' ? '' : ` ${tier}`}${shown}${detected_late ? ', late' : ''}${silent}`;
}

function classOf({ kind }: EventAnswer): string {
  return kind === 'fired' || kind === 'resolved' ? kind : 'other';
}

function limitLine(
  { value: limit, back }: Level,
  { plot, value, unit }: { plot: Plot; value: Scale; unit: string },
): string[] {
  const [y, yBack] = [value(limit), value(back)];
  const { left, right } = plot;
  const shade =
    back === limit ? [] : [box('hysteresis', left, Math.min(y, yBack), right - left, Math.abs(y - yBack))];
  const text = `${Math.round(limit * 100) / 100} ${unit}`;
  return [
    ...shade,
    line('limit', [left, y], [right, y]),
    label({ x: right + 6, y: y + 4, text, className: 'limits' }),
  ];
}

/** Readings with lines between them; those that came late stand alone, and a longer gap is dotted. */
function curve(
  { points }: Series,
  className: string,
  { time, value }: { time: Scale; value: Scale },
): string[] {
  const inOrder = points.filter(({ isLate }) => !isLate);
  const gaps = inOrder.slice(1).map(({ atMs }, index) => atMs - (inOrder[index]?.atMs ?? 0));
  const usualMs = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  let [path, dotted] = ['', ''];
  for (const [index, point] of inOrder.entries()) {
    const before = inOrder[index - 1];
    if (!before || Number.isNaN(before.value) || Number.isNaN(point.value)) continue;
    const [from, to] = [before, point].map((one) => `${px(time(one.atMs))} ${px(value(one.value))}`);
    if (point.atMs - before.atMs > 2.5 * usualMs) dotted += `M${from}L${to}`;
    else path += path.endsWith(`${from}`) ? `L${to}` : `M${from}L${to}`;
  }
  const dots = points.flatMap(({ atMs, value: shown, isLate }) => {
    if (Number.isNaN(shown)) return [];
    const place = `cx="${px(time(atMs))}" cy="${px(value(shown))}"`;
    return [
      `<circle class="${isLate ? `line ${className} late` : className}" ${place} r="${isLate ? 4 : 2.6}"/>`,
    ];
  });
  return [
    ...(path && [`<path class="line ${className}" d="${path}"/>`]),
    ...(dotted && [`<path class="gap ${className}" d="${dotted}"/>`]),
    ...dots,
  ];
}

/** With its side and tier where the alert has several. */
function nameOf({ name, side, tier }: Band, bands: readonly Band[]): string {
  const own = bands.filter((one) => one.name === name);
  const has = (key: 'side' | 'tier') => new Set(own.map((one) => one[key])).size > 1;
  return [name, ...(has('side') ? [side] : []), ...(has('tier') ? [tier] : [])].join(' ');
}

function bandOf(
  band: Band,
  { bands, plot, time, y }: { bands: readonly Band[]; plot: Plot; time: Scale; y: number },
): string[] {
  const parts = shadesOf(band, time).map(({ shade, from, to }) =>
    box(shade, from, y, to - from, BAND - 6, 2),
  );
  return [
    line('grid', [plot.left, y + BAND / 2 - 3], [plot.right, y + BAND / 2 - 3]),
    ...parts,
    label({ x: plot.left - 10, y: y + 11, text: nameOf(band, bands), anchor: 'end' }),
  ];
}

/** What is wide enough to be seen, in pixels. */
function shadesOf({ steps }: Band, time: Scale): { shade: Shade; from: number; to: number }[] {
  const right = time(time.to);
  return steps.flatMap(({ atMs, shade }, index) => {
    const from = Math.max(time(atMs), time(time.from));
    const to = Math.min(time(steps[index + 1]?.atMs ?? Number.POSITIVE_INFINITY), right);
    return shade === 'inactive' || to - from < 0.5 ? [] : [{ shade, from, to }];
  });
}

/** The colours that there are. */
function legend(
  { bands }: Told,
  series: readonly Series[],
  { time, y }: { time: Scale; y: number },
): string[] {
  const seen = new Set(bands.flatMap((band) => shadesOf(band, time).map(({ shade }) => shade)));
  let x = time(time.from);
  const entry = (swatch: string, text: string) => {
    const parts = [swatch, label({ x: x + 16, y, text, className: 'faint' })];
    x += 34 + widthOf(text);
    return parts;
  };
  return [
    ...series.flatMap(({ name }, index) => entry(box(`p${index % 4}`, x, y - 6, 11, 3), name)),
    ...SHADES.filter((shade) => seen.has(shade)).flatMap((shade) =>
      entry(box(shade, x, y - 10, 11, 11, 2), shade),
    ),
  ];
}
