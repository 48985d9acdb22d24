import type { AlertRule } from '../alerts/types.js';
import type { Gap, IngestWorld } from '../ingest/types.js';
import type { Observation } from '../readings/observation.js';
import type { Run } from './rehearse.js';
import { ReplayedDevice } from './replayed-device.js';

/** A stretch without readings of a probe, as it is stored. */
export interface KnownGap extends Pick<Gap, 'startMs' | 'endMs'> {
  cause: Gap['cause'] | 'queue';
}

/**
 * What depends on a probe's being there, with timers. Nobody is silent while nobody looks: gaps that are an account's
 * fault or ours run no timers. That nothing was plugged in is stored as a gap only, like a device that nobody heard: the
 * probe was pulled if another one of its device was heard meanwhile; of the only one it may have been either.
 */
export function watchPresence(
  world: IngestWorld,
  { probeId, rule, gaps }: { probeId: number; rule: AlertRule; gaps: readonly KnownGap[] },
): Run {
  const unpolled = gaps.filter(({ cause }) => cause === 'account' || cause === 'service');
  const isLookedAt = (ms: number) => !unpolled.some(({ startMs, endMs }) => ms > startMs && ms < endMs);
  const device = new ReplayedDevice(world, { isLookedAt });
  const offline = gaps.filter(({ cause }) => cause === 'offline').sort((a, b) => a.startMs - b.startMs);
  const mayBePulled = rule.type === 'probe_removed' && world.sessions.device.probes.length === 1;
  let told: KnownGap | undefined;
  const pulled = (gap: KnownGap, reading: Observation, measuredAtMs: number) => {
    if (gap !== told) device.take({ ...reading, probeId, measuredAtMs, hundredths: null });
    told = gap;
  };
  const take = (readings: readonly Observation[]) => {
    for (const reading of readings) {
      const { measuredAtMs: ms } = reading;
      while (offline[0] && offline[0].endMs < ms) offline.shift();
      const [gap] = offline;
      if (gap && reading.probeId !== probeId && ms > gap.startMs && ms < gap.endMs) pulled(gap, reading, ms);
      if (gap && mayBePulled && ms === gap.endMs) pulled(gap, reading, gap.startMs + 1);
      device.take(reading);
    }
  };
  return { take, transitions: device.transitions };
}
