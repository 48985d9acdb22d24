import { sharesProbe } from './redetect.js';
import type { Session, SessionMember } from './types.js';

/** Bounds that a person set, or that came from outside: detection neither moves them nor begins anything there. */
export function isFixed({ sessionType, isEdited, endReason }: Session): boolean {
  return (
    sessionType === 'manual' || isEdited === true || endReason === 'manual' || endReason === 'device_gone'
  );
}

/** A stored session of the stretch; one that is deleted, for it was cancelled long ago, is known so that it is not made again. */
export interface StoredSession extends Session {
  isDeleted: boolean;
}

/** What must be stored: new sessions, and stored ones as they are now, all to be rebuilt. */
export interface Reconciled {
  changed: Session[];
  /** By the public id that a session was found under, the one that it is stored under. */
  names: ReadonlyMap<string, string>;
}

/**
 * Stored sessions made to say what was found in the same stretch. Of those that overlap, the ones that overlap most are
 * the same; a stored one that was not found is cancelled. A fixed one stays as it is, and what was found at the same
 * time on a probe of it is not made.
 */
export function reconcile(stored: readonly StoredSession[], found: readonly Session[]): Reconciled {
  const fixed = stored.filter(isFixed);
  const isFree = (one: Session) =>
    !fixed.some((other) => overlapMs(one, other) > 0 && sharesProbe(one, other));
  const free = found.filter(isFree);
  const automatic = stored.filter((one) => !isFixed(one));
  const pairs = paired(automatic, free);
  const names = new Map([...pairs].map(([one, was]) => [one.publicId, was.publicId]));
  const changed = free.flatMap((one) => {
    const was = pairs.get(one);
    if (!was) return [{ ...one, rebuild: true }];
    return was.isDeleted || isSame(one, was) ? [] : [moved(was, one)];
  });
  const matched = new Set(pairs.values());
  const isGone = (one: StoredSession) => !matched.has(one) && !one.isDeleted && one.status !== 'cancelled';
  return { changed: [...changed, ...automatic.filter(isGone).map(cancelled)], names };
}

/** Each found session with the stored one that it is. */
function paired(stored: readonly StoredSession[], found: readonly Session[]): Map<Session, StoredSession> {
  const candidates = found.flatMap((one) =>
    stored.flatMap((was) => {
      const overlap = overlapMs(one, was);
      const isOther = was.isDeleted && one.status !== 'cancelled'; // what came since made a cook of it
      return overlap >= 0 && !isOther
        ? [{ one, was, overlap, isHidden: was.isDeleted || was.status === 'cancelled' }]
        : [];
    }),
  );
  candidates.sort((a, b) => Number(a.isHidden) - Number(b.isHidden) || b.overlap - a.overlap);
  const pairs = new Map<Session, StoredSession>();
  const taken = new Set<StoredSession>();
  for (const { one, was } of candidates) {
    if (pairs.has(one) || taken.has(was)) continue;
    pairs.set(one, was);
    taken.add(was);
  }
  return pairs;
}

/** Negative: so far apart. */
function overlapMs(one: Session, other: Session): number {
  const end = ({ endMs }: Session) => endMs ?? Number.MAX_SAFE_INTEGER;
  return Math.min(end(one), end(other)) - Math.max(one.startMs, other.startMs);
}

function isSame(one: Session, was: Session): boolean {
  const keys = ['startMs', 'endMs', 'endReason', 'status', 'phase'] as const;
  if (keys.some((key) => one[key] !== was[key]) || one.members.length !== was.members.length) return false;
  return one.members.every((member) => was.members.some((other) => isSameMember(member, other)));
}

const isSameMember = (a: SessionMember, b: SessionMember): boolean =>
  a.probeId === b.probeId && a.role === b.role && a.fromMs === b.fromMs && a.toMs === b.toMs;

/** Its readings may have been counted under other bounds. */
function moved({ isDeleted: _, ...was }: StoredSession, one: Session): Session {
  const { status, phase, startMs, endMs, endReason, members } = one;
  return { ...was, status, phase, startMs, endMs, endReason, members, rebuild: true };
}

function cancelled({ isDeleted: _, ...was }: StoredSession): Session {
  const endMs = was.endMs ?? Math.max(was.startMs, was.lastReadingMs ?? was.startMs);
  return { ...was, status: 'cancelled', phase: 'ended', endMs, rebuild: true };
}
