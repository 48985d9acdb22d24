import type { DataSource } from 'typeorm';
import type { AccessTokens } from '../accounts/access-token.js';
import type { LeasedAccount, PollResult } from '../accounts/credential-manager.js';
import { reportsOnChange } from '../ingest/world-store.js';
import type { ReadingsJob } from '../queues/jobs.js';
import type { ChannelList } from '../thermoworks/channels.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import { CloudError } from '../thermoworks/cloud-error.js';
import type { DeviceList } from '../thermoworks/devices.js';
import type { ChannelsWanted, CloudChannel, CloudDevice, CloudUser } from '../thermoworks/types.js';
import { insist } from '../worker/outage.js';
import { type DeviceActivity, nextPollSeconds } from './cadence.js';
import { loadKnown, type Seen, serialsInUse, storeSeen } from './device-store.js';
import {
  batteryNews,
  channelsToRead,
  isSweepDue,
  type KnownDevice,
  type KnownProbe,
  newCondition,
  newSamples,
  type ProbeNews,
  toJobSample,
  toJobs,
} from './plan.js';

const DAY_MS = 24 * 3600_000;
const ONLINE_WITHIN_MS = 600_000;
/** So long a poll holds what it has read while our own database cannot take it: the cloud may not show it again. */
const KEEP_FOR_MS = 30_000;
/** As `userReadAt`: the next poll reads the user document. */
export const READ_USER_AGAIN = new Date(0);

export interface PollDependencies {
  dataSource: DataSource;
  client: CloudClient;
  tokens: AccessTokens;
  /** Puts a job into the queue or, with the queue down, stores it; resolves when one of both is done. */
  enqueue: (job: ReadingsJob) => Promise<void>;
  /** Preferences that the user never set come from the cloud account. */
  adoptPreferences: (userId: number, user: CloudUser) => Promise<void>;
  onRejected: (reason: string, count: number) => void;
  /** With each poll: the serials that stay with another account. */
  onInUse: (account: LeasedAccount, deviceIds: readonly string[]) => void;
  hasTargetNear: (userId: number) => Promise<ReadonlySet<string>>;
  cadence: { minSeconds: number; maxSeconds: number };
  random: () => number;
  /** Once aborted, a poll waits for our own database no longer. */
  ending: AbortSignal;
}

export interface PollReport {
  result: PollResult;
  jobs: ReadingsJob[];
}

/**
 * One poll of one account: the devices in one request, the channels of those with news in one more per nine, and
 * one job with what is not stored yet. Nothing is remembered but in rows.
 * @throws CloudError and errors of our own database or queue, which are not the account's fault
 */
export async function pollAccount(deps: PollDependencies, account: LeasedAccount): Promise<PollReport> {
  const call = withToken(deps.tokens, account);
  const user = await userIfDue(deps, account, call);
  const accountId = user?.accountId ?? account.accountId;
  if (!accountId) throw new CloudError('user', 'no_account', 'no accountId');
  const shown = await call((token) => deps.client.devices(token, accountId));
  const serials = shown.devices.map(({ deviceId }) => deviceId);
  const inUse = await serialsInUse(deps.dataSource, account.userId, serials);
  const list = { ...shown, devices: shown.devices.filter(({ deviceId }) => !inUse.has(deviceId)) };
  const before = await loadKnown(deps.dataSource, account.userId);
  const sweep = isSweepDue(account.sweptAt, list.readTime);
  const wanted = channelsToRead(list.devices, before, { sweep, readTime: list.readTime });
  const read =
    wanted.length === 0 ? NOTHING_READ : await call((token) => deps.client.channels(token, wanted));
  for (const rejected of [list.rejected, read.rejected]) {
    for (const [reason, count] of Object.entries(rejected)) deps.onRejected(reason, count ?? 0);
  }
  const seen = seenOf(account.userId, list, read, { wanted, before });
  const keepUntil = performance.now() + KEEP_FOR_MS;
  const keep = <T>(work: () => Promise<T>) => insist(work, keepUntil - performance.now(), deps.ending);
  const stored = await keep(() => deps.dataSource.transaction((tx) => storeSeen(tx, seen)));
  deps.onInUse(account, [...inUse, ...stored.inUse]);

  const poll = {
    account: account.id,
    previousPollMs: account.cloudReadAt?.getTime() ?? null,
    failedBetween: account.failedPolls > 0,
  };
  const batteries = batteryNews(list.devices, stored.known, list.readTime);
  const jobs = toJobs(poll, newsOf(list, read, stored.known), batteries);
  for (const job of jobs) await keep(() => deps.enqueue(job));
  const near = await deps.hasTargetNear(account.userId);
  const next = activities(list, read, stored.known, near);
  const nextPollInSeconds = nextPollSeconds(next, { ...deps.cadence, random: deps.random });
  // Perhaps the account id changed: then the next poll asks for it.
  const turnedEmpty = serials.length === 0 && [...before.values()].some(({ isActive }) => isActive);
  const userReadAt = user ? new Date() : turnedEmpty ? READ_USER_AGAIN : undefined;
  const sweptAt = sweep ? list.readTime : undefined;
  const good = { status: 'active' as const, failedPolls: 0, lastError: null, cloudReadAt: list.readTime };
  return { jobs, result: { ...good, accountId, sweptAt, userReadAt, nextPollInSeconds } };
}

/** A device was read through when all of its channels that were wanted came, or are known not to be there. */
function seenOf(
  userId: number,
  { devices, readTime }: DeviceList,
  { channels, unanswered }: ChannelList,
  { wanted, before }: { wanted: readonly ChannelsWanted[]; before: ReadonlyMap<string, KnownDevice> },
): Seen {
  const open = new Set(unanswered.map(({ deviceId }) => deviceId));
  const answered = wanted.filter(({ deviceId }) => !open.has(deviceId));
  const readThrough = new Set(answered.map(({ deviceId }) => deviceId));
  const all = answered.filter(({ probeIds }) => probeIds === null);
  const checked = new Set(all.map(({ deviceId }) => deviceId));
  return { userId, devices, channels, before, readThrough, checked, readTime, onlineWithinMs };
}

const NOTHING_READ: ChannelList = { channels: [], missing: [], unanswered: [], readTime: null, rejected: {} };

/** Makes a request with a token of the account. */
export type Call = <T>(request: (accessToken: string) => Promise<T>) => Promise<T>;

/** One token for all requests; one that the cloud refuses is refreshed and the request made once more. */
export function withToken(tokens: AccessTokens, account: LeasedAccount): Call {
  let token: string | undefined;
  return async (request) => {
    token ??= await tokens(account);
    try {
      return await request(token);
    } catch (error) {
      if (!(error instanceof CloudError && error.kind === 'unauthorized')) throw error;
      token = await tokens(account, token);
      return request(token);
    }
  };
}

/** The user document is read once a day, and when the device list turned empty or was refused. */
async function userIfDue(
  { client, adoptPreferences }: PollDependencies,
  account: LeasedAccount,
  call: Call,
): Promise<CloudUser | undefined> {
  const due = account.userReadAt === null || Date.now() - account.userReadAt.getTime() > DAY_MS;
  if (!due && account.accountId) return undefined;
  const user = await call((token) => client.user(token, account.uid));
  await adoptPreferences(account.userId, user);
  return user;
}

function onlineWithinMs({ transmitIntervalSeconds }: CloudDevice): number {
  return Math.max(ONLINE_WITHIN_MS, 3_000 * (transmitIntervalSeconds ?? 0));
}

/** What is not stored yet, by probe: samples, and a condition that changed, from the cloud's `readTime` on. */
function newsOf(list: DeviceList, read: ChannelList, known: ReadonlyMap<string, KnownDevice>): ProbeNews[] {
  const channels = new Map(
    read.channels.map((channel) => [`${channel.deviceId} ${channel.probeId}`, channel]),
  );
  return list.devices.flatMap((device) => {
    const row = known.get(device.deviceId);
    if (!row) return [];
    return row.probes.flatMap((probe) => {
      const channel = channels.get(`${device.deviceId} ${probe.probeId}`) ?? null;
      const samples = probeNews(device, probe, channel, list.readTime);
      return samples.length === 0 ? [] : [{ device: row.id, probe: probe.id, samples }];
    });
  });
}

function probeNews(device: CloudDevice, probe: KnownProbe, channel: CloudChannel | null, readTime: Date) {
  const samples = channel ? newSamples(channel, probe) : [];
  const newest = samples.at(-1)?.measuredAt ?? probe.lastMeasuredAt;
  // Silence of a probe that only tells of changes means nothing while it is heard of.
  const onChange = reportsOnChange(device);
  const heardAt = onChange && newest !== null ? (device.lastSeenAt ?? newest) : newest;
  const intervalSeconds = onChange ? null : (device.transmitIntervalSeconds ?? probe.learnedIntervalSeconds);
  const condition = newCondition(probe, channel?.condition ?? null, { readTime, heardAt, intervalSeconds });
  const news = samples.map(toJobSample);
  return condition === null
    ? news
    : [...news, [readTime.getTime(), condition, 'F', 0] satisfies ProbeNews['samples'][number]];
}

function activities(
  list: DeviceList,
  read: ChannelList,
  known: ReadonlyMap<string, KnownDevice>,
  near: ReadonlySet<string>,
): DeviceActivity[] {
  const shown = read.channels.flatMap(({ deviceId, samples }) =>
    samples.map(({ measuredAt }) => ({ deviceId, measuredAt })),
  );
  return list.devices.map((device) => {
    const probes = known.get(device.deviceId)?.probes ?? [];
    const times = [
      ...shown
        .filter(({ deviceId }) => deviceId === device.deviceId)
        .map(({ measuredAt }) => measuredAt.getTime()),
      ...probes.flatMap(({ lastMeasuredAt }) => lastMeasuredAt?.getTime() ?? []),
    ];
    const learned = probes.flatMap(({ learnedIntervalSeconds }) => learnedIntervalSeconds ?? []);
    return {
      intervalSeconds: device.transmitIntervalSeconds ?? (learned.length > 0 ? Math.min(...learned) : null),
      silentSeconds:
        times.length > 0 ? Math.max(0, (list.readTime.getTime() - Math.max(...times)) / 1000) : null,
      isLogger: /^(datalogger|node)$/i.test(device.type ?? '') || /thermadata/i.test(device.model ?? ''),
      nearTarget: near.has(device.deviceId),
    };
  });
}
