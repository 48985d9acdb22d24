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

/** A device with these of its probes alone, before their first reading; what is known of how often they send stays. */
export function unseenWorld(world: IngestWorld, probeIds: readonly number[]): IngestWorld {
  const { device } = world.sessions;
  const probes = device.probes.filter(({ id }) => probeIds.includes(id));
  const unseen = probes.map(({ id }): [number, ProbeState] => {
    const learnedIntervalSeconds = world.probes.get(id)?.learnedIntervalSeconds ?? null;
    return [id, { ...unseenProbe(id), learnedIntervalSeconds }];
  });
  return {
    ...world,
    sessions: { device: { ...device, probes }, detection: emptyDetection(), sessions: [] },
    probes: new Map(unseen),
    alerts: new Map(),
  };
}
