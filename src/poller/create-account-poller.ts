import type { DataSource } from 'typeorm';
import { type AccessTokens, createAccessTokens, type RefreshOutcome } from '../accounts/access-token.js';
import type { SecretBox } from '../accounts/secret-box.js';
import { UserManager } from '../accounts/user-manager.js';
import { devicesNearTarget } from '../alerts/near-target.js';
import { createIngest, type IngestOutcome } from '../ingest/ingest.js';
import type { Logger } from '../logger.js';
import { NotificationManager } from '../notifications/notification-manager.js';
import type { Queues } from '../queues/backend.js';
import { createEnqueue } from '../queues/enqueue.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import type { ProviderName } from '../thermoworks/types.js';
import type { PollDependencies } from './poll-account.js';
import { createPoller, type Poller } from './poller.js';

interface Uses {
  dataSource: DataSource;
  queues: Queues;
  box: SecretBox;
  clientOf: (provider: ProviderName) => CloudClient;
  ending: PollDependencies['ending'];
  poll: { cron: string; minSeconds: number; maxSeconds: number };
  logger: Logger;
  /** After each commit of readings that the queue did not take. */
  onCommit: (outcome: IngestOutcome) => unknown;
  onInUse: PollDependencies['onInUse'];
  onRejected: PollDependencies['onRejected'];
  onPoll: (outcome: string) => void;
  onRefresh: (outcome: RefreshOutcome) => void;
}

/** Access tokens of linked accounts; whose the cloud refuses for good is told. */
export function createAccountTokens({
  dataSource,
  box,
  clientOf,
  onRefresh,
  notify,
}: Pick<Uses, 'dataSource' | 'box' | 'clientOf' | 'onRefresh'> & {
  notify: (notificationIds: readonly string[]) => unknown;
}): AccessTokens {
  return createAccessTokens({
    dataSource,
    box,
    refresh: ({ provider }, ...asked) => clientOf(provider).refresh(...asked),
    onDead: async (tx, { userId, publicId }) => {
      const ids = await new NotificationManager(tx).createAboutAccount(userId, publicId);
      return () => notify(ids);
    },
    onRefresh,
  });
}

/** A poller of linked accounts as every process has it, with all that a poll reads and writes. */
export function createAccountPoller(uses: Uses): Poller {
  const { dataSource, queues, box, clientOf, poll, logger } = uses;
  const { onCommit, onInUse, onRejected, onPoll, onRefresh, ending } = uses;
  const ingest = createIngest({ dataSource });
  const enqueue = createEnqueue({ queues, logger });
  const users = new UserManager(dataSource.manager);
  const tokens = createAccountTokens({ dataSource, box, clientOf, onRefresh, notify: enqueue.notifications });
  const shared = {
    dataSource,
    cadence: { minSeconds: poll.minSeconds, maxSeconds: poll.maxSeconds },
    random: Math.random,
    ending,
  };
  return createPoller({
    ...shared,
    pollOf: ({ provider }) => ({
      ...shared,
      client: clientOf(provider),
      tokens,
      enqueue: (job) =>
        enqueue.readings(job, async () => {
          await onCommit(await ingest([job]));
        }),
      adoptPreferences: (userId, user) => users.adoptPreferences(userId, user),
      hasTargetNear: (userId) => devicesNearTarget(dataSource.manager, userId),
      onRejected,
      onInUse,
    }),
    cron: poll.cron,
    logger,
    onPoll,
  });
}
