import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { createSecretBox } from '../accounts/secret-box.js';
import type { KeyRingEntry } from '../config.js';
import { every } from '../every.js';
import type { Lifecycle } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';
import type { CloudClients } from '../poller/cloud-clients.js';
import { createAccountTokens } from '../poller/create-account-poller.js';
import type { QueueBackend, Queues } from '../queues/backend.js';
import { bury } from '../queues/dead-letters.js';
import { createEnqueue } from '../queues/enqueue.js';
import { startStage } from '../worker/stage.js';
import { createGapFiller } from './fill-gaps.js';

/** Devices of one process at a time: what is missing for hours can wait, what comes in cannot. */
const AT_ONCE = 2;
const MOST_PER_TICK = 20;
/** By then it runs, or its job was lost. */
const CLAIMED = "interval '10 minutes'";
const MOST_BACKLOG_MS = 60_000;
const LET_DOWNLOADS_FINISH_MS = 8_000;

interface Parts {
  config: { credentialsKeys: KeyRingEntry[] };
  dataSource: DataSource;
  queues: Queues;
  backend: QueueBackend;
  logger: Logger;
  metrics: Metrics;
  lifecycle: Lifecycle;
  clients: CloudClients;
}

/** Fills gaps from the cloud's archives, with the clients of this process: who looks for what is due, and who does it. */
export function startBackfill(parts: Parts): void {
  const { config, dataSource, queues, backend, logger, metrics, lifecycle, clients } = parts;
  const enqueue = createEnqueue({ queues, logger });
  const tokens = createAccountTokens({
    dataSource,
    box: createSecretBox(config.credentialsKeys),
    clientOf: clients.of,
    onRefresh: metrics.tokenRefresh,
    notify: enqueue.notifications,
  });
  const ending = new AbortController();
  const fill = createGapFiller({
    dataSource,
    signal: ending.signal,
    clientOf: clients.of,
    tokens,
    logger,
    onStored: metrics.readingsStored,
    onClosed: metrics.gapClosed,
  });
  const stage = startStage('backfill', fill, {
    backend,
    concurrency: AT_ONCE,
    logger,
    bury: bury(dataSource),
  });
  lifecycle.onClose('back-fill jobs', async () => {
    ending.abort();
    const tooLong = setTimeout(clients.abort, LET_DOWNLOADS_FINISH_MS);
    await stage.close().finally(() => clearTimeout(tooLong));
  });
  const tick = async () => {
    if (!(await isBehind(queues))) await enqueue.backfill(await claimDue(dataSource));
  };
  every('*/15 * * * * *', 'archives', tick, parts);
}

/** While readings wait to be stored, history waits longer. */
async function isBehind({ readings }: Queues): Promise<boolean> {
  const [oldest] = await readings.getWaiting(0, 0);
  return oldest !== undefined && Date.now() - oldest.timestamp > MOST_BACKLOG_MS;
}

const claimedRow = z.object({ id: z.number() });

/** Devices (`devices.id`) whose archives are to be looked at now, each for one process. */
export async function claimDue(dataSource: DataSource): Promise<number[]> {
  const [rows]: unknown[] = await dataSource.query(
    `UPDATE devices SET archives_due_at = now() + ${CLAIMED} WHERE id IN (
       SELECT id FROM devices WHERE archives_due_at <= now() ORDER BY archives_due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)
     RETURNING id`,
    [MOST_PER_TICK],
  );
  return z
    .array(claimedRow)
    .parse(rows)
    .map(({ id }) => id);
}
