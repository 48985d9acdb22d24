import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { toolsDir } from '../scripts/tools.js';
import { startPostgres } from '../src/embedded/postgres.js';
import { startRedis } from '../src/embedded/redis.js';
import { Lifecycle } from '../src/lifecycle.js';
import { createLogger } from '../src/logger.js';
import { command } from '../test/e2e/program.js';

/** As durable as they come (`fsync`, `synchronous_commit`, append-only); only roomier than those of a home. */
const POSTGRES = { shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min' };

/** A PostgreSQL with our tables and a Redis, of this run only. */
export interface Servers {
  folder: string;
  db: pg.Client;
  /** What `grill-stats run` needs. */
  env: { DATABASE_URL: string; REDIS_URL: string; [name: string]: string };
  /** Ends with the servers, in reverse order. */
  onClose(name: string, close: () => unknown): void;
  close(): Promise<void>;
}

export async function openServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'grill-stats-bench-'));
  const logger = createLogger({ level: 'warn', format: 'pretty' });
  const lifecycle = new Lifecycle();
  lifecycle.onClose('folder', () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({ dataDir: folder, logger, settings: POSTGRES });
  lifecycle.onClose('postgres', () => postgres.stop());
  const redis = await startRedis({ dataDir: folder, toolsDir: toolsDir(), logger });
  if (!redis) throw new Error('no Redis: install redis-server');
  lifecycle.onClose('redis', () => redis.stop());
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    QUEUE_PREFIX: `bench-${randomBytes(4).toString('hex')}`,
    CREDENTIALS_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    CONSOLE_TOKEN: randomBytes(16).toString('hex'),
    LOG_LEVEL: 'warn',
    CANARY_SECONDS: '0',
    DATA_DIR: folder,
  };
  const { code, stderr } = await command(['migrate', 'up'], env);
  if (code !== 0) throw new Error(`the tables could not be made: ${stderr}`);
  const end = () => void lifecycle.close().finally(() => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, end);
    lifecycle.onClose(signal, () => process.removeListener(signal, end));
  }
  const db = new pg.Client({ connectionString: postgres.url });
  await db.connect();
  lifecycle.onClose('connection', () => db.end());
  return {
    folder,
    db,
    env,
    onClose: (name, close) => lifecycle.onClose(name, close),
    close: () => lifecycle.close(),
  };
}

const BINARY = join(import.meta.dirname, '../bin/grill-stats.js');

/** As compose.yaml starts a worker. */
const NODE_OPTIONS = /^ +NODE_OPTIONS: (.+)$/m.exec(
  readFileSync(join(import.meta.dirname, '../compose.yaml'), 'utf8'),
)?.[1];

/** `grill-stats run` with these roles, until the servers close; with its CPU profile in the folder `profileTo`. */
export function startRoles(
  { env, onClose }: Servers,
  roles: string,
  { profileTo, ...more }: { profileTo?: string; [name: string]: string | undefined } = {},
): number {
  const flags = profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`];
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [...flags, BINARY, 'run', '--roles', roles], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { PATH, HOME, NODE_OPTIONS, ...env, ...more },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  onClose(roles, () => {
    child.kill();
    return ended;
  });
  return child.pid ?? 0;
}
