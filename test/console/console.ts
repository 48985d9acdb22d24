import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { createConsole } from '../../src/console/server.js';
import { createDatabase, type Database } from '../../src/database.js';
import { createLogger } from '../../src/logger.js';
import { createMetrics } from '../../src/metrics.js';
import { createLinkSigner } from '../../src/notifications/action-link.js';
import { openQueues, type QueueBackend, type Queues } from '../../src/queues/backend.js';
import { TEST_POOL } from '../support/pool-settings.js';
import { createTestDatabase, testQueuePrefix, testRedisUrl } from '../support/servers.js';
import { type FlakyProxy, startFlakyProxy } from './flaky-proxy.js';

export const TOKEN = `token-${randomBytes(12).toString('hex')}`;
export const LINKS = createLinkSigner([{ id: 'k1', key: randomBytes(32) }]);
export const BEARER = { authorization: `Bearer ${TOKEN}` };
export const logger = createLogger({ level: 'error', format: 'pretty' });
logger.silent = true; // what fails here fails on purpose

/** What the console and its checks lean on: a database and queues of a test file's own, behind proxies. */
export interface Sources {
  database: Database;
  databaseProxy: FlakyProxy;
  queues: Queues;
  backend: QueueBackend;
  redisProxy: FlakyProxy;
  close: () => Promise<void>;
}

export async function openSources(): Promise<Sources> {
  const { url, drop } = await createTestDatabase();
  const databaseProxy = await startFlakyProxy(url);
  const redisProxy = await startFlakyProxy(await testRedisUrl());
  const database = createDatabase({ url: databaseProxy.url, pool: TEST_POOL });
  await database.dataSource.initialize();
  const queuePrefix = testQueuePrefix();
  const backend = { kind: 'redis' as const, url: redisProxy.url, queuePrefix, logger };
  const { queues, close } = await openQueues(backend);
  return {
    database,
    databaseProxy,
    queues,
    backend,
    redisProxy,
    close: async () => {
      await Promise.all([databaseProxy.cutIfFrozen(), redisProxy.cutIfFrozen()]);
      await close();
      await database.dataSource.destroy();
      await Promise.all([databaseProxy.cut(), redisProxy.cut()]);
      await drop();
    },
  };
}

/** The console over these sources, not listening yet. */
export function consoleOver({ database, queues }: Sources, publicUrl?: string): Promise<FastifyInstance> {
  return createConsole({
    config: { host: '127.0.0.1', token: TOKEN, publicUrl },
    dataSource: database.dataSource,
    pool: database.pool,
    queues,
    metrics: createMetrics(),
    logger,
    isReady: () => true,
    links: LINKS,
  });
}
