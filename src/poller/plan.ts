import type { JobSample, ReadingsJob } from '../queues/jobs.js';
import { FLAG, type ProbeCondition, type Sample } from '../readings/sample.js';
import type { ChannelsWanted, CloudChannel, CloudDevice } from '../thermoworks/types.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SWEEP_EVERY_MS = 10 * MINUTE_MS;
const MOST_SAMPLES_PER_JOB = 2_000;

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
  cloudUpdateTime: string | null;
  channelsCheckedAt: Date | null;
  probes: KnownProbe[];
}

/** Once in ten minutes every device's channels are read, in case that a channel changed and its device did not. */
export function isSweepDue(sweptAt: Date | null, readTime: Date): boolean {
  return sweptAt === null || readTime.getTime() - sweptAt.getTime() >= SWEEP_EVERY_MS;
}

/**
 * The channels to ask for: of devices that changed, that the cloud has newer telemetry of than was seen, or that
 * showed something which is not stored yet (the queue may have lost it). A new device, and any once a day, is asked
 * for all of 1 to 9.
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
    return [{ deviceId: device.deviceId, probeIds: row.probes.map(({ probeId }) => probeId) }];
  });
}

function isDailyCheckDue({ channelsCheckedAt }: KnownDevice, readTime: Date): boolean {
  return channelsCheckedAt === null || readTime.getTime() - channelsCheckedAt.getTime() >= DAY_MS;
}

function hasNews(device: CloudDevice, row: KnownDevice): boolean {
  if (device.updateTime !== row.cloudUpdateTime) return true;
  const newestShown = Math.max(0, ...row.probes.map(({ shownAt }) => shownAt?.getTime() ?? 0));
  if (newestShown > 0 && device.lastTelemetryAt !== null && newestShown < device.lastTelemetryAt.getTime())
    return true;
  return row.probes.some(({ shownAt, lastMeasuredAt }) => isAfter(shownAt, lastMeasuredAt));
}

function isAfter(a: Date | null, b: Date | null): boolean {
  return a !== null && (b === null || a.getTime() > b.getTime());
}

/** What of a channel is new to us, by time: judged by what is stored, not by what was sent before. */
export function newSamples({ samples, current }: CloudChannel, probe: KnownProbe): Sample[] {
  const newer = samples.filter(({ measuredAt }) => isAfter(measuredAt, probe.lastMeasuredAt));
  if (
    current === null ||
    newer.some(({ measuredAt }) => measuredAt.getTime() === current.measuredAt.getTime())
  )
    return newer;
  // A time that had to be guessed is no identity: only another value makes another reading.
  if (current.flags & FLAG.estimatedTime && current.value === probe.lastValue) return newer;
  if (current.measuredAt.getTime() === probe.lastMeasuredAt?.getTime()) return newer;
  return [...newer, current].sort((a, b) => a.measuredAt.getTime() - b.measuredAt.getTime());
}

/** The newest time that counts as shown: a clock that runs ahead does not, since it never becomes the stored one. */
export function shownAt({ samples, current }: CloudChannel): Date | null {
  const times = [...samples, ...(current ? [current] : [])].filter(
    ({ flags }) => (flags & FLAG.skewed) === 0,
  );
  return times.reduce<Date | null>(
    (newest, { measuredAt }) => (isAfter(measuredAt, newest) ? measuredAt : newest),
    null,
  );
}

/**
 * The condition to report from `readTime` on, where it is not the stored one: what the channel says, or stale when
 * nothing has been measured for longer than 10 min and three intervals.
 */
export function newCondition(
  probe: KnownProbe,
  said: CloudChannel['condition'] | null,
  {
    readTime,
    newest,
    intervalSeconds,
  }: { readTime: Date; newest: Date | null; intervalSeconds: number | null },
): Exclude<ProbeCondition, 'ok'> | null {
  if (said !== null && said !== 'ok') return said === probe.condition ? null : said;
  if (newest === null || probe.condition !== 'ok') return null;
  const limitMs = Math.max(10 * MINUTE_MS, 3_000 * (intervalSeconds ?? 0));
  return readTime.getTime() - newest.getTime() > limitMs ? 'stale' : null;
}

/** One probe's part of a job. */
export type ProbeNews = ReadingsJob['probes'][number];

export function toJobSample({ measuredAt, value, unit, flags }: Sample): JobSample {
  return [measuredAt.getTime(), value, unit, flags];
}

/** As few jobs as their size limit allows; normally one. */
export function toJobs(
  poll: Omit<ReadingsJob, 'version' | 'probes'>,
  news: readonly ProbeNews[],
): ReadingsJob[] {
  const jobs: ReadingsJob[] = [];
  let room = 0;
  for (const probe of news) {
    const job = jobs.at(-1);
    if (job && probe.samples.length <= room) {
      job.probes.push(probe);
      room -= probe.samples.length;
    } else {
      jobs.push({ version: 1, ...poll, probes: [probe] });
      room = MOST_SAMPLES_PER_JOB - probe.samples.length;
    }
  }
  return jobs;
}
