import { isBatteryNews } from '../alerts/battery.js';
import type { AlertState } from '../alerts/types.js';
import type { JobBattery, JobSample, ReadingsJob } from '../queues/jobs.js';
import {
  FLAG,
  type ProbeCondition,
  type Sample,
  storedCondition,
  type ToldCondition,
} from '../readings/sample.js';
import type { ChannelsWanted, CloudChannel, CloudDevice } from '../thermoworks/types.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SWEEP_EVERY_MS = 10 * MINUTE_MS;
const MOST_SAMPLES_PER_JOB = 2_000;
/** Of `devices.cloud_update_time`. */
const MARK_LENGTH = 40;

/** A probe as our tables know it. */
export interface KnownProbe {
  id: number;
  probeId: string;
  condition: ProbeCondition;
  lastValue: number | null;
  lastMeasuredAt: Date | null;
  /** The newest reading that the cloud has shown. */
  shownAt: Date | null;
  learnedIntervalSeconds: number | null;
}

export interface KnownDevice {
  id: number;
  deviceId: string;
  /** False once it has been gone from the account for some polls. */
  isActive: boolean;
  /** {@link seenMark} of the last poll that read its channels. */
  seenMark: string | null;
  channelsCheckedAt: Date | null;
  /** What each state of its battery alerts saw last. */
  batteriesSeen: AlertState['recent'][];
  probes: KnownProbe[];
}

/** Once in ten minutes every device's channels are read, in case that a channel changed and its device did not. */
export function isSweepDue(sweptAt: Date | null, readTime: Date): boolean {
  return sweptAt === null || isApart(sweptAt, readTime, SWEEP_EVERY_MS);
}

/** Also by a clock that was set back. */
function isApart(a: Date, b: Date, ms: number): boolean {
  return Math.abs(a.getTime() - b.getTime()) >= ms;
}

/**
 * The channels to ask for: of devices that changed, that were seen half written, or that showed something which is not
 * stored yet (the queue may have lost it). A device of which no channel is known, and any once a day, is asked for all
 * of 1 to 9.
 */
export function channelsToRead(
  devices: readonly CloudDevice[],
  known: ReadonlyMap<string, KnownDevice>,
  { sweep, readTime }: { sweep: boolean; readTime: Date },
): ChannelsWanted[] {
  return devices.flatMap((device): ChannelsWanted[] => {
    const row = known.get(device.deviceId);
    if (!row || isDailyCheckDue(row, readTime)) return [{ deviceId: device.deviceId, probeIds: null }];
    if (!sweep && !hasNews(device, row)) return [];
    const probeIds = row.probes.map(({ probeId }) => probeId);
    return [{ deviceId: device.deviceId, probeIds: probeIds.length > 0 ? probeIds : null }];
  });
}

function isDailyCheckDue({ channelsCheckedAt }: KnownDevice, readTime: Date): boolean {
  return channelsCheckedAt === null || isApart(channelsCheckedAt, readTime, DAY_MS);
}

function hasNews(device: CloudDevice, row: KnownDevice): boolean {
  if (device.updateTime !== row.seenMark) return true;
  return row.probes.some(({ shownAt, lastMeasuredAt }) => isAfter(shownAt, lastMeasuredAt));
}

/**
 * What to remember of a device whose channels were read: its `updateTime`. Where it tells of newer telemetry than its
 * channels show, the poll came between two writes: then first something else, so that the next poll asks once more.
 */
export function seenMark(
  { updateTime, lastTelemetryAt }: CloudDevice,
  channels: readonly CloudChannel[],
  before: string | null,
): string {
  const half = `half ${updateTime}`.slice(0, MARK_LENGTH);
  const newest = channels.map(shownAt).reduce((a, b) => (isAfter(b, a) ? b : a), null);
  const isBehind = newest !== null && isAfter(lastTelemetryAt, newest);
  return isBehind && before !== half && before !== updateTime ? half : updateTime;
}

function isAfter(a: Date | null, b: Date | null): boolean {
  return a !== null && (b === null || a.getTime() > b.getTime());
}

/**
 * What of a channel is new to us, by time: judged by what is stored, not by what was sent before. The present value is
 * new whenever its time is another one; the readings before it only where they are newer.
 */
export function newSamples({ samples, current }: CloudChannel, probe: KnownProbe): Sample[] {
  return samples.filter((sample) =>
    sample === current ? isNewCurrent(sample, probe) : isAfter(sample.measuredAt, probe.lastMeasuredAt),
  );
}

/**
 * A time that had to be guessed is no identity: only another value makes another reading. A second value for a time
 * that is stored is told too, so that it is counted.
 */
function isNewCurrent(
  { measuredAt, value, flags }: Sample,
  { lastMeasuredAt, lastValue }: KnownProbe,
): boolean {
  const isOther = lastValue === null || Math.fround(value) !== Math.fround(lastValue);
  if (measuredAt.getTime() === lastMeasuredAt?.getTime()) return isOther;
  return (flags & FLAG.estimatedTime) === 0 || isOther;
}

/** The newest time that must be stored in the end: not that of a clock that runs ahead, nor one that was guessed. */
export function shownAt({ samples }: CloudChannel): Date | null {
  const certain = samples.filter(({ flags }) => (flags & (FLAG.skewed | FLAG.estimatedTime)) === 0);
  return certain.at(-1)?.measuredAt ?? null;
}

/**
 * The condition to report from `readTime` on, where it is not the stored one: what the channel says, or stale when
 * nothing has been heard of it for longer than 10 min and three intervals.
 */
export function newCondition(
  probe: KnownProbe,
  said: CloudChannel['condition'] | null,
  {
    readTime,
    heardAt,
    intervalSeconds,
  }: { readTime: Date; heardAt: Date | null; intervalSeconds: number | null },
): Exclude<ToldCondition, 'ok'> | null {
  if (said !== null && said !== 'ok') return storedCondition(said) === probe.condition ? null : said;
  if (heardAt === null || probe.condition !== 'ok') return null;
  const limitMs = Math.max(10 * MINUTE_MS, 3_000 * (intervalSeconds ?? 0));
  return readTime.getTime() - heardAt.getTime() > limitMs ? 'stale' : null;
}

/**
 * The batteries of which some alert has not seen what the cloud shows. Each as of when its device was written, which
 * every change moves on, so that what is shown again makes the same job again; for an alert that has seen nothing yet,
 * as of now.
 */
export function batteryNews(
  devices: readonly CloudDevice[],
  known: ReadonlyMap<string, KnownDevice>,
  readTime: Date,
): JobBattery[] {
  return devices.flatMap(({ deviceId, batteryPercent: percent, isCharging, updateTime }): JobBattery[] => {
    const row = known.get(deviceId);
    if (!row || row.probes.length === 0 || percent === null) return [];
    const isFirst = row.batteriesSeen.some((seen) => !seen?.length);
    const writtenMs = isFirst ? Number.NaN : Date.parse(updateTime);
    const nowMs = readTime.getTime();
    const measuredAtMs = Number.isNaN(writtenMs) ? nowMs : Math.min(writtenMs, nowMs);
    const isNews = row.batteriesSeen.some((seen) =>
      isBatteryNews(seen, { measuredAtMs, percent, isCharging }),
    );
    return isNews ? [[row.id, measuredAtMs, percent, isCharging]] : [];
  });
}

/** One probe's part of a job. */
export type ProbeNews = ReadingsJob['probes'][number];

export function toJobSample({ measuredAt, value, unit, flags }: Sample): JobSample {
  return [measuredAt.getTime(), value, unit, flags];
}

/** As few jobs as their size limit allows; normally one. */
export function toJobs(
  poll: Omit<ReadingsJob, 'version' | 'probes' | 'batteries'>,
  news: readonly ProbeNews[],
  batteries: readonly JobBattery[] = [],
): ReadingsJob[] {
  const jobs: ReadingsJob[] = [];
  let room = 0;
  for (const probe of news.flatMap(inParts)) {
    const job = jobs.at(-1);
    if (job && probe.samples.length <= room) {
      job.probes.push(probe);
      room -= probe.samples.length;
    } else {
      jobs.push({ version: 1, ...poll, probes: [probe] });
      room = MOST_SAMPLES_PER_JOB - probe.samples.length;
    }
  }
  for (let at = 0; at < batteries.length; at += MOST_SAMPLES_PER_JOB) {
    const part = batteries.slice(at, at + MOST_SAMPLES_PER_JOB);
    const job = jobs[at / MOST_SAMPLES_PER_JOB];
    if (job) job.batteries = part;
    else jobs.push({ version: 1, ...poll, probes: [], batteries: part });
  }
  return jobs;
}

/** A channel may show more than fits into a job. */
function inParts({ samples, ...ids }: ProbeNews): ProbeNews[] {
  const count = Math.ceil(samples.length / MOST_SAMPLES_PER_JOB);
  return Array.from({ length: count }, (_, part) => ({
    ...ids,
    samples: samples.slice(part * MOST_SAMPLES_PER_JOB, (part + 1) * MOST_SAMPLES_PER_JOB),
  }));
}
