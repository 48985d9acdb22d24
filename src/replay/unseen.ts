import type { IngestWorld, ProbeState } from '../ingest/types.js';
import { emptyDetection } from '../sessions/detection-state.js';

/** A probe before its first reading. */
export function unseenProbe(id: number): ProbeState {
  return {
    id,
    lastMs: null,
    lastHundredths: null,
    lastUnit: null,
    condition: 'ok',
    conditionMs: null,
    learnedIntervalSeconds: null,
  };
}

/** A device with one of its probes alone, before its first reading; what is known of how often it sends stays. */
export function unseenWorld(world: IngestWorld, probeId: number): IngestWorld {
  const { device } = world.sessions;
  const probes = device.probes.filter(({ id }) => id === probeId);
  const learnedIntervalSeconds = world.probes.get(probeId)?.learnedIntervalSeconds ?? null;
  return {
    ...world,
    sessions: { device: { ...device, probes }, detection: emptyDetection(), sessions: [] },
    probes: new Map([[probeId, { ...unseenProbe(probeId), learnedIntervalSeconds }]]),
    alerts: new Map(),
  };
}
