import type { LidTrack } from './detection-state.js';

/** A drop is one within this time, an open lid is shut within it, and so long wait alarms for a pit that is too cold. */
export const LID_MS = 10 * 60_000;
const KEPT_MS = 60_000;
/** A pit that is less above its baseline is not lit: what it loses is noise. */
const LIT = 2000;

/** A value of a pit in a session; temperatures in hundredths of a degree Celsius. */
export interface PitValue {
  atMs: number;
  value: number;
  baseline: number;
}

/**
 * A pit after one more value (domain-rules.md, Alert rules 8). A drop begins at the last value that lay so far above the
 * present one, 15 % of its own height above the baseline; of values less than a minute apart one stands for them. It was
 * an open lid if half of it is made good within ten minutes of its beginning (`lidMs`). Before that, and while a drop
 * that was none goes on, no other begins, so that nothing waits twice for a fire that dies.
 */
export function followLid(before: LidTrack | undefined, pit: PitValue): LidTrack {
  const { atMs, value } = pit;
  const drop = openDrop(before);
  if (drop && drop.lidMs === undefined) {
    const lowest = Math.min(drop.lowest, value);
    const isBack = atMs - drop.fromMs <= LID_MS && 2 * (value - lowest) >= drop.peak - lowest;
    return { recent: [[atMs, value]], drop: { ...drop, lowest, ...(isBack && { lidMs: atMs }) } };
  }
  const higher = (before?.recent ?? []).filter(([ms, high]) => atMs - ms <= LID_MS && high > value);
  const top = higher.findLast(([, high]) => isDrop(high, pit));
  if (!top) return { recent: [...apart(higher), [atMs, value]], ...(drop && { drop }) };
  const [fromMs, peak] = top;
  const sinceMs = drop && (drop.sinceMs ?? drop.fromMs);
  return {
    recent: [[atMs, value]],
    drop: { fromMs, peak, lowest: value, ...(sinceMs !== undefined && { sinceMs }) },
  };
}

/** The value that finds ten minutes over is the last one of a drop. */
function openDrop(before: LidTrack | undefined): LidTrack['drop'] {
  const lastMs = before?.recent.at(-1)?.[0];
  const drop = before?.drop;
  return drop && lastMs !== undefined && lastMs - drop.fromMs < LID_MS ? drop : undefined;
}

/** The last one only if it is a minute after the one before. */
function apart(higher: LidTrack['recent']): LidTrack['recent'] {
  const [previous, last] = higher.slice(-2);
  return previous && last && last[0] - previous[0] < KEPT_MS ? higher.slice(0, -1) : higher;
}

function isDrop(high: number, { value, baseline }: PitValue): boolean {
  const height = high - baseline;
  return height >= LIT && 100 * (high - value) >= 15 * height;
}
