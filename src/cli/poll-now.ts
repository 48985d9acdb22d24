import { DeviceManager } from '../accounts/device-manager.js';
import type { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { createAccountPoller } from '../poller/create-account-poller.js';
import { createEnqueue } from '../queues/enqueue.js';
import type { ReadingsJob } from '../queues/jobs.js';
import { storedCondition } from '../readings/sample.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import type { Context, Row } from './context.js';

/** Polls the account once, under its lease, as a poller would. @returns by probe, what was enqueued */
export async function pollNow(
  context: Context,
  account: ThermoworksCredential,
  client: CloudClient,
): Promise<{ enqueued: Row[]; next_poll_at: Date }> {
  const { config, logger } = context;
  const [dataSource, queues] = [await context.database(), await context.queues()];
  const ignore = () => undefined;
  const poller = createAccountPoller({
    dataSource,
    queues,
    box: context.secretBox(),
    clientOf: () => client,
    ending: new AbortController().signal,
    poll: config.poll,
    logger,
    onCommit: ({ notificationIds }) => createEnqueue({ queues, logger }).notifications(notificationIds),
    onInUse: (_, deviceIds) => {
      for (const deviceId of deviceIds) context.fail(`device ${deviceId} is in use by another account`);
    },
    onRejected: ignore,
    onPoll: ignore,
    onRefresh: ignore,
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
