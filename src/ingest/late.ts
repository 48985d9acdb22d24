import type { EntityManager } from 'typeorm';
import { hasPast, type LateProbe, marginOf, PIECE, replayLate } from '../alerts/late.js';
import { loadPasts, saveLate } from '../alerts/late-store.js';
import type { LateChange } from '../alerts/past.js';
import type { AlertRule } from '../alerts/types.js';
import { groupBy } from '../group-by.js';
import { loadFollowing, type NewReading } from '../readings/reading-store.js';
import { FLAG, UNTRUSTED } from '../readings/sample.js';
import { baselineOf } from '../sessions/probe-track.js';
import type { Session } from '../sessions/types.js';
import { expectedIntervalMs } from './device-silence.js';
import type { IngestWorld } from './types.js';

/** Probes of which readings are loaded together. */
const AT_ONCE = 100;

/** A probe that got late readings, with the alerts that have a past. */
interface Watched {
  probeId: number;
  rules: AlertRule[];
  /** Of the late readings, ascending. */
  times: number[];
  probe: LateProbe;
}

/**
 * Records what late readings add to the past of alerts; nobody is told. Nothing is asked where none is late on a probe
 * with such an alert; else two statements, one more where something changes, and one for each further part of a
 * back-fill.
 * @param worlds after the fold, with its live events stored
 * @param stored the readings that were new
 */
export async function recordLate(
  tx: EntityManager,
  worlds: readonly IngestWorld[],
  stored: readonly NewReading[],
): Promise<void> {
  const watched = watchedIn(worlds, stored);
  if (watched.length === 0) return;
  const sinceMs = Math.min(
    ...watched.flatMap(({ times: [firstMs = 0], rules, probe }) =>
      rules.map((rule) => firstMs - marginOf(rule, probe)),
    ),
  );
  const ids = watched.flatMap(({ rules }) => rules.map(({ id }) => id));
  const pasts = await loadPasts(tx, ids, sinceMs);
  const changes: (LateChange & { probeId: number })[] = [];
  for (let from = 0; from < watched.length; from += AT_ONCE) {
    const runs = watched.slice(from, from + AT_ONCE).map(({ probeId, rules, times, probe }) => {
      const alerts = rules.map((rule) => ({
        rule,
        ...(pasts.get(rule.id) ?? { judgedAfterMs: 0, recorded: [] }),
      }));
      return { probeId, run: replayLate(alerts, times, probe) };
    });
    for (const change of await runAll(tx, runs)) changes.push(change);
  }
  await saveLate(tx, changes);
}

function watchedIn(worlds: readonly IngestWorld[], stored: readonly NewReading[]): Watched[] {
  const late = groupBy(
    stored.filter(({ flags }) => flags & FLAG.late && !(flags & UNTRUSTED)),
    ({ probeId }) => probeId,
  );
  if (late.size === 0) return [];
  return worlds.flatMap((world) =>
    [...world.alerts].flatMap(([probeId, instances]): Watched[] => {
      const readings = late.get(probeId);
      if (!readings) return [];
      const rules = instances.map(({ rule }) => rule).filter(hasPast);
      const times = readings.map(({ measuredAtMs }) => measuredAtMs).sort((a, b) => a - b);
      return rules.length === 0 ? [] : [{ probeId, rules, times, probe: lateProbe(world, probeId) }];
    }),
  );
}

/** Side by side, so that what they ask for is loaded together. */
async function runAll(
  tx: EntityManager,
  runs: readonly { probeId: number; run: ReturnType<typeof replayLate> }[],
): Promise<(LateChange & { probeId: number })[]> {
  const changes: (LateChange & { probeId: number })[] = [];
  for (let open = runs.map((one) => ({ ...one, asked: one.run.next() })); open.length > 0; ) {
    const asking = open.flatMap(({ probeId, run, asked }) => {
      if (!asked.done) return [{ probeId, run, fromMs: asked.value }];
      for (const change of asked.value) changes.push({ ...change, probeId });
      return [];
    });
    const pieces = asking.length > 0 ? await loadFollowing(tx, asking, PIECE) : [];
    open = asking.map(({ probeId, run }, index) => ({ probeId, run, asked: run.next(pieces[index] ?? []) }));
  }
  return changes;
}

/** @param sessions all that it may have been in */
export function lateProbe(
  world: IngestWorld,
  probeId: number,
  sessions: readonly Session[] = world.sessions.sessions,
): LateProbe {
  const probe = world.probes.get(probeId);
  const track = world.sessions.detection.probes[probeId];
  const pits = sessions.filter(({ members }) =>
    members.some((one) => one.probeId === probeId && one.role === 'pit'),
  );
  const isCook =
    (ms: number) =>
    ({ startMs, endMs }: Session) =>
      startMs <= ms && (endMs === null || ms <= endMs);
  return {
    expectedIntervalMs: probe ? expectedIntervalMs(world, probe) : null,
    baselineAt: (ms) => (track && pits.some(isCook(ms)) ? baselineOf(track) : null),
  };
}
