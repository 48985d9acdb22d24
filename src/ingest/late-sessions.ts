import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { DeviceWorld } from '../sessions/detection.js';
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

/**
 * At so many devices of a batch it is looked back at once; if it brings late readings of more, all of them wait for their
 * timers, which take one after the other. A look back takes a good part of a second, and others wait for the batch's locks:
 * two workers that drain a backlog bring late readings of every device with every batch.
 */
const MOST_AT_ONCE = 4;

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
  const behind = [...worlds].flatMap(([device, world]) => behindIn(device, world, inputs.get(device) ?? []));
  if (behind.length === 0) return { worlds, ...NOTHING_PAST };
  const current = new Map(worlds);
  const lids: SessionEvent[] = [];
  const before: Session[] = [];
  for (const { device, world, known, fromMs, toMs, seenMs } of behind) {
    let next: DeviceWorld = { ...known, detection: { ...known.detection, lookBack: [fromMs, toMs] } };
    if (behind.length <= MOST_AT_ONCE) {
      const stretch = { fromMs, toMs, seenMs };
      // While it waited, its last probe may have become a store.
      const { changed, detection, ...found } = detectsCooks(known.device)
        ? await redetect(tx, known, stretch, newId)
        : noneIn(stretch);
      lids.push(...found.lids);
      before.push(...found.before);
      next = {
        ...known,
        sessions: replaced(known.sessions, changed),
        detection: { ...(detection ?? known.detection), lookBack: undefined },
      };
    }
    current.set(device, { ...world, sessions: next });
  }
  return { worlds: current, lids, before };
}

const noneIn = ({ toMs }: { toMs: number }): Redetected => ({
  changed: [],
  before: [],
  untilMs: toMs,
  detection: null,
  lids: [],
});

interface Behind {
  device: number;
  world: IngestWorld;
  /** With the absences that came late. */
  known: DeviceWorld;
  fromMs: number;
  toMs: number;
  seenMs: number;
}

/** A device of which the batch brings something late; with a moment of its timers, also what waited for those. */
function behindIn(device: number, world: IngestWorld, inputs: readonly Input[]): Behind[] {
  const { sessions } = world;
  const { lookBack } = sessions.detection;
  const seenMs = seenUntilMs(sessions);
  const late = lateIn(world, inputs, { seenMs, notBeforeMs: seenMs - LATEST_MS });
  const hasMoment = inputs.some((input) => 'nowMs' in input);
  const isDue = late.length > 0 || (lookBack !== undefined && hasMoment);
  if (!isDue) return [];
  const fromMs = Math.min(late[0]?.measuredAtMs ?? seenMs, lookBack?.[0] ?? seenMs);
  const toMs = Math.max(late.at(-1)?.measuredAtMs ?? fromMs, lookBack?.[1] ?? fromMs);
  return [{ device, world, known: withAbsences(sessions, late), fromMs, toMs, seenMs }];
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
  const found = detectsCooks(sessions.device)
    ? await redetect(tx, sessions, stretch, uuidv7)
    : noneIn(stretch);
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
