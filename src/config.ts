import { resolve } from 'node:path';
import { validate } from 'node-cron';
import { z } from 'zod';
import { decoded, parseSmtpUrl, type SmtpSettings } from './notifications/smtp-url.js';
import { CLOUD_HOSTS, PROVIDERS } from './thermoworks/providers.js';
import type { ProviderName, ProviderSettings } from './thermoworks/types.js';

export const ROLES = ['poller', 'worker', 'notifier', 'console'] as const;
export type Role = (typeof ROLES)[number];

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
const flag = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((text) => text === 'true' || text === '1');
const fullUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });
const httpUrl = fullUrl.transform((url) => url.replace(/\/+$/, ''));
const mqttUrl = z
  .url({ protocol: /^mqtts?$/, error: 'must be mqtt[s]://[user:password@]host[:port]' })
  .refine((url) => decoded(url) !== undefined, 'must be mqtt[s]://[user:password@]host[:port]');
const text = z.string().trim().min(1, 'must not be empty');

const KEYS_HINT =
  'must be kid:base64(32 bytes), comma separated, each kid once (make one: openssl rand -base64 32)';
/** `kid:base64(32 bytes)`, comma separated; the first encrypts, all decrypt. */
const keyRing = z.string().transform((value, context) => {
  const keys = value
    .split(',')
    .map((entry) => /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/=]+)$/.exec(entry.trim()));
  const ring = keys.map((match) => ({ id: match?.[1] ?? '', key: Buffer.from(match?.[2] ?? '', 'base64') }));
  const distinct = new Set(ring.map(({ id }) => id)).size === ring.length;
  if (distinct && ring.every(({ id, key }) => id !== '' && key.length === 32)) return ring;
  context.addIssue({ code: 'custom', message: KEYS_HINT });
  return z.NEVER;
});

const SMTP_HINT =
  'must be smtp[s]://[user:password@]host[:port]/?from=ADDRESS; without ?from= the user must be an address';
const smtp = z.string().transform((value, context) => {
  const settings = parseSmtpUrl(value);
  if (settings) return settings;
  context.addIssue({ code: 'custom', message: SMTP_HINT });
  return z.NEVER;
});

const roles = z.string().transform((value, context) => {
  const names = value.split(',').map((name) => name.trim());
  const known = ROLES.filter((role) => names.includes(role));
  if (known.length === new Set(names).size) return known;
  context.addIssue({
    code: 'custom',
    message: `must be one or more of ${ROLES.join(', ')}, comma separated`,
  });
  return z.NEVER;
});

/** Every variable the program knows, as contract.md and compose.yaml name them. */
const environment = z
  .object({
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }).optional(),
    REDIS_URL: z
      .string()
      .regex(
        /^rediss?:\/\/[^,]+(,rediss?:\/\/[^,]+)*$/,
        'must be redis://… or rediss://…, or a comma-separated list',
      )
      .optional(),
    DATA_DIR: text.default('.grill-stats'),
    QUEUE_PREFIX: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'may hold letters, digits, - and _, at most 64')
      .default('grill-stats'),
    ROLES: roles.optional(),
    THERMOWORKS_BASE_URL: httpUrl.optional(),
    THERMOWORKS_API_KEY: text.default(PROVIDERS.thermoworks.apiKey),
    THERMOWORKS_APP_ID: text.default(PROVIDERS.thermoworks.appId),
    THERMOWORKS_PROJECT_ID: text.optional(),
    THERMOWORKS_STORAGE_BUCKET: text.optional(),
    ETI_API_KEY: text.default(PROVIDERS.eti.apiKey),
    ETI_APP_ID: text.default(PROVIDERS.eti.appId),
    ETI_PROJECT_ID: text.optional(),
    ETI_STORAGE_BUCKET: text.optional(),
    POLL_CRON: text
      .refine((pattern) => validate(pattern), 'must be a cron pattern, with seconds if it has six fields')
      .default('*/5 * * * * *'),
    POLL_MIN_SECONDS: whole(1, 86_400).default(15),
    POLL_MAX_SECONDS: whole(1, 86_400).default(900),
    CREDENTIALS_KEYS: keyRing.optional(),
    HTTP_HOST: text.default('127.0.0.1'),
    HTTP_PORT: whole(1, 65_535).optional(),
    PUBLIC_URL: httpUrl.optional(),
    CONSOLE_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
    OPS_HOST: text.default('127.0.0.1'),
    OPS_PORT: whole(1, 65_535).optional(),
    LOG_LEVEL: z
      .enum(['error', 'warn', 'info', 'debug'], 'must be error, warn, info or debug')
      .default('info'),
    LOG_FORMAT: z.enum(['json', 'pretty'], 'must be json or pretty').optional(),
    DB_POOL_SIZE: whole(1, 1000).default(10),
    DB_MAX_OVERFLOW: whole(0, 1000).default(20),
    DB_POOL_RECYCLE: whole(1, 604_800).default(3600),
    DB_POOL_PRE_PING: flag.default(true),
    DB_POOL_TIMEOUT: whole(1, 3600).default(30),
    DB_STATEMENT_TIMEOUT: whole(0, 86_400_000).default(30_000),
    DB_LOG_QUERIES: flag.default(false),
    SMTP_URL: smtp.optional(),
    MQTT_URL: mqttUrl.optional(),
    HEARTBEAT_URL: fullUrl.optional(),
    CANARY_SECONDS: whole(0, 3_600).default(60),
    ALLOW_PRIVATE_WEBHOOKS: flag.optional(),
    READINGS_RETENTION_DAYS: whole(1, 36_500).default(400),
  })
  .refine(({ POLL_MIN_SECONDS: min, POLL_MAX_SECONDS: max }) => !(min > max), {
    path: ['POLL_MIN_SECONDS'],
    error: 'must not exceed POLL_MAX_SECONDS',
    // Also where another variable is wrong: one message names them all.
    when: () => true,
  });

/** The names of {@link environment}, for the check that deployment files set no other. */
export const KNOWN_VARIABLES: readonly string[] = Object.keys(environment.shape);

export interface KeyRingEntry {
  id: string;
  key: Buffer;
}

/** Of the connection pool: counts, seconds (`…Seconds`) and milliseconds (`…Ms`). */
export interface PoolSettings {
  size: number;
  maxOverflow: number;
  recycleSeconds: number;
  prePing: boolean;
  timeoutSeconds: number;
  statementTimeoutMs: number;
  logQueries: boolean;
}

export interface Config {
  databaseUrl?: string;
  redisUrl?: string;
  dataDir: string;
  queuePrefix: string;
  roles: readonly Role[];
  /** What a provider's calls need; `simulator` has its hosts only inside `up`. */
  providers: Record<ProviderName, ProviderSettings>;
  poll: { cron: string; minSeconds: number; maxSeconds: number };
  credentialsKeys?: KeyRingEntry[];
  /** `port` undefined: 8080, or under `up` the next free one. */
  http: { host: string; port?: number; publicUrl?: string; consoleToken?: string };
  ops: { host: string; port?: number };
  log: { level: string; format: 'pretty' | 'json' };
  pool: PoolSettings;
  smtp?: SmtpSettings;
  mqttUrl?: string;
  allowPrivateWebhooks?: boolean;
  /** `seconds` 0: none is sent. */
  canary: { seconds: number; heartbeatUrl?: string };
  /** Of raw readings. */
  retentionDays: number;
}

/**
 * The one reader of the environment.
 * @throws ConfigError naming every variable that is wrong, with what is allowed.
 */
export function loadConfig(env: NodeJS.ProcessEnv, { terminal = false } = {}): Config {
  // An empty variable, as compose files and shells leave them, means the same as none.
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const { success, data, error } = environment.safeParse(given);
  const wrong = success ? [] : error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') wrong.push('NODE_TLS_REJECT_UNAUTHORIZED must not be 0');
  if (!data || wrong.length > 0) throw new ConfigError(`configuration: ${wrong.join('; ')}`);
  return Object.freeze({
    databaseUrl: data.DATABASE_URL,
    redisUrl: data.REDIS_URL,
    dataDir: resolve(data.DATA_DIR),
    queuePrefix: data.QUEUE_PREFIX,
    roles: data.ROLES ?? ROLES,
    providers: providersOf(data),
    poll: { cron: data.POLL_CRON, minSeconds: data.POLL_MIN_SECONDS, maxSeconds: data.POLL_MAX_SECONDS },
    credentialsKeys: data.CREDENTIALS_KEYS,
    http: {
      host: data.HTTP_HOST,
      port: data.HTTP_PORT,
      publicUrl: data.PUBLIC_URL,
      consoleToken: data.CONSOLE_TOKEN,
    },
    ops: { host: data.OPS_HOST, port: data.OPS_PORT },
    log: { level: data.LOG_LEVEL, format: data.LOG_FORMAT ?? (terminal ? 'pretty' : 'json') },
    pool: {
      size: data.DB_POOL_SIZE,
      maxOverflow: data.DB_MAX_OVERFLOW,
      recycleSeconds: data.DB_POOL_RECYCLE,
      prePing: data.DB_POOL_PRE_PING,
      timeoutSeconds: data.DB_POOL_TIMEOUT,
      statementTimeoutMs: data.DB_STATEMENT_TIMEOUT,
      logQueries: data.DB_LOG_QUERIES,
    },
    smtp: data.SMTP_URL,
    mqttUrl: data.MQTT_URL,
    allowPrivateWebhooks: data.ALLOW_PRIVATE_WEBHOOKS,
    canary: { seconds: data.CANARY_SECONDS, heartbeatUrl: data.HEARTBEAT_URL },
    retentionDays: data.READINGS_RETENTION_DAYS,
  });
}

/** The environment is not usable; the message names every variable. Exits 2. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

function providersOf(data: z.infer<typeof environment>): Record<ProviderName, ProviderSettings> {
  const base = data.THERMOWORKS_BASE_URL;
  const hosts = base
    ? { firebase: base, identity: base, token: base, firestore: base, storage: base }
    : CLOUD_HOSTS;
  const thermoworks = {
    name: 'thermoworks' as const,
    apiKey: data.THERMOWORKS_API_KEY,
    appId: data.THERMOWORKS_APP_ID,
    referer: PROVIDERS.thermoworks.referer,
    hosts,
    projectId: data.THERMOWORKS_PROJECT_ID,
    storageBucket: data.THERMOWORKS_STORAGE_BUCKET,
  };
  const unset = { projectId: undefined, storageBucket: undefined };
  return {
    thermoworks,
    eti: {
      name: 'eti',
      apiKey: data.ETI_API_KEY,
      appId: data.ETI_APP_ID,
      referer: PROVIDERS.eti.referer,
      hosts,
      projectId: data.ETI_PROJECT_ID,
      storageBucket: data.ETI_STORAGE_BUCKET,
    },
    simulator: { ...thermoworks, name: 'simulator', ...PROVIDERS.thermoworks, ...unset },
  };
}
