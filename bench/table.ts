import { cpus, totalmem } from 'node:os';

interface Measure {
  what: string;
  value: number;
  unit: string;
}

/** One measured value beside what it is compared with, measured in the same run. */
export interface Row extends Measure {
  figure: string;
  anchor?: Measure;
  /** Value ÷ anchor, or the median of the ratios of the single runs. */
  ratio?: number;
  /** Of the ratio. */
  atLeast?: number;
  valueAtMost?: number;
  /** Sizes, and what was checked. */
  note?: string;
}

/** What a figure can be told: `isSmall` where it is one of all, so that all together end within ten minutes. */
export interface Options {
  isSmall: boolean;
  /** A folder for the CPU profiles of the processes that are measured. */
  profileTo?: string;
  /** Progress, for people. */
  say: (line: string) => void;
}

/** Undefined: nothing is asked of it. */
function isMet({ value, ratio, atLeast, valueAtMost }: Row): boolean | undefined {
  if (valueAtMost !== undefined) return value <= valueAtMost;
  return ratio !== undefined && atLeast !== undefined ? ratio >= atLeast : undefined;
}

export function toJson(rows: readonly Row[]): string {
  const machine = {
    cpus: cpus().length,
    cpu: cpus()[0]?.model,
    memoryBytes: totalmem(),
    node: process.version,
  };
  return JSON.stringify({ machine, figures: rows.map((row) => ({ ...row, isMet: isMet(row) })) }, null, 2);
}

/** Columns of equal width, notes below. */
export function toText(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.figure,
    row.what,
    show(row),
    row.anchor ? `${row.anchor.what}: ${show(row.anchor)}` : '',
    row.ratio === undefined ? '' : digits(row.ratio),
    verdict(row),
  ]);
  const all = [['figure', 'what', 'measured', 'beside', 'ratio', 'target'], ...cells];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0))) ?? [];
  const lines = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const notes = rows.flatMap(({ figure, what, note }) => (note ? [`${figure}, ${what}: ${note}`] : []));
  return [...lines, '', ...notes, ''].join('\n');
}

function verdict(row: Row): string {
  const isMissed = isMet(row) === false;
  if (row.atLeast !== undefined) return `at least ${row.atLeast}: ${isMissed ? 'MISSED' : 'met'}`;
  return row.valueAtMost === undefined
    ? ''
    : `at most ${row.valueAtMost} ${row.unit}: ${isMissed ? 'MISSED' : 'met'}`;
}

const show = ({ value, unit }: Measure): string => `${digits(value)} ${unit}`;

function digits(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3).replace(/\.?0+$/, '');
}

/** Of numbers; the mean of the middle two where their count is even. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  return low + (high - low) * (position % 1);
}
