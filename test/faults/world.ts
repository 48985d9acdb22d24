import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { toolsDir } from '../../scripts/tools.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { startRedis } from '../../src/embedded/redis.js';
import { createLogger } from '../../src/logger.js';
import { command } from '../e2e/program.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { openDatabase } from '../poller/parts.js';
import { at, type Cloud, openCloud } from '../simulator/cloud.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { type Supervised, supervise } from './processes.js';
import { accessTokenOf } from './secrets.js';
import { keepServer, type ServerOfOurs } from './servers.js';
import { type Swings, startSwings } from './swings.js';
import { addUserOf, watchLeases } from './witness.js';

export type { ServerOfOurs } from './servers.js';

export interface WorldOptions {
  /** Cloud accounts, each with one user, one channel, and an alert that fires and resolves all the time. */
  accounts?: number;
  /** Of each account; the third of each is one that shows no history: what a killed poller read of it can be gone. */
  devices?: number;
  /** How fast the cloud's clock runs. */
  speed?: number;
  /** The processes, each a list of roles; default: two of all but the console. */
  processes?: string[];
  /** Settings of our processes besides those of the world. */
  env?: NodeJS.ProcessEnv;
  /** Where PostgreSQL keeps its data; default: a temporary folder. */
  postgresDir?: string;
  redisSettings?: Record<string, string>;
  postgresSettings?: Record<string, string>;
}

/** A whole installation of its own: servers, each behind a proxy, the cloud, a receiver, and processes under supervision. */
export interface World {
  cloud: Cloud;
  receiver: Receiver;
  proxies: { postgres: TcpProxy; redis: TcpProxy; cloud: TcpProxy; receiver: TcpProxy };
  /** Direct, past the proxy and past our processes; for SQL of the test. */
  db: DataSource;
  redis: ServerOfOurs;
  postgres: ServerOfOurs;
  processes: Supervised[];
  process(index: number): Supervised;
  users: { email: string; account: string; deviceId: string; alertId: string }[];
  swings: Swings;
  /** Kills of ours so far that hit a process, for the allowance of duplicates; `kill` counts by itself. */
  kills: number;
  /** Those of them that are proven to have hit it at work. */
  hits: number;
  /** Copies that a receiver caused itself by failing: not counted against us. */
  forgiven: number;
  /** Connections to the receiver that the network cut, each perhaps between its answer and us. */
  cutAnswers: number;
  /** SIGKILL, counted. */
  kill(process: Supervised, options?: { stay?: boolean }): Promise<void>;
  /** A command of ours, in this process; throws unless it exits 0. */
  cli(args: string[], stdin?: string): Promise<unknown>;
  env: NodeJS.ProcessEnv;
  /** What must never be seen in a log, metric, queue or table. */
  secrets: string[];
  close(): Promise<void>;
}

const logger = createLogger({ level: 'error', format: 'pretty' });

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const {
    accounts = 3,
    devices = 2,
    speed = 3,
    processes = ['poller,worker,notifier', 'poller,worker,notifier'],
  } = options;
  const folder = mkdtempSync(join(tmpdir(), 'grill-stats-faults-'));
  const postgres = await keepServer((port) =>
    startPostgres({
      dataDir: options.postgresDir ?? join(folder, 'data'),
      logger,
      ...(port !== undefined && { port }),
      settings: { fsync: 'off', ...options.postgresSettings },
    }),
  );
  const redis = await keepServer((port) =>
    startRedis({
      dataDir: join(folder, 'data'),
      toolsDir: toolsDir(),
      logger,
      ...(port !== undefined && { port }),
      settings: { ...options.redisSettings },
    }),
  );
  const cloud = await openCloud({ accounts, devices, seed: 5, speed, now: Date.now });
  const receiver = await startReceiver();
  const proxies = {
    postgres: await startTcpProxy(postgres.url),
    redis: await startTcpProxy(redis.url),
    cloud: await startTcpProxy(cloud.simulator.url),
    receiver: await startTcpProxy(receiver.url),
  };
  const key = randomBytes(32).toString('base64');
  const webhookSecret = `whsec_${randomBytes(24).toString('base64')}`;
  const env: NodeJS.ProcessEnv = {
    DATABASE_URL: proxies.postgres.through(postgres.url),
    REDIS_URL: proxies.redis.through(redis.url),
    CREDENTIALS_KEYS: `k1:${key}`,
    CONSOLE_TOKEN: randomBytes(24).toString('base64url'),
    THERMOWORKS_BASE_URL: proxies.cloud.through(cloud.simulator.url).replace(/\/$/, ''),
    ALLOW_PRIVATE_WEBHOOKS: 'true',
    POLL_CRON: '* * * * * *',
    POLL_MIN_SECONDS: '1',
    POLL_MAX_SECONDS: '1',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    DB_POOL_SIZE: '4',
    ...options.env,
  };
  const direct = { ...env, DATABASE_URL: postgres.url, REDIS_URL: redis.url, LOG_LEVEL: 'error' };
  const cli = async (args: string[], stdin = '') => {
    const { code, stdout, stderr } = await command([...args, '--json'], direct, stdin);
    if (code !== 0) throw new Error(`grill-stats ${args.join(' ')}: ${stderr}`);
    return stdout.trim() === '' ? undefined : JSON.parse(stdout);
  };
  const { code, stderr } = await command(['migrate', 'up'], direct);
  if (code !== 0) throw new Error(stderr);
  const db = await openDatabase(postgres.url);
  const running: Supervised[] = [];
  const world: World = {
    cloud,
    receiver,
    proxies,
    db,
    redis,
    postgres,
    processes: running,
    process(index) {
      const found = running[index];
      if (!found) throw new Error(`no process ${index}`);
      return found;
    },
    users: [],
    swings: startSwings(cloud),
    kills: 0,
    forgiven: 0,
    cutAnswers: 0,
    hits: 0,
    async kill(target, killOptions) {
      world.kills += 1;
      await target.kill(killOptions);
    },
    cli,
    env,
    secrets: [
      key,
      webhookSecret,
      webhookSecret.replace('whsec_', ''),
      env.CONSOLE_TOKEN ?? '',
      new URL(postgres.url).password,
    ],
    async close() {
      world.swings.stop();
      await Promise.all(running.map((one) => one.kill({ stay: true })));
      await db.destroy().catch(() => undefined);
      for (const proxy of Object.values(proxies)) await proxy.close();
      await receiver.close();
      await cloud.simulator.close();
      for (const server of [redis, postgres]) await server.stop().catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  countCuts(world);
  try {
    for (let index = 0; index < accounts; index++) await settle(world, index, webhookSecret);
    await watchLeases(db);
    for (const [index, roles] of processes.entries()) {
      const own = { ...env, DATABASE_URL: await addUserOf(index, db, env.DATABASE_URL ?? '') };
      running.push(await supervise(`${index} (${roles})`, ['--roles', roles], own));
    }
    for (const one of running) await one.ready();
    // A first poll takes in all that the cloud still shows, of which some would be gone should it fail.
    await arePolled(db);
    for (const { deviceId } of world.users) world.swings.add(deviceId);
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** Waits until a poll of each account ended well after this was called. */
export async function arePolled(db: DataSource): Promise<void> {
  const slow = { timeoutMs: 120_000, everyMs: 100, what: 'all accounts to be polled' };
  const read = (): Promise<{ at: Date }[]> =>
    db.query('SELECT cloud_read_at AS at FROM thermoworks_credentials ORDER BY id');
  const before = await waitFor(read, slow);
  const isNew = ({ at }: { at: Date }, index: number) => at.getTime() !== before[index]?.at.getTime();
  await waitFor(async () => (await read()).every(isNew), slow);
}

/** A user with a linked account, a channel, and an alert on the first device's first probe that the swings cross. */
async function settle(world: World, index: number, secret: string): Promise<void> {
  const { cloud, cli } = world;
  const email = `cook${index}@here.test`;
  const account = cloud.account(index);
  await cli(['user', 'create', '--email', email]);
  await cli(['account', 'link', '--email', email, '--refresh-token-stdin'], account.refresh_token);
  await cli(['account', 'poll', '--email', email]);
  const [device] = await cloud.devices(index);
  const deviceId = device?.id ?? '';
  const url = new URL(`/cook${index}`, world.proxies.receiver.through(world.receiver.url)).href;
  await cli(
    ['channel', 'create', '--email', email, '--kind', 'webhook', '--url', url, '--secret-stdin'],
    secret,
  );
  const limits = ['--max-temperature', '230', '--temperature-unit', 'F'];
  const atOnce = ['--hold-seconds', '0', '--recovery-seconds', '0', '--hysteresis', '0'];
  const about = ['--email', email, '--device', deviceId, '--probe', device?.probes[0] ?? '1'];
  await cli(['session', 'start', '--email', email, '--device', deviceId]);
  const alert = await cli(['alert', 'create', ...about, '--type', 'range', ...limits, ...atOnce]);
  world.users.push({ email, account: account.email, deviceId, alertId: String(at(alert, 'id')) });
  world.secrets.push(account.refresh_token, account.password, await accessTokenOf(cloud, index));
}

function countCuts(world: World): void {
  const { receiver } = world.proxies;
  const { set } = receiver;
  receiver.set = (mode) => {
    if (mode.kind !== 'pass' && mode.kind !== 'latency') world.cutAnswers += receiver.connections();
    return set(mode);
  };
}
