import { isPresence, isSlope, isUpward, limitsOf } from '../../src/alerts/limits.js';
import type { AlertRule } from '../../src/alerts/types.js';
import type { TraceRow } from '../../src/replay/trace.js';
import type { Told } from './told.js';

/** `value` is NaN while the probe was absent; `isLate`: something newer had come before it. */
export interface Point {
  atMs: number;
  value: number;
  isLate: boolean;
}

/** What one probe showed, or the battery of the device. */
export interface Series {
  name: string;
  points: Point[];
}

/** By device and probe. */
export function seriesOf(rows: readonly TraceRow[]): Series[] {
  const series = new Map<string, Series & { newestMs: number }>();
  const devices = new Set(rows.map(({ deviceId }) => deviceId));
  for (const { deviceId, probeId, measuredAtMs: atMs, hundredths } of rows) {
    const name = devices.size > 1 ? `${deviceId} probe ${probeId}` : `probe ${probeId}`;
    const own = series.get(name) ?? { name, points: [], newestMs: 0 };
    series.set(name, own);
    const isLate = atMs <= own.newestMs;
    own.newestMs = Math.max(own.newestMs, atMs);
    own.points.push({ atMs, value: hundredths === null ? Number.NaN : hundredths / 100, isLate });
  }
  return [...series.values()];
}

/** What the rows say of the battery. */
export function batteryOf(rows: readonly TraceRow[]): Series {
  let newestMs = 0;
  const points = rows.flatMap(({ measuredAtMs: atMs, batteryPercent }) => {
    const isLate = atMs <= newestMs;
    newestMs = Math.max(newestMs, atMs);
    return batteryPercent === null ? [] : [{ atMs, value: batteryPercent, isLate }];
  });
  return { name: 'battery', points };
}

/** A line that is watched, with the other side of its hysteresis. */
export interface Level {
  value: number;
  back: number;
}

/** Those of the battery, or those of temperatures; each once. */
export function levelsOf(rules: Told['rules'], isOfBattery: boolean): Level[] {
  const isDrawn = ({ type }: AlertRule) => !isPresence(type) && !isSlope(type);
  const all = rules.flatMap(({ rule }) =>
    (rule.type === 'battery') === isOfBattery && isDrawn(rule) ? levels(rule) : [],
  );
  return [...new Map(all.map((level) => [`${level.value} ${level.back}`, level])).values()];
}

function levels(rule: AlertRule): Level[] {
  return limitsOf(rule).map(({ side, hundredths }) => {
    const value = hundredths / 100;
    return { value, back: value + (isUpward(side) ? -1 : 1) * rule.hysteresis };
  });
}
