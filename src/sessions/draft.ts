import type { EndReason } from '../entities/grilling-session.js';
import type { ProbeRole } from '../readings/sample.js';
import { cookedUntilMs } from './cooling.js';
import type { CookTrack, LidTrack, ProbeTrack } from './detection-state.js';
import { disarmed } from './probe-track.js';
import { isMember, latestMs } from './timers.js';
import type { DeviceFacts, ProbeFacts, Session, SessionEvent } from './types.js';

const SHORTEST_MS = 20 * 60_000;
const LOWEST_PEAK = 4500;

/** A device's world while inputs are worked in: parts of the world that it came from are replaced, never changed. */
export interface Draft {
  readonly device: DeviceFacts;
  probes: Record<string, ProbeTrack>;
  /** `probes` is a copy of its own. */
  ownsProbes: boolean;
  cook: CookTrack | undefined;
  /** `cook`, if it is a copy of its own. */
  ownCook: CookTrack | undefined;
  sessions: Session[];
  readonly events: SessionEvent[];
  /** Left out until it is asked for. */
  watch?: Watch;
}

/** The probes (`probes.id`) whose rise may begin a cook, with what they are for, and those of them that are pits. */
export interface Watch {
  roles: ReadonlyMap<number, ProbeRole>;
  pits: readonly number[];
}

/** A valid value of a probe, in hundredths of a degree Celsius, with the probe before and after it. */
export interface Sight {
  probe: ProbeFacts;
  atMs: number;
  value: number;
  before: ProbeTrack | undefined;
  track: ProbeTrack;
}

export const isOpen = ({ status }: Session): boolean => status === 'active';

/** Now: one that was handed over is not in it any more. */
export const hasMember = ({ members }: Session, id: number): boolean =>
  members.some((member) => member.probeId === id && isMember(member));

/** The session that detection follows: the open one. */
export function runningIn({ sessions, cook }: Draft): Session | undefined {
  let first: Session | undefined;
  for (const session of sessions) {
    if (!isOpen(session)) continue;
    if (session.publicId === cook?.session) return session;
    first ??= session;
  }
  return first;
}

export function replace(draft: Draft, session: Session): void {
  draft.sessions = draft.sessions.map((other) => (other.publicId === session.publicId ? session : other));
}

/** Takes `session` in place of what it was, with the event that says why; returns it. */
export function put(draft: Draft, session: Session, kind: SessionEvent['kind'], atMs: number): Session {
  draft.events.push({ kind, session: session.publicId, atMs });
  replace(draft, session);
  return session;
}

/** Tells that the lid was open, with the value that shows it. */
export function noteLid(
  { events }: Draft,
  { publicId: session }: Session,
  { probeId, atMs, lid: { drop } }: { probeId: number; atMs: number; lid: LidTrack },
): void {
  if (drop?.lidMs === atMs)
    events.push({ kind: 'lid_open', session, atMs, lid: { probeId, fromMs: drop.fromMs } });
}

export function setTrack(draft: Draft, probeId: number, track: ProbeTrack): void {
  if (!draft.ownsProbes) draft.probes = { ...draft.probes };
  draft.ownsProbes = true;
  draft.probes[probeId] = track;
}

/** The cook, to be changed in place. */
export function openCook(draft: Draft, cook: CookTrack): CookTrack {
  if (cook === draft.ownCook) return cook;
  draft.ownCook = { ...cook, pits: { ...cook.pits } };
  return draft.ownCook;
}

export function mapProbes(draft: Draft, change: (track: ProbeTrack) => ProbeTrack): void {
  draft.probes = Object.fromEntries(Object.entries(draft.probes).map(([id, track]) => [id, change(track)]));
  draft.ownsProbes = true;
}

/** A session that ends by itself at `atMs`; the end on record is earlier. Returns it. */
export function finish(draft: Draft, session: Session, reason: EndReason, atMs: number): Session {
  const cook = draft.cook?.session === session.publicId ? draft.cook : undefined;
  const isCooled = cook !== undefined && reason === 'cooled';
  const cookedMs = isCooled ? cookedUntilMs(cook, draft.probes, session) : undefined;
  const endMs = cookedMs ?? latestMs(session, draft.probes, 'validMs');
  const isTooLittle =
    endMs - session.startMs < SHORTEST_MS || (cook !== undefined && cook.peak < LOWEST_PEAK);
  const isNoCook = session.sessionType === 'auto' && !session.isEdited && isTooLittle;
  if (cook) {
    draft.cook = reason === 'lost_contact' ? cook : undefined; // it may reopen
    mapProbes(draft, disarmed);
  }
  const ended: Session = {
    ...session,
    status: isNoCook ? 'cancelled' : 'completed',
    phase: 'ended',
    endReason: reason,
    endMs,
    rebuild: session.rebuild || isCooled, // readings after the recorded end were counted
  };
  return put(draft, ended, isNoCook ? 'cancelled' : 'ended', atMs);
}
