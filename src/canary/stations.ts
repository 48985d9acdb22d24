import type { DataSource } from 'typeorm';
import { createSecretBox } from '../accounts/secret-box.js';
import type { Config, KeyRingEntry } from '../config.js';
import { Notification } from '../entities/notification.js';
import type { Lifecycle } from '../lifecycle.js';
import { type Logger, limitedWarning } from '../logger.js';
import type { Metrics } from '../metrics.js';
import { createLinkSigner } from '../notifications/action-link.js';
import { createOutbound } from '../notifications/outbound.js';
import { webhook } from '../notifications/webhook.js';
import type { createEnqueue } from '../queues/enqueue.js';
import type { CanaryMark, JobData, ReadingsJob } from '../queues/jobs.js';
import type { Batcher } from '../worker/batcher.js';
import { createDeliverer } from '../worker/deliver.js';
import { isOutage } from '../worker/outage.js';
import { createHeartbeat } from './heartbeat.js';
import { CANARY_READING, ingestCanary, inVain } from './rehearsal.js';

type Take<Job> = (job: Job) => Promise<void>;

interface Uses {
  dataSource: DataSource;
  logger: Logger;
}

/** Not of a database that is away: others say so. */
function warning(logger: Logger, message: string): (error: unknown) => void {
  const warn = limitedWarning(logger, message);
  return (error) => (isOutage(error) ? undefined : warn(error));
}

/** No device and no probe: a worker of a version that knows no canaries stores nothing of it. */
const NOBODY = 2_147_483_647;

/** A canary as any worker takes it. @param atMs epoch ms */
export function canaryJob(atMs: number): ReadingsJob {
  const { value, unit } = CANARY_READING;
  return {
    version: 1,
    account: NOBODY,
    previousPollMs: null,
    failedBetween: false,
    probes: [{ device: NOBODY, probe: NOBODY, samples: [[atMs, value, unit, 0]] }],
  };
}

/**
 * What a worker does with its jobs. Users' readings are stored; a canary is ingested in vain after all that was taken
 * before it, and its notification sent on. One that fails is forgotten but for a warning: the next one is under way.
 */
export function takeReadings({
  dataSource,
  logger,
  enqueue,
  batcher,
}: Uses & { enqueue: ReturnType<typeof createEnqueue>; batcher: Batcher }): Take<JobData['readings']> {
  const warn = warning(logger, 'a canary was not ingested');
  const ingest = async (job: ReadingsJob, mark: CanaryMark) => {
    await batcher.settled();
    const notificationId = await inVain(dataSource, (tx) => ingestCanary(tx, job));
    await dataSource.query(
      'UPDATE canaries SET ingested_sent_at = $2, updated_at = now() WHERE replica = $1',
      [mark.replica, new Date(mark.sentAtMs)],
    );
    await enqueue.canaryNotification(notificationId, mark);
  };
  return (job) => (job.canary ? ingest(job, job.canary).catch(warn) : batcher.add(job));
}

/**
 * The notifier's part, the sink: a notification like the one that the worker made is claimed, rendered and marked as any
 * is, over a channel that sends nothing; then the replica's row says that its canary came through.
 * @param onProven after each canary that came through, once
 */
export function createCanarySink({
  dataSource,
  logger,
  secretBox,
  outbound,
  publicUrl,
  links,
  onProven,
}: Uses &
  Pick<Parameters<typeof createDeliverer>[0], 'secretBox' | 'outbound' | 'publicUrl' | 'links'> & {
    onProven: () => void;
  }) {
  const warn = warning(logger, 'a canary was not delivered');

  const deliver = (mark: CanaryMark) =>
    inVain(dataSource, async (tx) => {
      const told: string[] = [];
      const sink: typeof webhook = {
        ...webhook,
        send: async (_target, rendered) => {
          told.push(rendered);
          return { statusCode: null, receipt: null };
        },
      };
      const uses = {
        dataSource: { manager: tx },
        channels: { webhook: sink },
        secretBox,
        outbound,
        publicUrl,
        links,
      };
      const id = await ingestCanary(tx, canaryJob(mark.sentAtMs));
      await createDeliverer(uses)(id);
      const [row] = await tx.findBy(Notification, { id });
      if (told.length !== 1 || row?.status !== 'delivered')
        throw new Error(`the sink was told ${told.length} messages, and the notification is ${row?.status}`);
    });

  return async (mark: CanaryMark): Promise<void> => {
    try {
      await deliver(mark);
      if (await prove(dataSource, mark)) onProven();
    } catch (error) {
      warn(error);
    }
  };
}

/** What a notifier does with its jobs: canaries end here, and HEARTBEAT_URL hears of each; `deliver` has the rest. */
export function takeNotifications(
  parts: Uses & {
    lifecycle: Lifecycle;
    metrics: Pick<Metrics, 'heartbeat'>;
    config: Config & { credentialsKeys: KeyRingEntry[] };
  },
  deliver: Take<JobData['notifications']>,
): Take<JobData['notifications']> {
  const { config, metrics } = parts;
  const outbound = createOutbound({ allowPrivate: config.allowPrivateWebhooks ?? false });
  const url = config.canary.heartbeatUrl;
  const sink = createCanarySink({
    ...parts,
    secretBox: createSecretBox(config.credentialsKeys),
    outbound,
    publicUrl: config.http.publicUrl,
    links: createLinkSigner(config.credentialsKeys),
    onProven: createHeartbeat({ ...parts, url, outbound, onOutcome: metrics.heartbeat }),
  });
  return (job) => (job.canary ? sink(job.canary) : deliver(job));
}

/** @returns false where that was known, or the replica is gone */
async function prove({ manager }: DataSource, { replica, sentAtMs }: CanaryMark): Promise<boolean> {
  const [, changed]: [unknown, number] = await manager.query(
    `UPDATE canaries SET proven_at = now(), proven_sent_at = $2, updated_at = now()
     WHERE replica = $1 AND proven_sent_at IS DISTINCT FROM $2::timestamptz(3)`,
    [replica, new Date(sentAtMs)],
  );
  return changed > 0;
}
