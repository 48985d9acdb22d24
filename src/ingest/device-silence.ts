import {
  type Companion,
  type Company,
  type Heard,
  isToldBeside,
  isWaiting,
  release,
} from '../alerts/inhibition.js';
import type { AlertState } from '../alerts/types.js';
import type { Session } from '../sessions/types.js';
import { gatewayOf } from './gateway.js';
import { isMissed, runningSession } from './missed.js';
import type { AlertInstance, IngestWorld, Input, ProbeState } from './types.js';

/** Where no interval is known. */
const UNKNOWN_INTERVAL_MS = 60_000;
const ON_CHANGE_QUIET_MS = 10 * 60_000;
/** Between two looks at whether a gateway is heard of again. */
const LOOK_MS = 60_000;

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
export function companyOf({ world, probes, alerts, sessions }: Present, probeId: number): Company {
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
  return { heard, others, gateway: gatewayOf(world) };
}

/** One that sends on change is silent for hours: it speaks of its device by being stale, or not. */
function heardOf(world: IngestWorld, probe: ProbeState): Heard {
  const { lastMs, condition } = probe;
  const isThere = lastMs !== null && (condition === 'ok' || condition === 'fault');
  if (world.reportsOnChange) return { lastMs: isThere ? Number.POSITIVE_INFINITY : null, intervalMs: 0 };
  return { lastMs, intervalMs: expectedIntervalMs(world, probe) ?? UNKNOWN_INTERVAL_MS };
}

/**
 * What inhibits an alert may be over elsewhere: its gateway was heard of again, or what told of it is gone. Then it waits
 * one interval before it speaks.
 * @param present its alerts are changed in place
 * @param input the last one: only with a moment enough is known to judge it
 * @returns when to look (again), as long as one is silent and has a gateway, or may have (epoch ms); null: no need to
 */
export function lookAgain(
  present: Present & { alerts: Map<number, AlertInstance[]> },
  input: Input | undefined,
): number | null {
  if (input === undefined) return null;
  if (!('nowMs' in input)) {
    const waits = [...present.alerts.values()].flat().some(({ states }) => states.some(isWaiting));
    return waits ? input.measuredAtMs + LOOK_MS : null;
  }
  const { nowMs } = input;
  let againMs: number | null = null;
  for (const [probeId, instances] of present.alerts) {
    if (!instances.some(({ states }) => states.some(isWaiting))) continue;
    const company = companyOf(present, probeId);
    const untilMs = nowMs + quietMs(present.world, present.probes.get(probeId));
    const next = instances.map(({ rule, states }) => {
      const isOver = (one: AlertState) => isWaiting(one) && !isToldBeside(rule, one, company, nowMs);
      return { rule, states: release(states, untilMs, isOver) };
    });
    present.alerts.set(probeId, next);
    if (company.gateway && next.some(({ states }) => states.some(isWaiting))) againMs = nowMs + LOOK_MS;
  }
  return againMs;
}

/** One that sends when the temperature moves may say nothing for a while, though its gateway is back. */
function quietMs(world: IngestWorld, probe: ProbeState | undefined): number {
  return world.reportsOnChange ? ON_CHANGE_QUIET_MS : waitMs(world, probe);
}

/** How long a silence that was inhibited waits when its device is heard of again. */
export function waitMs(world: IngestWorld, probe: ProbeState | undefined): number {
  return (probe && expectedIntervalMs(world, probe)) ?? UNKNOWN_INTERVAL_MS;
}
