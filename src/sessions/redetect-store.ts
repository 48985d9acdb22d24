import type { EntityManager } from 'typeorm';
import type { Observation } from '../readings/observation.js';
import { loadLast } from '../readings/reading-store.js';
import { stretches } from '../readings/stretches.js';
import type { DeviceWorld } from './detection.js';
import { type DetectionState, emptyDetection } from './detection-state.js';
import { saveNames } from './name-store.js';
import { rebuildSessions } from './rebuild.js';
import { isFixed, reconcile, type StoredSession } from './reconcile.js';
import { REST_MS, Redetection } from './redetect.js';
import { mayJoin } from './roles.js';
import { loadPastSessions, saveSessions } from './session-store.js';
import type { DeviceFacts, Session, SessionEvent } from './types.js';

const DAY_MS = 24 * 3_600_000;
/** A session that is over on record may have been watched for so long after. */
const TAIL_MS = 12 * 3_600_000;
/** No further back it is looked for a time when the device was at rest. */
const MOST_BACK_MS = 8 * DAY_MS;

/** A stretch of a device's past, in epoch ms. */
export interface Stretch {
  /** The first and the last reading in it that detection has not seen. */
  fromMs: number;
  toMs: number;
  /** Until when detection is to have seen the device: stored readings after it are left to the fold. */
  seenMs: number;
}

/** What the stored readings of a stretch give. */
export interface Redetected {
  /** Sessions to be rebuilt and stored. */
  changed: Session[];
  /** How far it ran: nothing up to then has to be looked at again for the stretch's sake. */
  untilMs: number;
  /** Those of them that are stored, as they were. */
  before: Session[];
  /** What detection goes on from; null: the present does not depend on the stretch. */
  detection: DetectionState | null;
  /** Lids that were open, in sessions by their public ids. */
  lids: SessionEvent[];
}

/**
 * Runs detection over the stored readings of a device, under its lock, from when it was at rest before `fromMs` until it
 * is at rest after `toMs` or the present is reached, and says what of its automatic sessions is different.
 */
export async function redetect(
  tx: EntityManager,
  world: DeviceWorld,
  stretch: Stretch,
  newId: () => string,
): Promise<Redetected> {
  const limitMs = stretch.fromMs - MOST_BACK_MS;
  const stored = await loadPastSessions(tx, world.device, limitMs - DAY_MS);
  for (let startMs = stretch.fromMs - REST_MS; ; startMs -= DAY_MS) {
    startMs = quietBefore(stored, startMs);
    const isLast = startMs <= limitMs;
    const run = await runFrom(
      tx,
      { ...world, device: asThen(world.device, stored) },
      { ...stretch, startMs, stored, isLast, newId },
    );
    if (!run) continue;
    const { sessions, detection, lids, untilMs, isAtRest } = run;
    const theirs = stored.filter((one) => (one.endMs ?? untilMs) >= startMs && one.startMs <= untilMs);
    const { changed, names } = reconcile(theirs, sessions);
    const nameOf = (publicId: string) => names.get(publicId) ?? publicId;
    const cook = detection.cook && { ...detection.cook, session: nameOf(detection.cook.session) };
    const moved = new Set(changed.map(({ publicId }) => publicId));
    return {
      changed,
      untilMs,
      before: theirs.filter(({ publicId }) => moved.has(publicId)),
      detection: isAtRest ? null : { ...world.detection, probes: detection.probes, cook },
      lids: lids.map((event) => ({ ...event, session: nameOf(event.session) })),
    };
  }
}

/** A probe that was put into a store since stays what it was in the cooks that it took part in. */
function asThen(device: DeviceFacts, stored: readonly StoredSession[]): DeviceFacts {
  const cooks = stored.filter((one) => !isFixed(one) && one.status !== 'cancelled');
  const members = cooks.flatMap((one) => one.members);
  const roles = new Map(members.map(({ probeId, role }) => [probeId, role]));
  const probes = device.probes.map((probe) =>
    mayJoin(device, probe) ? probe : { ...probe, role: roles.get(probe.id) ?? probe.role },
  );
  return { ...device, probes };
}

/**
 * Stores what was found, with figures and names, one session after the other so that the readings of one are in memory.
 * @param others stored sessions whose figures are to be made anew
 * @returns the row id of each public id
 */
export async function saveRedetected(
  tx: EntityManager,
  device: DeviceFacts,
  { changed, before }: Redetected,
  others: readonly Session[] = [],
): Promise<Map<string, number>> {
  // Those that are over first: one at most may run.
  const inOrder = [...changed, ...others].sort((a, b) => Number(a.endMs === null) - Number(b.endMs === null));
  const known = new Map([...before, ...others].map((session) => [session.publicId, session]));
  const ids = new Map<string, number>();
  for (const session of inOrder) {
    const rebuilt = await rebuildSessions(tx, [{ ...session, rebuild: true }]);
    for (const [publicId, id] of await saveSessions(tx, rebuilt)) ids.set(publicId, id);
    const was = known.get(session.publicId);
    await saveNames(tx, rebuilt, was ? [was] : [], () => device);
  }
  return ids;
}

/** The last time, `startMs` at most, from which on no session was watched until a device can be at rest. */
function quietBefore(stored: readonly StoredSession[], startMs: number): number {
  let quietMs = startMs;
  for (const one of stored.toSorted((a, b) => b.startMs - a.startMs)) {
    const isBefore = one.endMs !== null && one.endMs + TAIL_MS < quietMs;
    if (!isBefore && one.startMs <= quietMs + REST_MS) quietMs = one.startMs - 1 - REST_MS;
  }
  return quietMs;
}

interface Run extends Stretch {
  startMs: number;
  stored: readonly StoredSession[];
  /** No earlier start is tried. */
  isLast: boolean;
  newId: () => string;
}

/** @returns null if it began at a time when the device was not at rest */
async function runFrom(tx: EntityManager, { device, detection }: DeviceWorld, stretch: Run) {
  const { startMs, toMs, seenMs, stored, isLast, newId } = stretch;
  const probes = device.probes.flatMap(({ id, kind }) => (kind === 'temperature' ? [id] : []));
  const run = new Redetection({
    world: { device, detection: emptyDetection(), sessions: [] },
    fromMs: startMs,
    past: (await loadLast(tx, probes, startMs)).map((reading) => ({
      ...reading,
      isOver: isOver(stored, reading.measuredAtMs, startMs),
    })),
    fixed: stored.filter((one) => isFixed(one) && !one.isDeleted && (one.endMs ?? seenMs) >= startMs),
    absences: detection.absences ?? {},
    newId,
  });
  if (run.isDoubtful && !isLast) return null;
  for await (const readings of stretches(tx, probes, { fromMs: startMs, toMs: seenMs })) {
    const isRest = (ms: number) => ms > toMs && isQuiet(stored, ms) && run.isAtRest(ms, stretch);
    const restMs = takeAll(run, readings, isRest);
    if (run.isDoubtful && !isLast) return null;
    if (restMs !== null) return { ...run.end(restMs), untilMs: restMs, isAtRest: true };
  }
  return { ...run.end(seenMs), untilMs: seenMs, isAtRest: false };
}

/** @returns when the device was at rest; the readings after it are not taken */
function takeAll(
  run: Redetection,
  readings: readonly Observation[],
  isRest: (ms: number) => boolean,
): number | null {
  for (const reading of readings) {
    if (isRest(reading.measuredAtMs)) return reading.measuredAtMs - 1;
    run.take(reading);
  }
  return null;
}

/** Whether a cook that a probe was in at `atMs`, when it was heard of last, was over by `fromMs`. */
function isOver(stored: readonly StoredSession[], atMs: number, fromMs: number): boolean {
  const isIn = ({ startMs, endMs }: Session) => startMs <= atMs && endMs !== null && atMs <= endMs + TAIL_MS;
  return atMs < fromMs - TAIL_MS || stored.some(isIn);
}

/** Whether what is stored agrees that no session was watched for so long. */
function isQuiet(stored: readonly StoredSession[], atMs: number): boolean {
  const fromMs = atMs - REST_MS - TAIL_MS;
  return stored.every(({ startMs, endMs }) => startMs > atMs || (endMs !== null && endMs < fromMs));
}
