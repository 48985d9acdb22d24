import type { CookTrack, FoodLine, PitHeat, ProbeTrack, ProbeTracks } from './detection-state.js';
import { baselineOf } from './probe-track.js';
import { isMember } from './timers.js';
import type { SessionMember } from './types.js';

const STEP = 200;
const TOP_STEP = 250;
/** A value holds until the next one, but no longer than this; beyond it is unknown time. */
const HOLD_MS = 15 * 60_000;
/** Who is silent for longer, while others are heard, tells nothing of the present. */
const SILENT_MS = 2 * 3_600_000;
const COOLED_MS = 30 * 60_000;
/** 2 °C an hour; what is written in hundredths may fall short by that much. */
const FOOD_RISE = 199;
/** A pit that hot cooks, whatever it was before; and one that is no colder than half an hour ago stays so. */
const COOKS_AT = 8000;
const LEVEL_MS = 30 * 60_000;
/** Where no pit tells, food that is colder is done with. */
export const FOOD_END = 4500;

/** The 90th percentile by time, to the middle of its step; undefined while no time has passed. */
function percentile90(seconds: number[]): number | undefined {
  let total = 0;
  for (const held of seconds) total += held;
  let above = 0;
  for (let step = seconds.length - 1; step >= 0 && total > 0; step--) {
    above += seconds[step] ?? 0;
    if (above * 10 > total) return step * STEP + STEP / 2;
  }
  return undefined;
}

function addSeconds(heat: PitHeat, { value, lastMs, absentMs }: ProbeTrack, atMs: number): number[] {
  if (value === undefined || absentMs !== undefined) return heat.seconds;
  const step = Math.min(Math.max(Math.floor(value / STEP), 0), TOP_STEP);
  const seconds = heat.seconds.slice();
  while (seconds.length <= step) seconds.push(0);
  seconds[step] = (seconds[step] ?? 0) + Math.round(Math.min(atMs - lastMs, HOLD_MS) / 1000);
  return seconds;
}

/** A pit's heat after one more value; `before` and `after` are the probe around it. */
export function addHeat(
  heat: PitHeat | undefined,
  before: ProbeTrack | undefined,
  after: ProbeTrack,
): PitHeat {
  const { value = 0, lastMs } = after;
  if (!heat || !before) return { seconds: [], p90: value, highMs: lastMs };
  const seconds = addSeconds(heat, before, lastMs);
  const p90 = percentile90(seconds) ?? value;
  const baseline = baselineOf(after);
  const isHigh = 10 * (value - baseline) >= 8 * (p90 - baseline);
  if (isHigh) return { seconds, p90, highMs: lastMs };
  return addLow({ seconds, p90, highMs: heat.highMs }, heat.low, { value, atMs: lastMs, baseline });
}

/** Less than 80 % of what it was: after half an hour on one level, if that is hot, this is what it cooks at now. */
function addLow(
  heat: PitHeat,
  low: PitHeat['low'],
  { value, atMs, baseline }: { value: number; atMs: number; baseline: number },
): PitHeat {
  const [sinceMs, count, sum, meanBefore] = low ?? [atMs, 0, 0, null];
  if (atMs - sinceMs < LEVEL_MS) return { ...heat, low: [sinceMs, count + 1, sum + value, meanBefore] };
  const mean = Math.round(sum / count);
  const isLevel = meanBefore !== null && 10 * (meanBefore - mean) <= meanBefore - baseline;
  if (isLevel && mean >= COOKS_AT) return { seconds: [], p90: mean, highMs: atMs };
  return { ...heat, low: [atMs, 1, value, mean] };
}

/** Below baseline + 40 % of the way to the 90th percentile; where that is very hot, also too cold to cook. */
export function isBelowEndLimit({ p90 }: PitHeat, baseline: number, value: number): boolean {
  return value < COOKS_AT && 10 * (value - baseline) < 4 * (p90 - baseline);
}

/**
 * All pits that show a value, or, where none does, all as they were last seen. By the members, since to list the keys of
 * `pits` costs more than all the rest, and this is asked for every reading.
 */
function arePitsCold({ pits }: CookTrack, probes: ProbeTracks, members: readonly SessionMember[]): boolean {
  let [known, shown, cold] = [0, 0, 0];
  for (const { probeId } of members) {
    const heat = pits[probeId];
    if (!heat) continue;
    const track = probes[probeId];
    const value = track?.value;
    const isCold = track && value !== undefined && isBelowEndLimit(heat, baselineOf(track), value);
    const isShown = track?.absentMs === undefined;
    if (isShown && !isCold) return false;
    known += 1;
    if (isShown) shown += 1;
    if (isCold) cold += 1;
  }
  return shown > 0 || (known > 0 && cold === known);
}

/** No food that still shows a value is warm; false where none shows one. */
function isFoodCold(members: readonly SessionMember[], probes: ProbeTracks, atMs: number): boolean {
  let isShown = false;
  for (const member of members) {
    const track = member.role === 'food' && isMember(member) ? probes[member.probeId] : undefined;
    if (track?.value === undefined || track.absentMs !== undefined || atMs - track.lastMs > SILENT_MS)
      continue;
    if (track.value >= FOOD_END) return false;
    isShown = true;
  }
  return isShown;
}

/** Where no pit shows anything, not even that it was cold, the food tells. */
function isFireOut(
  cook: CookTrack,
  probes: ProbeTracks,
  members: readonly SessionMember[],
  atMs: number,
): boolean {
  if (arePitsCold(cook, probes, members)) return true;
  return !isPitShown(cook, probes, members) && isFoodCold(members, probes, atMs);
}

/** Whether a pit of the cook shows something. */
export function isPitShown(
  { pits }: CookTrack,
  probes: ProbeTracks,
  members: readonly SessionMember[],
): boolean {
  for (const { probeId } of members)
    if (pits[probeId] && probes[probeId]?.absentMs === undefined) return true;
  return false;
}

/** A line through what a food showed, as the sums that it takes: times are in seconds. */
function addPoint(line: FoodLine | undefined, atMs: number, value: number): FoodLine {
  const [fromMs, count, times, values, squares, products] = line ?? [atMs, 0, 0, 0, 0, 0];
  const time = Math.round((atMs - fromMs) / 1000);
  return [fromMs, count + 1, times + time, values + value, squares + time * time, products + time * value];
}

function isRising([, count, times, values, squares, products]: FoodLine): boolean {
  const spread = count * squares - times * times;
  return spread > 0 && 3600 * (count * products - times * values) >= FOOD_RISE * spread;
}

/**
 * The cook of a session with these members after one of them, `member`, showed `value`, `gapMs` after the members were
 * last heard of. Food that rose in the half hour begins it anew.
 */
export function cool(
  cook: CookTrack,
  probes: ProbeTracks,
  { members }: { members: readonly SessionMember[] },
  { member, atMs, value, gapMs }: { member: SessionMember; atMs: number; value: number; gapMs: number },
): CookTrack {
  const { probeId, role } = member;
  if (!isFireOut(cook, probes, members, atMs)) {
    return cook.coolMs === undefined ? cook : { ...cook, coolMs: undefined, foodLines: undefined };
  }
  const coolMs = (cook.coolMs ?? atMs) + (cook.coolMs === undefined ? 0 : Math.max(0, gapMs - HOLD_MS));
  let next = coolMs === cook.coolMs ? cook : { ...cook, coolMs };
  if (role === 'food') {
    const foodLines = { ...cook.foodLines, [probeId]: addPoint(cook.foodLines?.[probeId], atMs, value) };
    next = { ...next, foodLines };
  }
  const isAnew = isCooled(next, atMs) && Object.values(next.foodLines ?? {}).some(isRising);
  return isAnew ? { ...next, coolMs: atMs, foodLines: undefined } : next;
}

export function isCooled({ coolMs }: CookTrack, atMs: number): boolean {
  return coolMs !== undefined && atMs - coolMs >= COOLED_MS;
}

/** The last pit reading that still was cooking, or the last one of warm food where no pit tells; undefined: none was. */
export function cookedUntilMs(
  cook: CookTrack,
  probes: ProbeTracks,
  { members }: { members: readonly SessionMember[] },
): number | undefined {
  const times = Object.values(cook.pits).map(({ highMs }) => highMs);
  if (cook.warmMs !== undefined && !arePitsCold(cook, probes, members)) times.push(cook.warmMs);
  return times.length > 0 ? Math.max(...times) : undefined;
}
