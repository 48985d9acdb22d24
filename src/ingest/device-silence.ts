import type { Companion, Heard } from '../alerts/inhibition.js';
import type { Session } from '../sessions/types.js';
import { isMissed, runningSession } from './missed.js';
import type { AlertInstance, IngestWorld, ProbeState } from './types.js';

/** Where no interval is known. */
const UNKNOWN_INTERVAL_MS = 60_000;

/** Where the fold stands. */
interface Present {
  world: IngestWorld;
  probes: ReadonlyMap<number, ProbeState>;
  alerts: ReadonlyMap<number, AlertInstance[]>;
  sessions: readonly Session[];
}

/** Between two readings of a probe; null: none is expected, it sends when the temperature moves. */
export function expectedIntervalMs(world: IngestWorld, probe: ProbeState): number | null {
  const { statedIntervalSeconds, reportsOnChange } = world;
  if (reportsOnChange) return null;
  const seconds = statedIntervalSeconds ?? probe.learnedIntervalSeconds;
  return seconds === null ? null : seconds * 1000;
}

/** What the silence of a probe (`probes.id`) may be part of. */
export function companyOf(
  { world, probes, alerts, sessions }: Present,
  probeId: number,
): { heard: Heard[]; others: Companion[] } {
  const others: Companion[] = [];
  const heard: Heard[] = [];
  for (const { id } of world.sessions.device.probes) {
    const probe = probes.get(id);
    if (!probe) continue;
    heard.push(heardOf(world, probe));
    const running = runningSession(sessions, id);
    const instances = alerts.get(id) ?? [];
    for (const { rule, states } of id === probeId ? [] : instances) {
      if (rule.type !== 'no_data' || states.some(({ isUnknown }) => isUnknown)) continue;
      if (isMissed(world, { probeId: id, rule, running, instances }))
        others.push({ probeId: id, rule, states });
    }
  }
  return { heard, others };
}

/** One that sends on change is silent for hours: it speaks of its device by being stale, or not. */
function heardOf(world: IngestWorld, probe: ProbeState): Heard {
  const { lastMs, condition } = probe;
  const isThere = lastMs !== null && (condition === 'ok' || condition === 'fault');
  if (world.reportsOnChange) return { lastMs: isThere ? Number.POSITIVE_INFINITY : null, intervalMs: 0 };
  return { lastMs, intervalMs: expectedIntervalMs(world, probe) ?? UNKNOWN_INTERVAL_MS };
}

/** How long a silence that was inhibited waits when its device is heard of again. */
export function waitMs(world: IngestWorld, probe: ProbeState | undefined): number {
  return (probe && expectedIntervalMs(world, probe)) ?? UNKNOWN_INTERVAL_MS;
}
