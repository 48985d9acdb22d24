import type { ProbeTracks } from './detection-state.js';
import type { Session, SessionMember } from './types.js';

export const PAUSED_MS = 10 * 60_000;
export const LOST_MS = 2 * 3_600_000;
export const UNPLUGGED_MS = 30 * 60_000;
/** Nobody cooks for longer; after half of it the owner is asked. */
const TOO_LONG_MS = 72 * 3_600_000;

/** What comes to an open session by time alone, and when. */
export interface Timer {
  step: 'paused' | 'lost_contact' | 'unplugged' | 'too_long';
  atMs: number;
}

/** Still: it was not handed over to another session. */
export const isMember = ({ toMs }: SessionMember): boolean => toMs === null;

/** When a member last showed a value (`validMs`) or was heard of at all (`lastMs`); at least the session's start. */
export function latestMs(session: Session, probes: ProbeTracks, which: 'validMs' | 'lastMs'): number {
  let latest = session.startMs;
  for (const member of session.members) {
    const ms = probes[member.probeId]?.[which];
    if (ms !== undefined && ms > latest && isMember(member)) latest = ms;
  }
  return latest;
}

/** Since when no member has shown a value (members that were never seen aside); null while one does. */
function absentSinceMs({ members, startMs }: Session, probes: ProbeTracks): number | null {
  let sinceMs: number | null = null;
  for (const member of members) {
    const track = probes[member.probeId];
    if (!track || !isMember(member)) continue;
    if (track.absentMs === undefined) return null;
    sinceMs = Math.max(sinceMs ?? startMs, track.absentMs);
  }
  return sinceMs;
}

export function timerOf(session: Session, probes: ProbeTracks): Timer {
  const contact = contactOf(session, probes);
  const longMs = session.startMs + TOO_LONG_MS;
  return longMs < contact.atMs ? { step: 'too_long', atMs: longMs } : contact;
}

function contactOf(session: Session, probes: ProbeTracks): Timer {
  const absentMs = absentSinceMs(session, probes);
  if (absentMs !== null) return { step: 'unplugged', atMs: absentMs + UNPLUGGED_MS };
  const silentMs = latestMs(session, probes, 'lastMs');
  return session.phase === 'paused'
    ? { step: 'lost_contact', atMs: silentMs + LOST_MS }
    : { step: 'paused', atMs: silentMs + PAUSED_MS };
}
