import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { insertEvents, saveStates } from '../alerts/alert-store.js';
import { markLate } from '../buckets/bucket-store.js';
import { sqlStateOf } from '../errors.js';
import type { ReadingsJob } from '../queues/jobs.js';
import { copyReadings } from '../readings/copy-readings.js';
import {
  countConflicts,
  ensurePartitions,
  insertNewReadings,
  type NewReading,
} from '../readings/reading-store.js';
import type { Unit } from '../readings/sample.js';
import { saveNames } from '../sessions/name-store.js';
import { rebuildSessions } from '../sessions/rebuild.js';
import { saveSessions, saveTags } from '../sessions/session-store.js';
import type { Session, SessionEvent } from '../sessions/types.js';
import { fold } from './fold.js';
import { inTurn, noteTold } from './gateway.js';
import { findGateways, loadGateways } from './gateway-store.js';
import {
  areAllNew,
  type Batch,
  type DeviceMoment,
  gather,
  inputsByDevice,
  keyOf,
  toReadings,
} from './gather.js';
import { recordLate } from './late.js';
import { type LookedBack, NOTHING_PAST, redetectLate, tagOf } from './late-sessions.js';
import { alertsDueMs } from './missed.js';
import { markStuck } from './stuck.js';
import type { AlertInstance, FoldResult, IngestWorld } from './types.js';
import { loadWorlds, lockDevices, saveDetections, saveProbes } from './world-store.js';

/** What one transaction did. What must follow it outside the database is `notificationIds`. */
export interface IngestOutcome {
  /** What was new, as stored. */
  stored: NewReading[];
  /** Samples whose key was there already, with another value: the first is kept. */
  conflicts: number;
  /** Samples of probes that are gone. */
  unknownProbe: number;
  notificationIds: string[];
  transitions: {
    alertId: number;
    type: string;
    kind: string;
    value: number | null;
    unit: Unit | null;
    measuredAtMs: number;
  }[];
  sessionEvents: SessionEvent[];
}

export type Ingest = (
  jobs: readonly ReadingsJob[],
  moments?: readonly DeviceMoment[],
) => Promise<IngestOutcome>;

/** What late readings change beside the roll-ups of the sessions that they lie in, and what is known of them. */
export interface LateRules {
  /** The caller holds their devices, and none of them is stored. */
  areNew?: boolean;
  /** What their alerts would have fired. */
  alerts: boolean;
  /** Where automatic sessions begin and end. */
  sessions: boolean;
}

/**
 * Stores the readings of many jobs and everything that follows from them, in one transaction, with a number of
 * statements that does not depend on how many readings there are, but for some more for each device whose sessions late
 * ones may move. Running it again changes nothing.
 * @param dataSource with a transaction's manager, each run is part of that transaction
 */
export function createIngest({
  dataSource,
  late = { alerts: true, sessions: true },
}: {
  dataSource: Pick<DataSource, 'manager'>;
  late?: LateRules;
}): Ingest {
  const days = new Set<number>();
  return async (jobs, moments = []) => {
    const batch = gather(jobs, moments);
    await makePartitions(dataSource.manager, batch, days);
    const commit = (isCareful: boolean) =>
      dataSource.manager.transaction((tx) => work(tx, batch, { isCareful, newId: uuidv7, late }));
    return commit(false).catch((error: unknown) => {
      if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
      return commit(true);
    });
  };
}

const UNIQUE_VIOLATION = '23505';

async function work(
  tx: EntityManager,
  batch: Batch,
  { isCareful, newId, late }: { isCareful: boolean; newId: () => string; late: LateRules },
): Promise<IngestOutcome> {
  // Only timers find that nothing was heard.
  const gatewayRows = await findGateways(tx, [...batch.moments.keys()]);
  await lockDevices(tx, [...batch.deviceRows, ...gatewayRows.values()]);
  const loaded = await loadWorlds(tx, batch.deviceRows, batch.fromMs);
  const gateways = await loadGateways(tx, gatewayRows);
  const worlds = markStuck(batch, loaded);
  const { readings, unknownProbe } = toReadings(batch, worlds);
  const { fresh, stored, conflicts } =
    !isCareful && (late.areNew || areAllNew(batch, readings))
      ? await insertAll(tx, readings)
      : await insertFresh(tx, readings);
  const inputs = inputsByDevice(batch, fresh);
  const past = late.sessions ? await redetectLate(tx, worlds, inputs, newId) : { worlds, ...NOTHING_PAST };
  const folded = inTurn(past.worlds, gateways).map(([device, before]) => {
    const after = fold(before, inputs.get(device) ?? [], newId);
    noteTold(before, after.transitions);
    return { before: loaded.get(device) ?? before, ...after };
  });
  const notificationIds = await store(tx, folded, batch.moments, past);
  await markLate(tx, stored);
  if (late.alerts)
    await recordLate(
      tx,
      folded.map(({ world }) => world),
      stored,
    );
  return {
    stored,
    conflicts: batch.conflicts + conflicts,
    unknownProbe,
    notificationIds,
    transitions: folded.flatMap(named),
    sessionEvents: folded.flatMap(({ sessionEvents }) => sessionEvents),
  };
}

async function insertAll(tx: EntityManager, readings: NewReading[]) {
  await copyReadings(tx, readings);
  return { fresh: 'all' as const, stored: readings, conflicts: 0 };
}

async function insertFresh(tx: EntityManager, readings: NewReading[]) {
  const fresh = await insertNewReadings(tx, readings);
  const repeated = readings.filter((reading) => !fresh.has(keyOf(reading)));
  const stored = readings.filter((reading) => fresh.has(keyOf(reading)));
  return { fresh, stored, conflicts: await countConflicts(tx, repeated) };
}

const DAY_MS = 24 * 3_600_000;

type Folded = FoldResult & { before: IngestWorld };

/**
 * Partitions of days that this process has seen of late are not asked for again. Before the transaction: its end must not undo them, or
 * the next readings of that month would go to the default partition.
 */
async function makePartitions(db: EntityManager, { samples }: Batch, seen: Set<number>): Promise<void> {
  const needed = new Set<number>();
  for (const byTime of samples.values()) {
    for (const ms of byTime.keys()) {
      const day = Math.floor(ms / DAY_MS);
      if (!seen.has(day)) needed.add(day);
    }
  }
  if (needed.size === 0) return;
  const stretches = [...needed].map((day) => ({ fromMs: day * DAY_MS, toMs: day * DAY_MS }));
  await ensurePartitions(db, stretches);
  // Older ones may be dropped while this process runs.
  const yesterday = Math.floor(Date.now() / DAY_MS) - 1;
  for (const day of needed) if (day >= yesterday) seen.add(day);
}

/** One statement per table, for what changed. */
async function store(
  tx: EntityManager,
  folded: readonly Folded[],
  moved: ReadonlyMap<number, number>,
  past: Pick<LookedBack, 'lids' | 'before'>,
): Promise<string[]> {
  const sessions = await rebuildSessions(tx, folded.flatMap(changedSessions));
  const before = past.before.concat(folded.flatMap((device) => device.before.sessions.sessions));
  const ids = await saveSessions(tx, sessions, before);
  await saveNames(tx, sessions, before, ({ deviceId, userId }) =>
    folded
      .map(({ world }) => world.sessions.device)
      .find((device) => device.deviceId === deviceId && device.userId === userId),
  );
  await saveProbes(
    tx,
    folded.flatMap(changedProbes),
    folded.flatMap(({ gaps }) => gaps),
  );
  await saveDetections(
    tx,
    folded
      .filter(
        ({ before, world }) =>
          before.sessions !== world.sessions ||
          moved.has(world.sessions.device.id) ||
          alertsDueMs(world) !== null,
      )
      .map(({ world }) => world),
  );
  await saveStates(tx, folded.flatMap(changedStates));
  const known = new Map(before.map(({ publicId, id }) => [publicId, id]));
  const rowOf = (session: string) => ids.get(session) ?? known.get(session) ?? null;
  await saveTags(
    tx,
    past.lids
      .concat(folded.flatMap((device) => device.sessionEvents))
      .flatMap((event) => tagOf(event, rowOf(event.session))),
  );
  const notifications = await insertEvents(
    tx,
    folded.flatMap(({ transitions }) =>
      transitions.map(({ session, ...transition }) => ({
        ...transition,
        publicId: uuidv7(),
        sessionId: session === null ? null : rowOf(session),
        detectedLate: false,
      })),
    ),
  );
  return notifications.map(({ id }) => id);
}

function changedSessions({ before, world }: Folded): Session[] {
  const same = new Set(before.sessions.sessions);
  return world.sessions.sessions.filter((session) => !same.has(session));
}

function changedProbes({ before, world }: Folded) {
  return [...world.probes.values()].filter((probe) => before.probes.get(probe.id) !== probe);
}

function changedStates({ before, world }: Folded) {
  return [...world.alerts].flatMap(([probeId, instances]) => {
    const known = before.alerts.get(probeId) ?? [];
    if (instances === known) return [];
    return instances.flatMap(({ states }, index) => {
      const same = known[index]?.states ?? [];
      return states === same ? [] : states.filter((state) => !same.includes(state));
    });
  });
}

function named({ transitions, world }: Folded): IngestOutcome['transitions'] {
  const rules = new Map(
    [...world.alerts.values()].flat().map(({ rule }: AlertInstance) => [rule.id, rule.type]),
  );
  return transitions.map(({ alertId, kind, value, unit, measuredAtMs }) => ({
    alertId,
    type: rules.get(alertId) ?? 'unknown',
    kind,
    value,
    unit,
    measuredAtMs,
  }));
}
