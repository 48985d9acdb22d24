import type { DeviceWorld } from '../sessions/detection.js';
import { withAbsence } from '../sessions/detection-state.js';
import { detectsCooks } from '../sessions/roles.js';
import { isBehind, isHeeded } from '../sessions/seen.js';
import type { Session } from '../sessions/types.js';
import type { IngestWorld, Input, ProbeSight } from './types.js';

/** By time, what detection should have seen before. A device whose cooks are not looked for has none. */
export function lateIn(
  { sessions }: IngestWorld,
  inputs: readonly Input[],
  { seenMs, notBeforeMs }: { seenMs: number; notBeforeMs: number },
): ProbeSight[] {
  const [first] = inputs;
  if (!first || 'nowMs' in first || first.measuredAtMs > seenMs || !detectsCooks(sessions.device)) return [];
  const late: ProbeSight[] = [];
  for (const input of inputs) {
    if (!('probeId' in input) || !isHeeded(input) || !isDetected(input)) continue;
    const { measuredAtMs: ms, probeId, hundredths } = input;
    if (ms < notBeforeMs || !isBehind(sessions, seenMs, input)) continue;
    const probe = sessions.device.probes.find(({ id }) => id === probeId);
    const isKnown = hundredths === null && sessions.detection.absences?.[probeId]?.includes(ms);
    if (probe?.kind === 'temperature' && !isKnown) late.push(input);
  }
  return late;
}

/** Nobody heard of a probe that is stale or offline: that is lost contact, which has timers of its own. */
export function isDetected({ condition }: ProbeSight): boolean {
  return condition !== 'stale' && condition !== 'offline';
}

/** The device with what detection keeps of absences. */
export function withAbsences(world: DeviceWorld, sights: readonly ProbeSight[]): DeviceWorld {
  let { detection } = world;
  for (const { probeId, measuredAtMs, hundredths } of sights)
    if (hundredths === null) detection = withAbsence(detection, probeId, measuredAtMs);
  return detection === world.detection ? world : { ...world, detection };
}

/** The sessions with those that changed in place of what they were, and with those that are new. */
export function replaced(sessions: readonly Session[], changed: readonly Session[]): Session[] {
  const byId = new Map(sessions.map((session) => [session.publicId, session]));
  for (const session of changed) byId.set(session.publicId, session);
  return [...byId.values()];
}
