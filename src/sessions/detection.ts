import type { Observation } from '../readings/observation.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { addHeat, cool, FOOD_END, isBelowEndLimit, isCooled, isPitShown } from './cooling.js';
import type { DetectionState, ProbeTrack } from './detection-state.js';
import {
  type Draft,
  finish,
  hasMember,
  isOpen,
  mapProbes,
  noteLid,
  openCook,
  put,
  replace,
  runningIn,
  type Sight,
  setTrack,
} from './draft.js';
import { followLid } from './lid.js';
import { baselineOf, disarmed, showsCook, withoutValue, withValue } from './probe-track.js';
import { asMember, mayJoin } from './roles.js';
import { beginCook, cookBegan, pitBegan, start, watchRise } from './start.js';
import { isMember, latestMs, timerOf } from './timers.js';
import type { DeviceFacts, Moment, Session, SessionEvent, SessionMember } from './types.js';

/** Data that returns within this time after contact was lost reopens the session. */
export const REOPEN_MS = 6 * 3_600_000;

/** The due time of a device whose past is to be looked at: before all others, and so told from them. */
const LOOK_BACK_DUE_MS = -1;

/** A device with what detection knows of it. */
export interface DeviceWorld {
  device: DeviceFacts;
  detection: DetectionState;
  /** The open ones, and the one that `detection.cook` names; others are left alone. */
  sessions: Session[];
}

/**
 * The device after one more trusted, in-order observation, or after time went by (domain-rules.md, Sessions). The input
 * is not changed. Sessions with `rebuild` set must be rebuilt from the stored readings in the same transaction.
 * @param newId makes the `publicId` of a session that starts
 */
export function reduceDevice(
  world: DeviceWorld,
  input: Observation | Moment,
  newId: () => string,
): { world: DeviceWorld; events: SessionEvent[] } {
  const draft = openDraft(world);
  step(draft, input, newId);
  return { world: closeDraft(draft, world), events: draft.events };
}

/** The world opened for many inputs in a row. */
export function openDraft({ device, detection, sessions }: DeviceWorld): Draft {
  const { probes, cook } = detection;
  return { device, probes, ownsProbes: false, cook, ownCook: undefined, sessions, events: [] };
}

/** {@link reduceDevice} in place. */
export function step(draft: Draft, input: Observation | Moment, newId: () => string): void {
  adopt(draft);
  if ('nowMs' in input) advance(draft, input.nowMs);
  else observe(draft, input, newId);
}

/** @returns `world`, which the draft was opened from, if nothing changed */
export function closeDraft({ device, probes, cook, sessions }: Draft, world: DeviceWorld): DeviceWorld {
  const { detection } = world;
  const isSame = probes === detection.probes && cook === detection.cook && sessions === world.sessions;
  return isSame ? world : { device, detection: { ...detection, probes, cook }, sessions };
}

/** The earliest time by the cloud's clock at which a {@link Moment} changes something, or the past is to be looked at; null: it cannot. */
export function dueAtMs({ detection, sessions }: DeviceWorld): number | null {
  if (detection.lookBack) return LOOK_BACK_DUE_MS;
  const times = sessions.filter(isOpen).map((session) => timerOf(session, detection.probes).atMs);
  return times.length > 0 ? Math.min(...times) : null;
}

/** Takes up what was done from outside: a session begun by hand, or one ended by hand. */
function adopt(draft: Draft): void {
  const { cook, sessions } = draft;
  const running = runningIn(draft);
  if (running && cook?.session !== running.publicId) beginCook(draft, running);
  if (running || !cook) return;
  if (sessions.some((s) => s.publicId === cook.session && s.endReason === 'lost_contact')) return;
  draft.cook = undefined;
  mapProbes(draft, disarmed);
}

function advance(draft: Draft, nowMs: number): void {
  for (let session of draft.sessions) {
    while (isOpen(session)) {
      const { step, atMs } = timerOf(session, draft.probes);
      if (atMs > nowMs) break;
      if (step === 'paused') session = put(draft, { ...session, phase: 'paused' }, 'paused', atMs);
      else session = finish(draft, session, step, atMs);
    }
  }
}

function observe(draft: Draft, observation: Observation, newId: () => string): void {
  const { probeId, measuredAtMs: atMs, hundredths, unit } = observation;
  const probe = draft.device.probes.find(({ id }) => id === probeId);
  if (!probe || probe.kind === 'humidity' || atMs <= (draft.probes[probeId]?.lastMs ?? 0)) return;
  advance(draft, atMs - 1); // what arrives at the last moment is in time
  const before = draft.probes[probeId];
  if (hundredths === null) {
    setTrack(draft, probeId, withoutValue(before, atMs));
    resume(draft, probeId, atMs);
    return;
  }
  if (!isTemperature(unit)) return;
  const value = convertHundredths(hundredths, unit, 'C');
  reopen(draft, probeId, atMs, value);
  const running = runningIn(draft);
  const gapMs = running ? atMs - latestMs(running, draft.probes, 'lastMs') : 0;
  const isIdle = !running && !mayReopen(draft, probeId);
  const track = withValue(before, atMs, value, isIdle);
  setTrack(draft, probeId, track);
  const sight: Sight = { probe, atMs, value, before, track };
  if (!running) {
    if (isIdle) watchRise(draft, sight);
    const beganMs = cookBegan(draft, sight);
    if (beganMs === null) return;
    start(draft, sight, beganMs, newId());
  }
  follow(draft, sight, gapMs);
}

function resume(draft: Draft, probeId: number, atMs: number): void {
  for (const session of draft.sessions) {
    if (session.phase !== 'paused' || !hasMember(session, probeId)) continue;
    put(draft, { ...session, phase: 'active' }, 'resumed', atMs);
  }
}

/** Its session lost contact and waits for another probe: its baseline stays as it was. */
function mayReopen({ cook, sessions }: Draft, probeId: number): boolean {
  const session = cook && sessions.find(({ publicId }) => publicId === cook.session);
  return session !== undefined && hasMember(session, probeId);
}

/** Without a pit: what was begun by hand does with any value; food must be warm, or warmer, when it is back. */
function goesOn({ sessionType, endMs }: Session, track: ProbeTrack | undefined, value: number): boolean {
  if (sessionType === 'manual') return true;
  if (track?.value === undefined || (track.validMs ?? 0) > (endMs ?? 0)) return false;
  return value >= FOOD_END || value >= track.value;
}

/** A session that lost contact goes on when its pit is still hot; each pit is asked once. */
function reopen(draft: Draft, probeId: number, atMs: number, value: number): void {
  const { cook, probes } = draft;
  const session = draft.sessions.find(({ publicId }) => publicId === cook?.session);
  if (!cook || !session || session.endMs === null || !hasMember(session, probeId)) return;
  const { [probeId]: heat, ...otherPits } = cook.pits;
  const track = probes[probeId];
  const isPitless = Object.keys(cook.pits).length === 0;
  const isHot = heat && track && !isBelowEndLimit(heat, baselineOf(track), value);
  const isLate = atMs - session.endMs > REOPEN_MS;
  if (!isLate && (isHot || (isPitless && goesOn(session, track, value)))) {
    const phases = { status: 'active', phase: 'active', endMs: null, endReason: null } as const;
    put(draft, { ...session, ...phases, rebuild: true }, 'reopened', atMs);
  } else if (isLate || (heat && Object.keys(otherPits).length === 0)) draft.cook = undefined;
  else if (heat) draft.cook = { ...cook, pits: otherPits };
}

/** One more value in a session: the probe may join or turn out to be a pit, and the pits may have cooled. */
function follow(draft: Draft, sight: Sight, gapMs: number): void {
  const { probe, atMs, value, before, track } = sight;
  join(draft, sight);
  resume(draft, probe.id, atMs);
  const session = runningIn(draft);
  const member = session?.members.find(({ probeId }) => probeId === probe.id);
  if (!session || !member || !isMember(member) || !draft.cook) return;
  const cook = openCook(draft, draft.cook);
  cook.peak = Math.max(cook.peak, value);
  if (value >= FOOD_END && member.role === 'food' && !isPitShown(cook, draft.probes, session.members))
    cook.warmMs = atMs;
  if (member.role === 'pit') {
    const lid = followLid(cook.pits[probe.id]?.lid, { atMs, value, baseline: baselineOf(track) });
    cook.pits[probe.id] = { ...addHeat(cook.pits[probe.id], before, track), lid };
    noteLid(draft, session, { probeId: probe.id, atMs, lid });
  }
  draft.cook = cool(cook, draft.probes, session, { member, atMs, value, gapMs });
  if (session.sessionType === 'auto' && isCooled(draft.cook, atMs)) finish(draft, session, 'cooled', atMs);
}

function join(draft: Draft, { probe, before, track, value, atMs }: Sight): void {
  const { device } = draft;
  const session = runningIn(draft);
  if (!session) return;
  const present = session.members.find(({ probeId }) => probeId === probe.id);
  if (!present) {
    const isAsked = session.sessionType === 'auto' && !session.isEdited && mayJoin(device, probe);
    const isTaken = draft.sessions.some((other) => isOpen(other) && hasMember(other, probe.id));
    if (!isAsked || isTaken || (before && !showsCook(before, value))) return;
    const members = [...session.members, asMember(device, probe, track)];
    put(draft, { ...session, members, rebuild: true }, 'joined', atMs);
  } else if (present.role === 'food' && asMember(device, probe, track).role === 'pit') {
    const change = (other: SessionMember): SessionMember =>
      other === present ? { ...other, role: 'pit' } : other;
    const members = session.members.map(change);
    // The one that began it as food began it as a pit does.
    const isStarter = draft.cook?.startedBy === probe.id && !session.isEdited;
    const startMs = isStarter ? pitBegan(track, atMs) : session.startMs;
    if (startMs <= session.startMs) replace(draft, { ...session, members });
    else replace(draft, { ...session, members, startMs, startedBy: probe.id, rebuild: true });
  }
}
