import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { CredentialManager } from './accounts/credential-manager.js';
import type { SecretBox } from './accounts/secret-box.js';
import { UserManager } from './accounts/user-manager.js';
import { AlertManager } from './alerts/alert-manager.js';
import { ChannelManager } from './notifications/channel-manager.js';
import { CHANNELS } from './notifications/channels.js';
import type { Outbound } from './notifications/outbound.js';
import type { CloudClient } from './thermoworks/cloud-client.js';

export const DEMO_EMAIL = 'demo@localhost';
/** The brisket's point: the simulator lets it pass this target within a minute. */
export const DEMO_PROBE = '2';
const DEMO_TARGET = { probeId: DEMO_PROBE, targetTemperature: 203, temperatureUnit: 'F' };
const DEMO_RECEIVER = /^http:\/\/127\.0\.0\.1:\d+\/demo-webhook$/;
const DEMO_ALERT = 'Demo: brisket done';

const delivered = z.object({ type: z.string(), summary: z.string().optional() });

/** A webhook receiver as a user would write one: it believes nothing that is not signed. */
export async function startReceiver(
  onMessage: (verified: boolean, text: string) => void,
): Promise<{ url: string; trust: (secret: string) => void; close: () => Promise<void> }> {
  let webhook: Webhook | undefined;
  const server = createServer(async (request, response) => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk));
      const body = Buffer.concat(chunks).toString('utf8');
      const message = delivered.parse(webhook?.verify(body, headers));
      onMessage(true, message.summary ?? message.type);
      response.writeHead(204).end();
    } catch {
      onMessage(false, 'a request without a valid signature');
      response.writeHead(401).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = z.custom<AddressInfo>((address) => typeof address === 'object').parse(server.address());
  return {
    url: `http://127.0.0.1:${port}/demo-webhook`,
    trust: (secret) => {
      webhook = new Webhook(secret);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

interface DemoParts {
  dataSource: DataSource;
  box: SecretBox;
  outbound: Outbound;
  client: CloudClient;
  refreshToken: string;
}

/**
 * A user whose account is linked to the built-in simulator, by the same code as any account.
 * @returns undefined where the user was removed before, or is paused since a real account was linked
 */
export async function prepareDemo(
  parts: DemoParts,
  { isFirst }: { isFirst: boolean },
): Promise<number | undefined> {
  const { dataSource, box, client, refreshToken } = parts;
  const users = new UserManager(dataSource.manager);
  const known = await users.findByEmail(DEMO_EMAIL);
  if (!known && !isFirst) return undefined;
  const user = known ?? (await users.create({ email: DEMO_EMAIL, name: 'Demo' }));
  const [account] = await new CredentialManager(dataSource.manager).list(user.id);
  if (account?.status === 'paused') return undefined;
  const tokens = await client.refresh(refreshToken);
  const cloudUser = await client.user(tokens.accessToken, tokens.uid);
  await dataSource.transaction((tx) =>
    new CredentialManager(tx).link(user.id, { provider: 'simulator', tokens, user: cloudUser }, box),
  );
  return user.id;
}

/** The demo's channel, anew at each start, since the receiver has a new address. */
export async function createDemoChannel(
  { dataSource, box, outbound }: DemoParts,
  userId: number,
  receiver: { url: string; trust: (secret: string) => void },
): Promise<void> {
  const channels = new ChannelManager(dataSource.manager, { channels: CHANNELS, secretBox: box, outbound });
  for (const { id, config } of await channels.list(userId)) {
    if (DEMO_RECEIVER.test(config.url)) await channels.delete(id);
  }
  const { secret } = await channels.create({ userId, kind: 'webhook', url: receiver.url, secret: null });
  receiver.trust(secret ?? '');
}

/** The demo's alert, anew at each start, once the first reading below the target is stored; then a closer look. */
export async function createDemoAlert(
  dataSource: DataSource,
  userId: number,
  deviceId: string,
): Promise<void> {
  await dataSource.transaction(async (tx) => {
    const alerts = new AlertManager(tx);
    for (const { publicId, name } of await alerts.list(userId))
      if (name === DEMO_ALERT) await alerts.delete(publicId);
    await alerts.create(userId, { deviceId, type: 'target', name: DEMO_ALERT, ...DEMO_TARGET });
    await new CredentialManager(tx).setPaused(userId, false);
  });
}
