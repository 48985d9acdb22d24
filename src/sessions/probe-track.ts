import type { ProbeTrack } from './detection-state.js';

const BUCKET_MS = 15 * 60_000;
const BUCKETS = 13; // twelve whole ones and the present: three hours at least
const BASELINE_CAP = 4500;
const PIT_START = 6000;
/** No meat gets hotter. */
const BOILING = 10_000;
const PIT_START_RISE = 2000;
const PIT_START_MS = 5 * 60_000;
const LEFT_BASELINE = 500;
const FAST_RISE_MS = 60 * 60_000;
const ARMED_BELOW = 5000;
const ARMED_RISE = 2000;

/** A probe as seen for the first time at `atMs`. */
const unseen = (atMs: number): ProbeTrack => ({ lastMs: atMs, bucket: 0, minima: [] });

/** The least of the trailing three idle hours, at most 45 °C (also when nothing is known). */
export function baselineOf({ minima }: ProbeTrack): number {
  let least = BASELINE_CAP;
  for (const minimum of minima) if (minimum !== null && minimum < least) least = minimum;
  return least;
}

function noteMinimum(track: ProbeTrack, atMs: number, value: number): Pick<ProbeTrack, 'bucket' | 'minima'> {
  const bucket = Math.floor(atMs / BUCKET_MS);
  const missed = bucket - track.bucket;
  const [newest, ...older] = track.minima;
  if (missed === 0 && typeof newest === 'number') {
    return value >= newest ? track : { bucket, minima: [value, ...older] };
  }
  if (missed <= 0 || missed > BUCKETS) return { bucket, minima: [value] };
  return { bucket, minima: [value, ...Array(missed - 1).fill(null), ...track.minima].slice(0, BUCKETS) };
}

/** The probe when a session begins: free to be a pit again, and without a baseline that is older than three hours. */
export function inSession(track: ProbeTrack, startMs: number): ProbeTrack {
  const isStale = Math.floor(startMs / BUCKET_MS) - track.bucket >= BUCKETS;
  return { ...track, lowest: undefined, minima: isStale ? [] : track.minima, rise: undefined };
}

/** The probe when a session ended: while it is hot, it must cool or be fired up anew before it may start another. */
export function disarmed(track: ProbeTrack): ProbeTrack {
  const { value, validMs } = track;
  const isHot = value !== undefined && validMs !== undefined && value >= ARMED_BELOW;
  // One ms on: a reading that ended a session must not begin the next.
  const lowest: ProbeTrack['lowest'] = isHot ? [value, validMs + 1] : undefined;
  return { ...track, riseMs: undefined, hotMs: undefined, lowest, rise: undefined };
}

/**
 * The probe after a valid value. The baseline follows only while `isIdle` (no session on the device) and the probe is
 * no candidate; a first value is its own baseline, and a device that is switched on when hot left it just now.
 */
export function withValue(
  before: ProbeTrack | undefined,
  atMs: number,
  value: number,
  isIdle: boolean,
): ProbeTrack {
  const track = before ?? unseen(atMs);
  const isCandidate = track.hotMs !== undefined || track.rise?.isWarm === true;
  const follows = (isIdle && !isCandidate) || track.minima.length === 0;
  const { bucket, minima } = follows ? noteMinimum(track, atMs, value) : track;
  const next: ProbeTrack = { lastMs: atMs, value, validMs: atMs, bucket, minima };
  const baseline = baselineOf(next);
  let { riseMs = atMs, calmMs, lowest } = track;
  if (lowest !== undefined && (value < ARMED_BELOW || value >= lowest[0] + ARMED_RISE)) {
    riseMs = value < ARMED_BELOW ? atMs : lowest[1];
    calmMs = riseMs;
    lowest = undefined;
  } else if (lowest !== undefined && value < lowest[0]) lowest = [value, atMs];
  if (lowest !== undefined) next.lowest = lowest;
  const isFirst = isIdle && minima.length === 1 && bucket !== track.bucket;
  // Hot when first seen: meat may be so, up to the boiling point.
  const isSwitchedOn = isFirst && (value < PIT_START || value >= BOILING);
  const isCold = !isIdle && (track.isCold || value < baseline - LEFT_BASELINE);
  if (isCold) next.isCold = true;
  if (isSwitchedOn || (!isCold && value <= baseline + LEFT_BASELINE)) calmMs = atMs;
  else if (!isCold && before) calmMs = leftMs(before, next, baseline + LEFT_BASELINE) ?? calmMs;
  if (value >= BOILING) calmMs ??= atMs;
  if (calmMs !== undefined) next.calmMs = calmMs;
  if (value > baseline + LEFT_BASELINE) next.riseMs = riseMs;
  const isHot = value >= PIT_START && value >= baseline + PIT_START_RISE;
  if (isHot && lowest === undefined) next.hotMs = track.hotMs ?? atMs;
  return next;
}

/** When a probe that was calm came to be warmer than `calm`, on a straight line; undefined: it was so before. */
function leftMs(
  { value: was, validMs, absentMs }: ProbeTrack,
  now: ProbeTrack,
  calm: number,
): number | undefined {
  if (was === undefined || validMs === undefined || absentMs !== undefined || was > calm) return undefined;
  const { value = was, lastMs } = now;
  return value > calm ? validMs + Math.floor(((lastMs - validMs) * (calm - was)) / (value - was)) : undefined;
}

/** The probe after it was seen to show no value. */
export function withoutValue(before: ProbeTrack | undefined, atMs: number): ProbeTrack {
  const track = before ?? unseen(atMs);
  return { ...track, lastMs: atMs, absentMs: track.absentMs ?? atMs, hotMs: undefined };
}

/** Two readings or more at pit-start temperature, spanning five minutes, up to the last one. */
export function isPitHot({ hotMs, lastMs }: ProbeTrack): boolean {
  return hotMs !== undefined && lastMs - hotMs >= PIT_START_MS;
}

/** Meat cannot heat up that fast. What was not seen to leave its baseline (unknown time, hot meat) does not count. */
export function heatsLikePit(track: ProbeTrack): boolean {
  const { calmMs, hotMs } = track;
  return isPitHot(track) && calmMs !== undefined && hotMs !== undefined && hotMs - calmMs <= FAST_RISE_MS;
}

/** It shows a value that lies 5 °C or more from its baseline, or its first one. */
export function showsCook(track: ProbeTrack, value: number): boolean {
  return track.minima.length === 0 || Math.abs(value - baselineOf(track)) >= LEFT_BASELINE;
}
