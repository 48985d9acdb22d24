import type { JobBattery, JobSample, ReadingsJob } from '../queues/jobs.js';
import { type NewReading, readingKey } from '../readings/reading-store.js';
import { FLAG, roundToHundredth, toHundredths } from '../readings/sample.js';
import type { IngestWorld, Input, PollFacts, ProbeState } from './types.js';

/** The cloud's clock at a device (`devices.id`) whose timers are due, with nothing to read. */
export interface DeviceMoment {
  device: number;
  nowMs: number;
}

/** The jobs of one transaction as one: each (probe, time) once, the first one kept. */
export interface Batch {
  /** `devices.id` of every device touched, ascending. */
  deviceRows: number[];
  /** Samples by `probes.id` and then by time. */
  samples: Map<number, Map<number, JobSample>>;
  deviceOf: Map<number, number>;
  /** Of the job that brought the probe's samples. */
  pollOf: Map<number, PollFacts>;
  moments: Map<number, number>;
  batteries: JobBattery[];
  /** Epoch ms of the oldest thing in it. */
  fromMs: number;
  /** Samples dropped because an earlier one of the batch had the same key and another value. */
  conflicts: number;
}

export function gather(jobs: readonly ReadingsJob[], moments: readonly DeviceMoment[]): Batch {
  const samples: Batch['samples'] = new Map();
  const deviceOf = new Map<number, number>();
  const pollOf = new Map<number, PollFacts>();
  let conflicts = 0;
  let fromMs = moments.reduce((least, { nowMs }) => Math.min(least, nowMs), Number.POSITIVE_INFINITY);
  for (const poll of jobs)
    for (const { device, probe, samples: list } of poll.probes) {
      const known = samples.get(probe) ?? new Map<number, JobSample>();
      if (known.size === 0) {
        samples.set(probe, known);
        deviceOf.set(probe, device);
        pollOf.set(probe, poll);
      }
      for (const sample of list) {
        const first = known.get(sample[0]);
        if (first === undefined || (isAbsence(first) && !isAbsence(sample))) known.set(sample[0], sample);
        else if (!isAbsence(sample) && !isSame(first, sample)) conflicts += 1;
        fromMs = Math.min(fromMs, sample[0]);
      }
    }
  const batteries = jobs.flatMap((poll) => poll.batteries ?? []);
  for (const [, ms] of batteries) fromMs = Math.min(fromMs, ms);
  const deviceRows = new Set([
    ...deviceOf.values(),
    ...moments.map(({ device }) => device),
    ...batteries.map(([device]) => device),
  ]);
  return {
    deviceRows: [...deviceRows].sort((a, b) => a - b),
    samples,
    deviceOf,
    pollOf,
    moments: new Map(moments.map(({ device, nowMs }) => [device, nowMs])),
    batteries,
    fromMs,
    conflicts,
  };
}

const isAbsence = (sample: JobSample): boolean => typeof sample[1] === 'string';

/** As they would be stored. */
function isSame([, a, unit]: JobSample, [, b, otherUnit]: JobSample): boolean {
  return unit === otherUnit && toHundredths(Number(a)) === toHundredths(Number(b));
}

export const keyOf = ({ probeId, measuredAtMs }: { probeId: number; measuredAtMs: number }): string =>
  readingKey(probeId, measuredAtMs);

/** The rows to store, by their key. A job that names a probe of another device, or one that is gone, stores nothing for it. */
export function toReadings(
  { samples, deviceOf }: Batch,
  worlds: ReadonlyMap<number, IngestWorld>,
): { readings: NewReading[]; unknownProbe: number } {
  const readings: NewReading[] = [];
  let unknownProbe = 0;
  const probes = [...samples].sort(([a], [b]) => a - b);
  for (const [probeId, byTime] of probes) {
    const probe = worlds.get(deviceOf.get(probeId) ?? 0)?.probes.get(probeId);
    if (!probe) unknownProbe += byTime.size;
    else {
      let known: Pick<ProbeState, 'lastMs' | 'lastHundredths' | 'lastUnit'> = probe;
      for (const sample of byTime.size === 1 ? byTime.values() : sortedByTime(byTime)) {
        const [measuredAtMs, value, unit, flags] = sample;
        if (typeof value === 'string' || isGuessedAgain(sample, known)) continue;
        if (measuredAtMs > (known.lastMs ?? 0) && !(flags & FLAG.skewed))
          known = { lastMs: measuredAtMs, lastHundredths: toHundredths(value), lastUnit: unit };
        const late = probe.lastMs !== null && measuredAtMs <= probe.lastMs ? FLAG.late : 0;
        readings.push({ probeId, measuredAtMs, value: roundToHundredth(value), unit, flags: flags | late });
      }
    }
  }
  return { readings, unknownProbe };
}

/**
 * Whether every value of the batch became a reading newer than all that its probe has stored. (But for those of a clock
 * that runs ahead, which no high-water mark tells of.)
 */
export function areAllNew({ samples }: Batch, readings: readonly NewReading[]): boolean {
  let values = 0;
  for (const byTime of samples.values())
    for (const sample of byTime.values()) if (!isAbsence(sample)) values += 1;
  return readings.length === values && readings.every(({ flags }) => (flags & FLAG.late) === 0);
}

const sortedByTime = (byTime: ReadonlyMap<number, JobSample>): JobSample[] =>
  [...byTime.values()].sort((a, b) => a[0] - b[0]);

/** A time that had to be guessed is no identity: two polls of one measurement, queued behind each other, guess two. */
function isGuessedAgain(
  [measuredAtMs, value, unit, flags]: JobSample,
  { lastMs, lastHundredths, lastUnit }: Pick<ProbeState, 'lastMs' | 'lastHundredths' | 'lastUnit'>,
): boolean {
  if (!(flags & FLAG.estimatedTime) || lastMs === null || measuredAtMs <= lastMs) return false;
  return unit === lastUnit && toHundredths(Number(value)) === lastHundredths;
}

/**
 * What the fold of each device (`devices.id`) sees: what was new, and absences, by time and then by probe, the battery before; a moment last.
 * @param fresh keys, or that all of them are
 */
export function inputsByDevice(batch: Batch, fresh: ReadonlySet<string> | 'all'): Map<number, Input[]> {
  const inputs = new Map<number, Input[]>(batch.deviceRows.map((device) => [device, []]));
  for (const [probeId, byTime] of batch.samples) {
    const ofDevice = inputs.get(batch.deviceOf.get(probeId) ?? 0);
    const poll = batch.pollOf.get(probeId) ?? NO_POLL;
    for (const [measuredAtMs, value, unit, flags] of byTime.values()) {
      if (typeof value === 'string')
        ofDevice?.push({ probeId, measuredAtMs, hundredths: null, unit, flags, condition: value, poll });
      else if (fresh === 'all' || fresh.has(readingKey(probeId, measuredAtMs))) {
        const hundredths = toHundredths(value);
        ofDevice?.push({ probeId, measuredAtMs, hundredths, unit, flags, condition: 'ok', poll });
      }
    }
  }
  for (const [device, measuredAtMs, percent, isCharging] of batch.batteries)
    inputs.get(device)?.push({ measuredAtMs, percent, isCharging });
  for (const list of inputs.values()) list.sort((a, b) => timeOf(a) - timeOf(b) || probeOf(a) - probeOf(b));
  for (const [device, nowMs] of batch.moments) inputs.get(device)?.push({ nowMs });
  return inputs;
}

/** Nothing is known of the polls before. */
export const NO_POLL: PollFacts = { previousPollMs: null, failedBetween: false };

const timeOf = (input: Input): number => ('nowMs' in input ? input.nowMs : input.measuredAtMs);
const probeOf = (input: Input): number => ('probeId' in input ? input.probeId : 0);
