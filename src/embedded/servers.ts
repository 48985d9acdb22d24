import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Lifecycle } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import { ensureDataDir } from './data-dir.js';
import { findHolder, withLock, writeHolder } from './lock-file.js';
import { startPostgres } from './postgres.js';
import { startRedis } from './redis.js';
import type { EmbeddedServer } from './server-process.js';

export interface OpenServers {
  databaseUrl: string;
  /** Undefined when not asked for, or when no Redis is to be had on this machine. */
  redisUrl?: string;
  /** Stops what no other live process uses. */
  close(): Promise<void>;
}

/** The servers of DATA_DIR: the running ones, else started. A server that dies is started again on its port. */
export async function openServers(options: {
  dataDir: string;
  logger: Logger;
  redis?: boolean;
}): Promise<OpenServers> {
  const { logger } = options;
  const dataDir = ensureDataDir(options.dataDir);
  const toolsDir = join(dataDir, 'tools');
  const lifecycle = new Lifecycle();
  const open = async (name: string, start: (port?: number) => Promise<EmbeddedServer | undefined>) => {
    const shared = await share({ dataDir, name, logger, start });
    lifecycle.onClose(name, shared.close);
    return shared.url;
  };
  try {
    const databaseUrl = await open('postgres', (port) => startPostgres({ dataDir, logger, port }));
    if (databaseUrl === undefined) throw new Error('unreachable: PostgreSQL starts or throws');
    const redisUrl = options.redis
      ? await open('redis', (port) => startRedis({ dataDir, toolsDir, logger, port }))
      : undefined;
    return { databaseUrl, redisUrl, close: () => lifecycle.close() };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

interface Share {
  dataDir: string;
  name: string;
  logger: Logger;
  start(port?: number): Promise<EmbeddedServer | undefined>;
}

/** One server for all processes that hold it: the last one to close it stops it, whoever started it. */
async function share({
  dataDir,
  name,
  logger,
  start,
}: Share): Promise<{ url?: string; close(): Promise<void> }> {
  const folder = join(dataDir, 'holders', name);
  mkdirSync(folder, { recursive: true });
  const exclusively = <T>(work: () => Promise<T>) => withLock(join(dataDir, `${name}.lock`), 300_000, work);
  const ticket = join(folder, `${process.pid}-${performance.now()}`);
  const first = await exclusively(async () => {
    const started = await start();
    if (started) writeHolder(ticket);
    return started;
  });
  if (!first) return { close: async () => undefined };
  let server = first;
  let restarting: Promise<void> | undefined;
  const restart = async () => {
    logger.warn('an embedded server ended, starting it again', { server: name, pid: server.pid });
    await exclusively(async () => {
      server = (await start(first.port)) ?? server;
    }).catch((err) => logger.error('an embedded server does not start again', { server: name, err }));
    restarting = undefined;
  };
  const watch = setInterval(() => {
    if (!server.isRunning()) restarting ??= restart();
  }, 1_000).unref();
  const close = async () => {
    clearInterval(watch);
    await restarting;
    await exclusively(async () => {
      rmSync(ticket, { force: true });
      if (!isHeld(folder)) await server.stop();
    });
  };
  return { url: first.url, close };
}

/** Whether a live process has a ticket; those of killed ones are thrown away. */
function isHeld(folder: string): boolean {
  const tickets = readdirSync(folder).map((name) => join(folder, name));
  const live = tickets.filter((path) => findHolder(path) !== undefined);
  for (const path of tickets) if (!live.includes(path)) rmSync(path, { force: true });
  return live.length > 0;
}
