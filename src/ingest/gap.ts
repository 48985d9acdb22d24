import { FLAG } from '../readings/sample.js';
import type { Gap, IngestWorld, ProbeSight, ProbeState } from './types.js';

/** A device's own clock and the radio make a reading come late; only a whole one missing makes a gap. */
const MISSED = 2.5;
/** Longer than between two polls, whatever the account does: only an outage keeps the cloud unwatched so long. */
const UNWATCHED_MS = 20 * 60_000;

/** How far apart two readings may be, where so many seconds are usual, without a gap between them. */
export const gapless = (seconds: number): number => MISSED * seconds * 1000;

/**
 * The gap that ends with this reading, if more than one reading is missing before it. A probe that sends on change may
 * say nothing for hours: it has one only where nobody would have seen it speak. Whose fault: nobody polled for
 * most of it (`account` where polls failed, else `service`), the polls saw nothing new (`offline`), or the cloud shows
 * fewer readings than were taken (`overwritten`).
 */
export function gapBefore(world: IngestWorld, probe: ProbeState, reading: ProbeSight): Gap | null {
  const { recordingIntervalSeconds, statedIntervalSeconds, reportsOnChange } = world;
  const seconds = recordingIntervalSeconds || statedIntervalSeconds || probe.learnedIntervalSeconds;
  if (probe.lastMs === null || reading.flags & FLAG.skewed) return null;
  const lengthMs = reading.measuredAtMs - probe.lastMs;
  const { previousPollMs, failedBetween } = reading.poll;
  if (reportsOnChange) {
    const unwatchedMs = reading.measuredAtMs - Math.max(previousPollMs ?? 0, probe.lastMs);
    if (unwatchedMs <= UNWATCHED_MS) return null;
  } else if (seconds === null || lengthMs <= gapless(seconds)) return null;
  const unpolled = previousPollMs === null || previousPollMs - probe.lastMs < lengthMs / 2;
  const seen = probe.condition === 'ok' ? 'overwritten' : 'offline';
  const cause = unpolled ? (failedBetween ? 'account' : 'service') : seen;
  return { probeId: probe.id, startMs: probe.lastMs, endMs: reading.measuredAtMs, cause };
}
