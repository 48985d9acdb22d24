import type { CookTrack, PitHeat, ProbeTrack, ProbeTracks } from './detection-state.js';
import { baselineOf } from './probe-track.js';
import type { SessionMember } from './types.js';

const STEP = 200;
const TOP_STEP = 250;
/** A value holds until the next one, but no longer than this; beyond it is unknown time. */
const HOLD_MS = 15 * 60_000;
const COOLED_MS = 30 * 60_000;
/** 2 °C an hour, in the half hour that counts. */
const FOOD_RISE = 100;

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
  return { seconds, p90, highMs: isHigh ? lastMs : heat.highMs };
}

/** Below baseline + 40 % of the way to the 90th percentile. */
export function isBelowEndLimit({ p90 }: PitHeat, baseline: number, value: number): boolean {
  return 10 * (value - baseline) < 4 * (p90 - baseline);
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

/**
 * The cook of a session with these members after one of them, `member`, showed `value`, `gapMs` after the members were last heard of. Food that gains 1 °C on its
 * lowest begins the half hour anew.
 */
export function cool(
  cook: CookTrack,
  probes: ProbeTracks,
  { members }: { members: readonly SessionMember[] },
  { member, atMs, value, gapMs }: { member: SessionMember; atMs: number; value: number; gapMs: number },
): CookTrack {
  const { probeId, role } = member;
  if (!arePitsCold(cook, probes, members)) {
    return cook.coolMs === undefined ? cook : { ...cook, coolMs: undefined, foodLows: {} };
  }
  const coolMs = (cook.coolMs ?? atMs) + (cook.coolMs === undefined ? 0 : Math.max(0, gapMs - HOLD_MS));
  if (role !== 'food') return coolMs === cook.coolMs ? cook : { ...cook, coolMs };
  const low = Math.min(cook.foodLows[probeId] ?? value, value);
  if (value - low >= FOOD_RISE) return { ...cook, coolMs: atMs, foodLows: { [probeId]: value } };
  return { ...cook, coolMs, foodLows: { ...cook.foodLows, [probeId]: low } };
}

export function isCooled({ coolMs }: CookTrack, atMs: number): boolean {
  return coolMs !== undefined && atMs - coolMs >= COOLED_MS;
}

/** The last pit reading that still was cooking. */
export function lastHighMs({ pits }: CookTrack): number {
  return Math.max(...Object.values(pits).map(({ highMs }) => highMs));
}
