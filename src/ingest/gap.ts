import { FLAG } from '../readings/sample.js';
import type { Gap, IngestWorld, ProbeSight, ProbeState } from './types.js';

/** A device's own clock and the radio make a reading come late; only a whole one missing makes a gap. */
const MISSED = 2.5;

/**
 * The gap that ends with this reading, if more than one reading is missing before it. Whose fault: nobody polled for
 * most of it (`account` where polls failed, else `service`), the polls saw nothing new (`offline`), or the cloud shows
 * fewer readings than were taken (`overwritten`).
 */
export function gapBefore(world: IngestWorld, probe: ProbeState, reading: ProbeSight): Gap | null {
  const { recordingIntervalSeconds, statedIntervalSeconds, reportsOnChange } = world;
  const seconds = recordingIntervalSeconds || statedIntervalSeconds || probe.learnedIntervalSeconds;
  if (reportsOnChange || seconds === null || probe.lastMs === null || reading.flags & FLAG.skewed)
    return null;
  const lengthMs = reading.measuredAtMs - probe.lastMs;
  if (lengthMs <= MISSED * seconds * 1000) return null;
  const { previousPollMs, failedBetween } = reading.poll;
  const unpolled = previousPollMs === null || previousPollMs - probe.lastMs < lengthMs / 2;
  const seen = probe.condition === 'ok' ? 'overwritten' : 'offline';
  const cause = unpolled ? (failedBetween ? 'account' : 'service') : seen;
  return { probeId: probe.id, startMs: probe.lastMs, endMs: reading.measuredAtMs, cause };
}
