import type { Observation } from '../readings/observation.js';
import { UNTRUSTED } from '../readings/sample.js';
import { isTemperature } from '../readings/temperature.js';
import type { DeviceWorld } from './detection.js';
import type { ProbeTracks } from './detection-state.js';
import { LOST_MS, latestMs, PAUSED_MS, UNPLUGGED_MS } from './timers.js';
import type { Session } from './types.js';

/** Until when (epoch ms) detection has seen a device: its newest reading, or what timers have told since. */
export function seenUntilMs({ detection: { probes }, sessions }: DeviceWorld): number {
  let untilMs = 0;
  for (const id in probes) untilMs = Math.max(untilMs, probes[id]?.lastMs ?? 0);
  for (const session of sessions) untilMs = Math.max(untilMs, toldAtMs(session, probes));
  return untilMs;
}

/** Whether detection has seen what comes after this in order of time and probe, and not this. */
export function isBehind(
  { detection: { probes } }: DeviceWorld,
  seenMs: number,
  { probeId, measuredAtMs }: Observation,
): boolean {
  if (measuredAtMs !== seenMs) return measuredAtMs < seenMs;
  for (const id in probes) if (Number(id) >= probeId && probes[id]?.lastMs === measuredAtMs) return true;
  return false;
}

function toldAtMs(session: Session, probes: ProbeTracks): number {
  const { phase, endMs, endReason } = session;
  if (phase === 'paused') return latestMs(session, probes, 'lastMs') + PAUSED_MS;
  if (endMs === null) return 0;
  if (endReason === 'lost_contact') return endMs + LOST_MS;
  if (endReason !== 'unplugged') return 0;
  const absentMs = session.members.map(({ probeId }) => probes[probeId]?.absentMs ?? endMs);
  return Math.max(...absentMs, endMs) + UNPLUGGED_MS;
}

/** Whether detection looks at it at all. */
export function isHeeded({ hundredths, unit, flags }: Observation): boolean {
  return (flags & UNTRUSTED) === 0 && (hundredths === null || isTemperature(unit));
}
