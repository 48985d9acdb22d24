import type { ProbeTracks } from './detection-state.js';
import type { Session } from './types.js';

export const PAUSED_MS = 10 * 60_000;
export const LOST_MS = 2 * 3_600_000;
export const UNPLUGGED_MS = 30 * 60_000;

/** What comes to an open session by time alone, and when. */
export interface Timer {
  step: 'paused' | 'lost_contact' | 'unplugged';
  atMs: number;
}

/** When a member last showed a value (`validMs`) or was heard of at all (`lastMs`); at least the session's start. */
export function latestMs(session: Session, probes: ProbeTracks, which: 'validMs' | 'lastMs'): number {
  let latest = session.startMs;
  for (const { probeId, toMs } of session.members)
    if (toMs === null) latest = Math.max(latest, probes[probeId]?.[which] ?? latest);
  return latest;
}

/** Since when no member has shown a value (members that were never seen aside); null while one does. */
function absentSinceMs({ members, startMs }: Session, probes: ProbeTracks): number | null {
  let sinceMs: number | null = null;
  for (const { probeId, toMs } of members) {
    const track = probes[probeId];
    if (!track || toMs !== null) continue;
    if (track.absentMs === undefined) return null;
    sinceMs = Math.max(sinceMs ?? startMs, track.absentMs);
  }
  return sinceMs;
}

export function timerOf(session: Session, probes: ProbeTracks): Timer {
  const absentMs = absentSinceMs(session, probes);
  if (absentMs !== null) return { step: 'unplugged', atMs: absentMs + UNPLUGGED_MS };
  const silentMs = latestMs(session, probes, 'lastMs');
  return session.phase === 'paused'
    ? { step: 'lost_contact', atMs: silentMs + LOST_MS }
    : { step: 'paused', atMs: silentMs + PAUSED_MS };
}
