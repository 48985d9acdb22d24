import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { startApp } from '../../src/app.js';
import { loadConfig, type Role } from '../../src/config.js';
import { openQueues, type Queues } from '../../src/queues/backend.js';
import { openDatabase } from '../poller/parts.js';
import { captureLog } from '../support/captured-log.js';
import { createTestDatabase, freePort, testQueuePrefix, testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

/** What a process started with these roles would run, in this one. */
export interface Replica {
  entries: Record<string, unknown>[];
  /** Status and body of a path of its health port. */
  get(path: string): Promise<{ status: number; text: string }>;
  /** The value of a line of its metrics; NaN where there is none. */
  metric(name: string): Promise<number>;
  /** Until so many canaries of its own came through. */
  proven(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** A database and queues that processes share, with canaries in quick succession. */
export interface Installation {
  db: DataSource;
  queues: Queues;
  redis: TcpProxy;
  /** @param canarySeconds may be less than the least that CANARY_SECONDS allows */
  start(roles: Role[], env?: NodeJS.ProcessEnv, canarySeconds?: number): Promise<Replica>;
  stopAll(): Promise<void>;
  close(): Promise<void>;
}

export async function openInstallation(): Promise<Installation> {
  const database = await createTestDatabase();
  const db = await openDatabase(database.url);
  const redisUrl = await testRedisUrl();
  const redis = await startTcpProxy(redisUrl);
  const queuePrefix = testQueuePrefix();
  const { logger } = captureLog();
  const { queues, close } = await openQueues({ kind: 'redis', url: redisUrl, queuePrefix, logger });
  const running = new Set<Replica>();
  const settings = {
    DATABASE_URL: database.url,
    CREDENTIALS_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    CONSOLE_TOKEN: 'a-token-for-nobody',
    THERMOWORKS_BASE_URL: 'http://127.0.0.1:9',
    ALLOW_PRIVATE_WEBHOOKS: 'true',
    DB_POOL_SIZE: '1',
  };

  async function start(roles: Role[], env: NodeJS.ProcessEnv = {}, seconds = 0.3): Promise<Replica> {
    const port = await freePort();
    const { credentialsKeys = [], ...config } = loadConfig({ ...settings, OPS_PORT: `${port}`, ...env });
    const log = captureLog();
    const app = await startApp({
      config: {
        ...config,
        databaseUrl: database.url,
        credentialsKeys,
        canary: { ...config.canary, seconds },
      },
      roles,
      backend: { kind: 'redis', url: redis.through(redisUrl), queuePrefix, logger: log.logger },
      logger: log.logger,
      signal: new AbortController().signal,
    });
    const get = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: answer.status, text: await answer.text() };
    };
    const metric = async (name: string) => {
      const lines = (await get('/metrics')).text.split('\n');
      return Number(
        lines.find((line) => line.startsWith(`grill_stats_${name} `))?.split(' ')[1] ?? Number.NaN,
      );
    };
    const replica: Replica = {
      entries: log.entries,
      get,
      metric,
      async proven(count) {
        const isProven = async () => (await metric('canaries_total{outcome="delivered"}')) >= count;
        await waitFor(isProven, { timeoutMs: 60_000, what: `${count} canaries` });
      },
      async stop() {
        running.delete(replica);
        await app.lifecycle.close();
      },
    };
    running.add(replica);
    return replica;
  }

  const stopAll = async () => {
    for (const replica of running) await replica.stop();
  };

  return {
    db,
    queues,
    redis,
    start,
    stopAll,
    async close() {
      await stopAll();
      for (const queue of Object.values(queues)) await queue.obliterate({ force: true });
      await close();
      await redis.close();
      await db.destroy();
      await database.drop();
    },
  };
}
