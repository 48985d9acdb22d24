import type { DataSource } from 'typeorm';
import { createSecretBox } from '../accounts/secret-box.js';
import type { Config, KeyRingEntry } from '../config.js';
import type { Lifecycle } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';
import { createLinkSigner } from '../notifications/action-link.js';
import { createOutbound } from '../notifications/outbound.js';
import type { createEnqueue } from '../queues/enqueue.js';
import type { JobData } from '../queues/jobs.js';
import type { Batcher } from '../worker/batcher.js';
import { createHeartbeat } from './heartbeat.js';
import { createCanaryIngest, createCanarySink } from './stations.js';

type Take<Job> = (job: Job) => Promise<void>;

/** What a worker does with its jobs: users' readings are stored, canaries ingested in vain. */
export function takeReadings(parts: {
  dataSource: DataSource;
  logger: Logger;
  enqueue: ReturnType<typeof createEnqueue>;
  batcher: Batcher;
}): Take<JobData['readings']> {
  const { batcher } = parts;
  const ingest = createCanaryIngest({ ...parts, settled: batcher.settled });
  return (job) => (job.canary ? ingest(job, job.canary) : batcher.add(job));
}

/** What a notifier does with its jobs: canaries end here, and HEARTBEAT_URL hears of each; `deliver` has the rest. */
export function takeNotifications(
  {
    dataSource,
    logger,
    lifecycle,
    metrics,
    config,
  }: {
    dataSource: DataSource;
    logger: Logger;
    lifecycle: Lifecycle;
    metrics: Pick<Metrics, 'heartbeat'>;
    config: Config & { credentialsKeys: KeyRingEntry[] };
  },
  deliver: Take<JobData['notifications']>,
): Take<JobData['notifications']> {
  const outbound = createOutbound({ allowPrivate: config.allowPrivateWebhooks ?? false });
  const url = config.canary.heartbeatUrl;
  const sink = createCanarySink({
    dataSource,
    logger,
    secretBox: createSecretBox(config.credentialsKeys),
    outbound,
    publicUrl: config.http.publicUrl,
    links: createLinkSigner(config.credentialsKeys),
    onProven: createHeartbeat({ url, outbound, logger, lifecycle, onOutcome: metrics.heartbeat }),
  });
  return (job) => (job.canary ? sink(job.canary) : deliver(job));
}
