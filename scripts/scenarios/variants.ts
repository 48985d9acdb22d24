import { toHundredths } from '../../src/readings/sample.js';
import { replay } from '../../src/replay/replay.js';
import type { TraceRow } from '../../src/replay/trace.js';
import { chances, isWithin, jitter, type Span, STEP } from './kitchen.js';
import type { Scenario } from './scenario.js';

export const VARIANTS = ['10 s', '1 min', '5 min', 'on change', 'with gaps', 'out of order'] as const;
export type Variant = (typeof VARIANTS)[number];

const DEVICE = 'SIGNALS-1';
/** Beyond these hours, what need not be dense is not. */
const LONG = 8;
const VERY_LONG = 12;

/** By how many minutes a bound may be off for want of readings. */
export function slackOf(scenario: Scenario, variant: Variant): number {
  const slack = { '10 s': STEP, '1 min': 1, '5 min': 5, 'on change': 5, 'out of order': 2 };
  return variant === 'with gaps' ? longestGap(scenario) + 2 : slack[variant];
}

/** Short cooks have short gaps: no more is lost than an eighth. */
function longestGap({ sessions }: Scenario): number {
  return Math.min(25, ...sessions.map(({ start, end }) => (end[0] - start[0]) / 8));
}

/** As `grill-stats replay` does, with the scenario's alerts and unit. */
export function replayed({ unit, alerts = [] }: Scenario, rows: readonly TraceRow[]) {
  return replay(rows, { temperatureUnit: unit(0), alertsJson: JSON.stringify(alerts) });
}

/** What the scenario's device sends, in the order of arrival. */
export function rowsOf(scenario: Scenario, variant: Variant): TraceRow[] {
  const rows: TraceRow[] = [];
  const shown = new Map<string, number | null>();
  const noises = new Map(Object.keys(scenario.probes).map((id) => [id, jitter(`${scenario.name} ${id}`)]));
  for (const minute of minutesOf(scenario, variant)) {
    if (isWithin(minute, scenario.silent ?? [])) continue;
    for (const [probeId, noise] of noises) {
      const row = rowAt(scenario, probeId, minute, { isFirst: !shown.has(probeId), noise });
      const last = shown.get(probeId);
      const isSame = row.hundredths === null && last === null;
      const isNear = last != null && row.hundredths !== null && Math.abs(row.hundredths - last) < stepOf(row);
      if (isSame || (variant === 'on change' && isNear)) continue;
      shown.set(probeId, row.hundredths);
      rows.push(row);
    }
  }
  return variant === 'out of order' ? delayed(rows, scenario.name) : rows;
}

/** 1 °F. */
const stepOf = ({ unit }: TraceRow): number => (unit === 'F' ? 100 : 56);

function minutesOf(scenario: Scenario, variant: Variant): number[] {
  const { hours } = scenario;
  const step = variant === '10 s' || variant === 'on change' ? STEP : variant === '5 min' ? 5 : 1;
  const minutes = Array.from({ length: Math.floor((hours * 60) / step) }, (_, index) => index * step);
  if (variant === '10 s') return minutes.filter((one) => isWhole(one, 5) || isDense(scenario, one));
  if (variant === '1 min')
    return minutes.filter((one) => hours <= VERY_LONG || isWhole(one, 5) || isDense(scenario, one));
  const isKept = variant === 'with gaps' ? gapsOf(scenario) : () => true;
  return minutes.filter((one) => (hours <= LONG || step !== 1 || isWhole(one, 2)) && isKept(one));
}

const isWhole = (minute: number, of: number): boolean => Math.round(minute / STEP) % (of / STEP) === 0;

/** Around the bounds, or, where there are none, in the middle. */
function isDense({ sessions, hours }: Scenario, minute: number): boolean {
  const middle: Span = [hours * 30 - 30, hours * 30 + 30];
  const bounds = sessions.flatMap(({ start, end }): Span[] => [
    [start[0] - 8, start[1] + 6],
    [end[0] - 5, end[1] + 5],
  ]);
  return isWithin(minute, bounds.length > 0 ? bounds : [middle]);
}

/** A gap in about every second hour, and now and then a single reading. */
function gapsOf(scenario: Scenario): (minute: number) => boolean {
  const chanceOf = (word: string) => chances(`${scenario.name} ${word}`);
  const [begins, lasts] = [chanceOf('begins'), chanceOf('lasts')];
  const [comes, lost] = [chanceOf('comes'), chanceOf('lost')];
  const longest = longestGap(scenario);
  return (minute) => {
    const hour = Math.floor(minute / 60);
    const from = 60 * hour + 35 * begins(hour);
    const isGap = comes(hour) < 0.5 && minute >= from && minute < from + longest * lasts(hour);
    return !isGap && lost(minute) >= 0.03;
  };
}

function rowAt(
  scenario: Scenario,
  probeId: string,
  minute: number,
  { isFirst, noise: error }: { isFirst: boolean; noise: (index: number) => number },
): TraceRow {
  const { probes, begins, battery, unit: unitAt } = scenario;
  const { shows, role = null, noise = 0.2 } = probes[probeId] ?? { shows: () => null };
  const measuredAtMs = Date.parse(begins) + Math.round(minute * 60_000);
  const celsius = shows(minute);
  const unit = celsius === null ? null : unitAt(minute);
  const exact = (celsius ?? 0) + noise * error(Math.round(minute / STEP));
  // Thermometers tell tenths.
  const value = Math.round((unit === 'F' ? exact * 1.8 + 32 : exact) * 10) / 10;
  return {
    deviceId: DEVICE,
    probeId,
    measuredAtMs,
    hundredths: celsius === null ? null : toHundredths(value),
    unit,
    flags: 0,
    role: isFirst ? role : null,
    batteryPercent: battery ? Math.max(0, Math.round(battery(minute))) : null,
  };
}

/** One in seven is up to nine minutes late, one in fifty comes twice. */
function delayed(rows: readonly TraceRow[], name: string): TraceRow[] {
  const [late, waits, twice] = [chances(`${name} late`), chances(`${name} waits`), chances(`${name} twice`)];
  const arrivals = rows.flatMap((row, index) => {
    const isLate = row.hundredths !== null && late(index) < 1 / 7;
    const first = { row, atMs: row.measuredAtMs + (isLate ? 9 * waits(index) * 60_000 : 0) };
    return twice(index) < 0.02 ? [first, { row, atMs: first.atMs + 90_000 }] : [first];
  });
  return arrivals.sort((a, b) => a.atMs - b.atMs).map(({ row }) => row);
}

/** The rows as a TRACE.csv, with times as the clock on the wall shows them. */
export function csvOf(scenario: Scenario, rows: readonly TraceRow[]): string {
  const hasBattery = scenario.battery !== undefined;
  const head = `device_id,probe_id,measured_at,value,unit,role${hasBattery ? ',battery' : ''}`;
  const lines = rows.map((row) => {
    const value = row.hundredths === null ? '' : `${row.hundredths / 100}`;
    const named = [row.deviceId, row.probeId, wallTime(scenario, row.measuredAtMs), value, row.unit ?? ''];
    return [...named, row.role ?? '', ...(hasBattery ? [row.batteryPercent ?? ''] : [])].join();
  });
  return `${[head, ...lines].join('\n')}\n`;
}

function wallTime({ begins, clock }: Scenario, ms: number): string {
  const minute = (ms - Date.parse(begins)) / 60_000;
  const offset = clock && minute >= clock[0] ? clock[1] : begins.slice(-6);
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number);
  const shiftMs = (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
  return `${new Date(ms + shiftMs).toISOString().slice(0, 19)}${offset}`;
}
