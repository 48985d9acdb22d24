import type { DataSource } from 'typeorm';
import { createAccessTokens } from '../../src/accounts/access-token.js';
import { CredentialManager } from '../../src/accounts/credential-manager.js';
import { createSecretBox } from '../../src/accounts/secret-box.js';
import { UserManager, type UserSettings } from '../../src/accounts/user-manager.js';
import { devicesNearTarget } from '../../src/alerts/near-target.js';
import { createDatabase } from '../../src/database.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import type { PollDependencies } from '../../src/poller/poll-account.js';
import { createPoller, type Poller, type PollerDependencies } from '../../src/poller/poller.js';
import type { CallerOptions } from '../../src/thermoworks/cloud-caller.js';
import { type CloudClient, createCloudClient } from '../../src/thermoworks/cloud-client.js';
import type { ProviderName, ProviderSettings } from '../../src/thermoworks/types.js';
import { KEY, REFERER } from '../simulator/cloud.js';
import { captureLog } from '../support/captured-log.js';
import { TEST_POOL } from '../support/pool-settings.js';

export const secretBox = createSecretBox([{ id: 'test', key: Buffer.alloc(32, 7) }]);

export function clientOf(
  url: string,
  onRequest: (call: string, status: string) => void = () => undefined,
  { limits, provider, ...more }: Partial<CallerOptions> & { provider?: Partial<ProviderSettings> } = {},
): CloudClient {
  const hosts = { firebase: url, identity: url, token: url, firestore: url, storage: url };
  const app = { apiKey: KEY, appId: '1:78998049458:web:b41e9d405d8c7de95eefab', referer: REFERER };
  return createCloudClient({
    provider: { name: 'thermoworks', ...app, hosts, ...provider },
    limits: { retryBaseMs: 1, ...limits },
    onRequest,
    ...more,
  });
}

export async function openDatabase(url: string): Promise<DataSource> {
  const { dataSource } = createDatabase({ url, pool: TEST_POOL });
  await dataSource.initialize();
  return dataSource;
}

/** A user here, linked to a cloud account by its refresh token. */
export async function linkAccount(
  dataSource: DataSource,
  client: CloudClient,
  {
    email,
    refreshToken,
    provider = 'thermoworks',
    ...settings
  }: { email: string; refreshToken: string; provider?: ProviderName } & UserSettings,
): Promise<{ user: number; account: number }> {
  const tokens = await client.refresh(refreshToken);
  const cloudUser = await client.user(tokens.accessToken, tokens.uid);
  return dataSource.transaction(async (tx) => {
    const users = new UserManager(tx);
    const user = (await users.findByEmail(email)) ?? (await users.create({ email, ...settings }));
    const link = { provider, tokens, user: cloudUser };
    return { user: user.id, account: (await new CredentialManager(tx).link(user.id, link, secretBox)).id };
  });
}

/** What a poll needs, with ingest in place of a queue unless `enqueue` is given. */
export function pollParts(
  dataSource: DataSource,
  client: CloudClient,
  more: Partial<PollDependencies> = {},
): PollDependencies {
  const ingest = createIngest({ dataSource });
  return {
    dataSource,
    client,
    tokens: createAccessTokens({
      dataSource,
      box: secretBox,
      refresh: (_, refreshToken) => client.refresh(refreshToken),
      onDead: async (tx, { userId, publicId }) => {
        await new NotificationManager(tx).createAboutAccount(userId, publicId);
        return () => undefined;
      },
    }),
    enqueue: async (job) => {
      await ingest([job]);
    },
    adoptPreferences: (userId, user) => new UserManager(dataSource.manager).adoptPreferences(userId, user),
    onRejected: () => undefined,
    onInUse: () => undefined,
    hasTargetNear: (userId) => devicesNearTarget(dataSource.manager, userId),
    cadence: { minSeconds: 15, maxSeconds: 900 },
    random: () => 0.5,
    ending: new AbortController().signal,
    ...more,
  };
}

export function pollerOf(
  parts: PollDependencies,
  more: Partial<PollerDependencies> = {},
): { poller: Poller; entries: Record<string, unknown>[] } {
  const { logger, entries } = captureLog();
  const { dataSource, cadence, random } = parts;
  const cron = '* * * * * *';
  const rest = { pollOf: () => parts, cron, cadence, random, logger, onPoll: () => undefined };
  return { poller: createPoller({ dataSource, ...rest, ...more }), entries };
}
