import { z } from 'zod';
import { fetchArchiveRows, fetchArchives } from './archives.js';
import { ChannelLadder } from './channel-ladder.js';
import { type ChannelList, fetchChannels } from './channels.js';
import { type CallerOptions, CloudCaller } from './cloud-caller.js';
import { type CloudCall, CloudError } from './cloud-error.js';
import { type DeviceList, fetchDevices } from './devices.js';
import { Documents } from './documents.js';
import { readUser, USER_FIELDS } from './payload.js';
import type {
  ArchiveRows,
  ChannelsWanted,
  CloudArchive,
  CloudUser,
  ProviderSettings,
  Tokens,
} from './types.js';

interface WebConfig {
  projectId: string;
  /** Null where configuration names a project and no bucket. */
  storageBucket: string | null;
}

const text = z.string().min(1);
/** The documented hour where the cloud gave no number (a client once looped on NaN). */
const lifetime = z.coerce.number().positive().max(86_400).catch(3600);
const webConfigAnswer = z.object({
  projectId: z.string().regex(/^[\w:.-]{1,100}$/),
  storageBucket: text.optional().catch(undefined),
});
const secondFactorAnswer = z.object({ mfaPendingCredential: text, idToken: z.never().optional() });
const signInAnswer = z.object({ localId: text, idToken: text, refreshToken: text, expiresIn: lifetime });
const refreshAnswer = z.object({
  user_id: text,
  access_token: text,
  refresh_token: text.optional(),
  expires_in: lifetime,
});

/** Reads one provider of the ThermoWorks Cloud. Everything throws {@link CloudError} and nothing else. */
export interface CloudClient {
  /** From configuration, else asked for once and kept. */
  webConfig(): Promise<WebConfig>;
  signIn(email: string, password: string): Promise<Tokens>;
  /** The answer's refresh token may be a new one: store it before the access token is used. */
  refresh(refreshToken: string, withinMs?: number): Promise<Tokens>;
  user(accessToken: string, uid: string): Promise<CloudUser>;
  /** All devices of the account, by id; one request for up to 299. */
  devices(accessToken: string, accountId: string): Promise<DeviceList>;
  /** One request for nine devices, where the cloud's rules let batches through. */
  channels(accessToken: string, wanted: ChannelsWanted[]): Promise<ChannelList>;
  /** A device's archives that were made at `since` or later, newest first. */
  archives(accessToken: string, deviceId: string, since: Date): Promise<CloudArchive[]>;
  /** All that an archive holds: a file of 50 MB at most. */
  archiveRows(accessToken: string, filename: string): Promise<ArchiveRows>;
  /** Ends kept-alive connections. */
  close(): void;
}

/** A client with its own connections, breakers and memory of what the provider's rules allow. */
export function createCloudClient({
  provider,
  now = () => new Date(),
  random = Math.random,
  ...rest
}: { provider: ProviderSettings } & Partial<CallerOptions>): CloudClient {
  const caller = new CloudCaller(Object.values(provider.hosts), { now, random, ...rest });
  const webConfig = keepFirst(() => askWebConfig(caller, provider));
  const documents = new Documents(caller, provider, async () => (await webConfig()).projectId);
  const ladder = new ChannelLadder(now);
  return {
    webConfig,
    signIn: (email, password) => signIn(caller, provider, { email, password }),
    refresh: (refreshToken, withinMs) => refresh(caller, provider, { refreshToken, withinMs }),
    user: (accessToken, uid) => fetchUser(documents, accessToken, uid),
    devices: (accessToken, accountId) => fetchDevices(documents, accessToken, accountId),
    channels: (accessToken, wanted) => fetchChannels(documents, ladder, accessToken, wanted),
    archives: (accessToken, deviceId, since) => fetchArchives(documents, accessToken, deviceId, since),
    archiveRows: async (accessToken, filename) => {
      const { storageBucket: bucket } = await webConfig();
      if (bucket === null) throw new CloudError('archive_file', 'rejected', 'no_bucket');
      return fetchArchiveRows(caller, provider, accessToken, { bucket, filename });
    },
    close: () => caller.close(),
  };
}

/** Callers at the same time share one call; only a failed one is made again. */
function keepFirst<T>(ask: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return () => {
    kept ??= ask().catch((error) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };
}

async function askWebConfig(caller: CloudCaller, provider: ProviderSettings): Promise<WebConfig> {
  const { apiKey, appId, referer, hosts, projectId, storageBucket } = provider;
  if (projectId) return { projectId, storageBucket: storageBucket ?? null };
  const { body } = await caller.send({
    call: 'web_config',
    method: 'GET',
    url: `${hosts.firebase}/v1alpha/projects/-/apps/${encodeURIComponent(appId)}/webConfig`,
    headers: { accept: 'application/json', 'x-goog-api-key': apiKey, referer },
  });
  const answer = parse('web_config', webConfigAnswer, body);
  return { projectId: answer.projectId, storageBucket: storageBucket ?? answer.storageBucket ?? null };
}

async function signIn(
  caller: CloudCaller,
  { hosts, apiKey, referer }: ProviderSettings,
  login: { email: string; password: string },
): Promise<Tokens> {
  const { body } = await caller.send({
    call: 'sign_in',
    method: 'POST',
    url: `${hosts.identity}/v1/accounts:signInWithPassword?key=${encodeURIComponent(apiKey)}`,
    headers: { 'Content-Type': 'application/json', referer },
    body: JSON.stringify({ ...login, returnSecureToken: true }),
  });
  if (secondFactorAnswer.safeParse(body).success)
    throw new CloudError('sign_in', 'unsupported', 'second_factor');
  const { localId, idToken, refreshToken, expiresIn } = parse('sign_in', signInAnswer, body);
  return { uid: localId, accessToken: idToken, refreshToken, expiresInSeconds: expiresIn };
}

async function refresh(
  caller: CloudCaller,
  { hosts, apiKey, referer }: ProviderSettings,
  { refreshToken, withinMs }: { refreshToken: string; withinMs?: number },
): Promise<Tokens> {
  const wanted = {
    call: 'refresh' as const,
    method: 'POST' as const,
    url: `${hosts.token}/v1/token?key=${encodeURIComponent(apiKey)}`,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', referer },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }).toString(),
  };
  const { body } = await caller.send(wanted, withinMs);
  const answer = parse('refresh', refreshAnswer, body);
  return {
    uid: answer.user_id,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? refreshToken,
    expiresInSeconds: answer.expires_in,
  };
}

async function fetchUser(documents: Documents, accessToken: string, uid: string): Promise<CloudUser> {
  const path = ['users', uid];
  const { body } = await documents.get('user', accessToken, { path, fields: USER_FIELDS });
  const user = readUser(body);
  if (!user) throw new CloudError('user', 'no_account', 'no_account');
  return user;
}

/** A 200 of another form is a fault of the cloud that may pass; the schema's error is not kept, it may quote a token. */
function parse<T>(call: CloudCall, schema: z.ZodType<T>, body: unknown): T {
  const answer = schema.safeParse(body);
  if (!answer.success) throw new CloudError(call, 'transient', 'malformed');
  return answer.data;
}
