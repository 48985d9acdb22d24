import type { ProbeTrack, RiseTrack } from './detection-state.js';
import { baselineOf } from './probe-track.js';

const MINUTE_MS = 60_000;
const LOWS_MS = 60 * MINUTE_MS;
const LOWS_APART_MS = 5 * MINUTE_MS;
const FAST_RISE = 1500;
const INTENT_MS = 30 * MINUTE_MS;
const INTENT_RISE = 500;
const WARM = 3000;
const WARM_RISE = 1000;
const HANDLED_RISE = 2000;
const COOKS_FAST = 4500;
const COOKS = 5000;
/** Hundredths of a degree a minute: what is faster is a hand that puts the probe in or pulls it out. */
const HANDLING = 6000;

/**
 * What is kept of a probe's rise, after one more value, while no session runs (domain-rules.md, Readings 6, Sessions 5
 * and 6). From a value that a hand brought about, food must rise anew, as a grill that was hot must after an end.
 * @param after with the value
 * @param isFood its jumps are handling
 */
export function followRise(before: ProbeTrack | undefined, after: ProbeTrack, isFood: boolean): RiseTrack {
  const { value = 0, lastMs: atMs } = after;
  const baseline = baselineOf(after);
  const isByHand = isFood && isHandled(before, after);
  const was = isByHand ? undefined : before?.rise;
  const rise: RiseTrack = { lows: lowsAfter(was?.lows ?? [], atMs, value) };
  const handled = isByHand ? value : was?.handled;
  if (handled !== undefined && Math.min(handled, value) > baseline) rise.handled = Math.min(handled, value);
  const hasLeft = value - baseline > INTENT_RISE;
  if (hasLeft && (was?.isFast || value - (rise.lows[0]?.[1] ?? value) >= FAST_RISE)) rise.isFast = true;
  const isWarm = value >= WARM && value - baseline >= WARM_RISE && after.lowest === undefined;
  if (isWarm && !isInHand(rise, value)) rise.isWarm = true;
  return rise;
}

/** It jumped, was plugged into something else, or is seen for the first time and warm already. */
function isHandled(before: ProbeTrack | undefined, after: ProbeTrack): boolean {
  const { value = 0, lastMs: atMs, minima, bucket } = after;
  if (before?.value === undefined || (minima.length === 1 && bucket !== before.bucket)) return true;
  const change = Math.abs(value - before.value);
  if (before.absentMs !== undefined) return change > INTENT_RISE;
  return change * MINUTE_MS > HANDLING * (atMs - before.lastMs);
}

function isInHand({ handled }: RiseTrack, value: number): boolean {
  return handled !== undefined && value - handled < HANDLED_RISE;
}

function lowsAfter(were: RiseTrack['lows'], atMs: number, value: number): RiseTrack['lows'] {
  const lows: RiseTrack['lows'] = [];
  for (const low of were) if (low[0] >= atMs - LOWS_MS && low[1] < value) lows.push(low);
  const newest = lows.at(-1);
  if (newest === undefined || atMs - newest[0] >= LOWS_APART_MS) lows.push([atMs, value]);
  return lows;
}

/** A candidate since an earlier reading that is as hot as only food that cooks gets. */
export function isCooking(before: ProbeTrack | undefined, { value = 0, rise }: ProbeTrack): boolean {
  if (!before?.rise?.isWarm || !rise?.isWarm) return false;
  return value >= COOKS || (value >= COOKS_FAST && rise.isFast === true);
}

/** It rose by 5 °C within half an hour: where somebody means to cook, that is a beginning. */
export function hasRisen({ value = 0, lastMs, rise, lowest }: ProbeTrack): boolean {
  if (!rise || lowest !== undefined || isInHand(rise, value)) return false;
  const low = rise.lows.find(([ms]) => ms >= lastMs - INTENT_MS);
  return low !== undefined && value - low[1] >= INTENT_RISE;
}
