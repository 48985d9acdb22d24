import { createAccessTokens } from '../accounts/access-token.js';
import type { LeasedAccount } from '../accounts/credential-manager.js';
import { DeviceManager } from '../accounts/device-manager.js';
import { UserManager } from '../accounts/user-manager.js';
import { devicesNearTarget } from '../alerts/near-target.js';
import type { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { createIngest } from '../ingest/ingest.js';
import { NotificationManager } from '../notifications/notification-manager.js';
import { createPoller } from '../poller/poller.js';
import { createEnqueue } from '../queues/enqueue.js';
import type { ReadingsJob } from '../queues/jobs.js';
import { storedCondition } from '../readings/sample.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import type { CloudUser } from '../thermoworks/types.js';
import type { Context, Row } from './context.js';

/** Polls the account once, under its lease, as a poller would. @returns by probe, what was enqueued */
export async function pollNow(
  context: Context,
  account: ThermoworksCredential,
  client: CloudClient,
): Promise<{ enqueued: Row[]; next_poll_at: Date }> {
  const { config, logger } = context;
  const [dataSource, queues] = [await context.database(), await context.queues()];
  const enqueue = createEnqueue({ queues, logger });
  const ingest = createIngest({ dataSource });
  const users = new UserManager(dataSource.manager);
  const ignore = () => undefined;
  const deps = {
    dataSource,
    client,
    tokens: createAccessTokens({
      dataSource,
      box: context.secretBox(),
      refresh: (_, refreshToken) => client.refresh(refreshToken),
      onDead: async (tx, { userId, publicId }) => {
        await new NotificationManager(tx).createAboutAccount(userId, publicId);
      },
    }),
    enqueue: (job: ReadingsJob) =>
      enqueue.readings(job, async () => enqueue.notifications((await ingest([job])).notificationIds)),
    adoptPreferences: (userId: number, user: CloudUser) => users.adoptPreferences(userId, user),
    onRejected: ignore,
    onInUse: (_: LeasedAccount, deviceIds: readonly string[]) => {
      for (const deviceId of deviceIds) context.fail(`device ${deviceId} is in use by another account`);
    },
    hasTargetNear: (userId: number) => devicesNearTarget(dataSource.manager, userId),
    cadence: config.poll,
    random: Math.random,
  };
  const poller = createPoller({
    ...deps,
    pollOf: () => deps,
    cron: config.poll.cron,
    logger,
    onPoll: ignore,
  });
  context.lifecycle.onClose('poll', () => poller.close());
  const { jobs, result } = await poller.pollNow(account.id);
  const devices = await new DeviceManager(dataSource.manager).list(account.userId);
  return {
    enqueued: jobs.flatMap(({ probes }) => probes).map((news) => sampleRow(news, devices)),
    next_poll_at: new Date(Date.now() + result.nextPollInSeconds * 1000),
  };
}

function sampleRow(
  { probe, samples }: ReadingsJob['probes'][number],
  devices: Awaited<ReturnType<DeviceManager['list']>>,
): Row {
  const known = devices.flatMap(({ probes }) => probes).find(({ id }) => id === probe);
  const times = samples.flatMap(([ms, value]) => (typeof value === 'number' ? [ms] : []));
  const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms));
  return {
    device_id: known?.deviceId,
    probe_id: known?.probeId,
    readings: times.length,
    first_measured_at: at(times[0]),
    last_measured_at: at(times.at(-1)),
    state:
      samples.flatMap(([, value]) => (typeof value === 'string' ? [storedCondition(value)] : [])).at(-1) ??
      null,
  };
}
