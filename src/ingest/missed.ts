import { silenceEndsMs } from '../alerts/presence.js';
import { reminderMs } from '../alerts/reminders.js';
import type { AlertRule } from '../alerts/types.js';
import type { ProbeRole } from '../readings/sample.js';
import { hasMember } from '../sessions/draft.js';
import { effectiveRole } from '../sessions/roles.js';
import type { Session } from '../sessions/types.js';
import type { AlertInstance, IngestWorld, ProbeState } from './types.js';

/** In place of a `probes.id`: no probe, but the device. */
export const WHOLE_DEVICE = 0;

/** The session that runs with this probe (`probes.id`) in it; of the whole device: any. */
export function runningSession(sessions: readonly Session[], probeId: number): Session | undefined {
  return sessions.find(
    (session) => session.status === 'active' && (probeId === WHOLE_DEVICE || hasMember(session, probeId)),
  );
}

/** By its role in the session that runs, else by what is known of it. */
export function roleOf(
  { sessions: { device } }: IngestWorld,
  probeId: number,
  running: Session | undefined,
): ProbeRole | undefined {
  const member = running?.members.find((one) => one.probeId === probeId);
  const probe = device.probes.find(({ id }) => id === probeId);
  return member?.role ?? (probe && effectiveRole(device, probe));
}

/** Whether anybody should miss it: a store always, a cook's probe while it goes on, but not pulled after its target was met. */
export function isMissed(
  world: IngestWorld,
  {
    probeId,
    rule,
    running,
    instances,
  }: { probeId: number; rule: AlertRule; running: Session | undefined; instances: readonly AlertInstance[] },
): boolean {
  if (roleOf(world, probeId, running) === 'storage') return true;
  if (!running) return false;
  const targets = instances.filter((one) => one.rule.type === 'target');
  return rule.type === 'no_data' || !targets.some(hasFired);
}

function hasFired({ rule, states }: AlertInstance): boolean {
  return states.some(({ tier, isArmed }) => tier === rule.severity && !isArmed);
}

/** Whoever waits for a probe to get hot means to cook. */
export function meansToCook(alerts: readonly AlertInstance[] = []): boolean {
  return alerts.some(({ rule }) => rule.type === 'target' && rule.direction !== 'down');
}

/**
 * When a probe was heard of last (epoch ms); null: never, or it need not be. One that sends when the temperature moves
 * is silent for hours: only its gateway's word that it is stale means something.
 */
export function heardMs({ reportsOnChange }: IngestWorld, probe: ProbeState | undefined): number | null {
  if (!probe || (reportsOnChange && probe.condition !== 'stale')) return null;
  return probe.lastMs;
}

/** When time alone makes an alert of this device news (epoch ms): silence, or what has to be told again. Null: never. */
export function alertsDueMs(world: IngestWorld): number | null {
  let dueMs = world.lookMs ?? null;
  const take = (ms: number | null) => {
    if (ms !== null) dueMs = Math.min(dueMs ?? ms, ms);
  };
  const probes = world.sessions.device.probes.map(({ id }) => id);
  for (const probeId of [WHOLE_DEVICE, ...probes]) {
    const instances = world.alerts.get(probeId) ?? [];
    const lastMs = heardMs(world, world.probes.get(probeId));
    for (const { rule, states } of instances) {
      for (const state of states) take(reminderMs(rule, state, states));
      const endsMs = silenceEndsMs(rule, states, lastMs);
      if (endsMs === null) continue;
      const running = runningSession(world.sessions.sessions, probeId);
      if (isMissed(world, { probeId, rule, running, instances })) take(endsMs);
    }
  }
  return dueMs;
}
