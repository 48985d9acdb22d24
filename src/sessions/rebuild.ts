import type { EntityManager } from 'typeorm';
import { groupBy } from '../group-by.js';
import { loadSpans } from '../readings/reading-store.js';
import { isLong, rebuildLong } from './rebuild-long.js';
import { rebuildRollUps } from './roll-up.js';
import type { Session } from './types.js';

/**
 * Sessions with those whose bounds or members moved computed anew from what is stored. One statement, or none; one a day
 * of each long session.
 */
export async function rebuildSessions(tx: EntityManager, sessions: readonly Session[]): Promise<Session[]> {
  if (!sessions.some(({ rebuild }) => rebuild)) return [...sessions];
  const rebuilt: Session[] = [];
  for (const session of sessions)
    rebuilt.push(session.rebuild && isLong(session) ? await rebuildLong(tx, session) : session);
  return rebuildShort(tx, rebuilt);
}

async function rebuildShort(tx: EntityManager, sessions: readonly Session[]): Promise<Session[]> {
  const stale = sessions.filter((session) => session.rebuild);
  if (stale.length === 0) return [...sessions];
  const spans = stale.flatMap((session) =>
    session.members.map(({ probeId, fromMs, toMs }) => ({
      session,
      probeId,
      fromMs: Math.max(session.startMs, fromMs ?? session.startMs),
      toMs: toMs ?? session.endMs,
    })),
  );
  const rows = await loadSpans(tx, spans);
  const bySession = groupBy(
    spans.map(({ session }, index) => ({ session, rows: rows[index] ?? [] })),
    ({ session }) => session,
  );
  return sessions.map((session) => {
    if (!session.rebuild) return session;
    const readings = bySession.get(session)?.flatMap((span) => span.rows);
    return rebuildRollUps(session, readings ?? []);
  });
}
