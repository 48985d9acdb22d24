import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type Redetected, redetect, saveRedetected } from '../sessions/redetect-store.js';
import { detectsCooks } from '../sessions/roles.js';
import { seenUntilMs } from '../sessions/seen.js';
import { loadPastSessions, saveTags } from '../sessions/session-store.js';
import type { Session, SessionEvent } from '../sessions/types.js';
import { lateIn, replaced, withAbsences } from './late-inputs.js';
import type { IngestWorld, Input } from './types.js';
import { loadWorlds, lockDevices, saveDetections } from './world-store.js';

/** What came later than this moves no session by itself: it would mean running through too much of the past. */
const LATEST_MS = 7 * 24 * 3_600_000;

/** Worlds after a look back, and the lids that were open then, in sessions by their public ids. */
export interface LookedBack {
  worlds: Map<number, IngestWorld>;
  lids: SessionEvent[];
  /** The stored sessions that changed, as they were. */
  before: Session[];
}

export const NOTHING_PAST: Pick<LookedBack, 'lids' | 'before'> = { lids: [], before: [] };

/**
 * The worlds with automatic sessions and detection as the stored rows in order of time give them, where a batch brought
 * something older than what detection has seen (domain-rules.md, Readings 10). One run for each such device.
 * @param inputs of each device, stored already
 * @returns `worlds` itself if there is none
 */
export async function redetectLate(
  tx: EntityManager,
  worlds: Map<number, IngestWorld>,
  inputs: ReadonlyMap<number, Input[]>,
  newId: () => string,
): Promise<LookedBack> {
  let current = worlds;
  const lids: SessionEvent[] = [];
  const before: Session[] = [];
  for (const [device, world] of worlds) {
    const seenMs = seenUntilMs(world.sessions);
    const late = lateIn(world, inputs.get(device) ?? [], { seenMs, notBeforeMs: seenMs - LATEST_MS });
    const [first, last] = [late[0], late.at(-1)];
    if (!first || !last) continue;
    const known = withAbsences(world.sessions, late);
    const stretch = { fromMs: first.measuredAtMs, toMs: last.measuredAtMs, seenMs };
    const { changed, detection, ...found } = await redetect(tx, known, stretch, newId);
    lids.push(...found.lids);
    before.push(...found.before);
    if (current === worlds) current = new Map(worlds);
    const next = {
      ...known,
      sessions: replaced(known.sessions, changed),
      detection: detection ?? known.detection,
    };
    current.set(device, { ...world, sessions: next });
  }
  return { worlds: current, lids, before };
}

/**
 * After readings of a stretch were stored without the fold (`devices.id`; both ends, epoch ms): what automatic sessions
 * they give, and the figures of all sessions that they count in. Nobody is told. It locks the device; however long the
 * stretch, one day of readings and those of one session are in memory.
 * @param nowMs the cloud's clock, where timers are to run until then; else until the newest reading
 * @returns how many sessions began, moved or went, and until when all are what the stored readings give
 */
export async function redetectStored(
  tx: EntityManager,
  { device, fromMs, toMs, nowMs = toMs }: { device: number; fromMs: number; toMs: number; nowMs?: number },
): Promise<{ changed: number; untilMs: number }> {
  await lockDevices(tx, [device]);
  const world = (await loadWorlds(tx, [device], fromMs)).get(device);
  if (!world) return { changed: 0, untilMs: toMs };
  const { sessions } = world;
  const stretch = { fromMs, toMs, seenMs: Math.max(seenUntilMs(sessions), toMs, nowMs) };
  const none: Redetected = { changed: [], before: [], untilMs: toMs, detection: null, lids: [] };
  const found = detectsCooks(sessions.device) ? await redetect(tx, sessions, stretch, uuidv7) : none;
  const { changed, untilMs, detection, lids } = found;
  const moved = new Set(changed.map(({ publicId }) => publicId));
  const stored = await loadPastSessions(tx, sessions.device, fromMs);
  const others = stored.filter(
    ({ publicId, startMs, isDeleted }) => !isDeleted && startMs <= untilMs && !moved.has(publicId),
  );
  const ids = await saveRedetected(tx, sessions.device, found, others);
  await saveTags(
    tx,
    lids.flatMap((event) => tagOf(event, ids.get(event.session) ?? null)),
  );
  const after = { ...sessions, sessions: replaced(sessions.sessions, changed) };
  if (detection) await saveDetections(tx, [{ ...world, sessions: { ...after, detection } }]);
  return { changed: changed.length, untilMs };
}

/** An open lid as a tag of a stored session. */
export function tagOf({ lid, atMs }: SessionEvent, sessionId: number | null) {
  return lid && sessionId !== null ? [{ ...lid, sessionId, toMs: atMs }] : [];
}
