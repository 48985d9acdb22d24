import type { EntityManager } from 'typeorm';
import { seenUntilMs } from '../sessions/redetect.js';
import { redetect } from '../sessions/redetect-store.js';
import { lateIn, replaced, withAbsences } from './late-inputs.js';
import type { IngestWorld, Input } from './types.js';

/** What came later than this moves no session by itself: it would mean running through too much of the past. */
const LATEST_MS = 7 * 24 * 3_600_000;

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
): Promise<Map<number, IngestWorld>> {
  let current = worlds;
  for (const [device, world] of worlds) {
    const seenMs = seenUntilMs(world.sessions);
    const late = lateIn(world, inputs.get(device) ?? [], { seenMs, notBeforeMs: seenMs - LATEST_MS });
    const [first, last] = [late[0], late.at(-1)];
    if (!first || !last) continue;
    const known = withAbsences(world.sessions, late);
    const stretch = { fromMs: first.measuredAtMs, toMs: last.measuredAtMs, seenMs };
    const { changed, detection } = await redetect(tx, known, stretch, newId);
    if (current === worlds) current = new Map(worlds);
    const next = {
      ...known,
      sessions: replaced(known.sessions, changed),
      detection: detection ?? known.detection,
    };
    current.set(device, { ...world, sessions: next });
  }
  return current;
}
