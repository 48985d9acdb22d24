import { label, line } from './svg.js';

/** Where values and times are drawn, in pixels. */
export interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Scale {
  (value: number): number;
  from: number;
  to: number;
}

export function scaleOf([from, to]: [number, number], [fromPx, toPx]: [number, number]): Scale {
  const factor = (toPx - fromPx) / (to - from || 1);
  return Object.assign((value: number) => fromPx + (value - from) * factor, { from, to });
}

const MINUTE_MS = 60_000;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((m) => m * MINUTE_MS);
const VALUE_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];

function ticks({ from, to }: Scale, steps: readonly number[], most: number): number[] {
  const step = steps.find((one) => (to - from) / one <= most) ?? steps.at(-1) ?? 1;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, index) => (first + index) * step);
}

/** Hours and minutes along the bottom. */
export function timeAxis(plot: Plot, time: Scale, y: number): string[] {
  return [
    ...ticks(time, TIME_STEPS, 9).flatMap((ms) => [
      line('grid', [time(ms), plot.top], [time(ms), y - 14]),
      label({
        x: time(ms),
        y,
        text: new Date(ms).toISOString().slice(11, 16),
        className: 'faint',
        anchor: 'middle',
      }),
    ]),
    label({ x: plot.left - 10, y, text: 'UTC', className: 'faint', anchor: 'end' }),
  ];
}

/** The values at the left, the unit above them. */
export function valueAxis(plot: Plot, value: Scale, unit: string): string[] {
  const marks = ticks(value, VALUE_STEPS, 5).filter((one) => value(one) > plot.top + 8);
  return [
    ...marks.flatMap((one) => [
      line('grid', [plot.left, value(one)], [plot.right, value(one)]),
      label({
        x: plot.left - 10,
        y: value(one) + 4,
        text: `${Math.round(one * 10) / 10}`,
        className: 'faint',
        anchor: 'end',
      }),
    ]),
    label({ x: plot.left - 10, y: plot.top + 4, text: unit, className: 'faint', anchor: 'end' }),
  ];
}
