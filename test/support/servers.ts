import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { findToolOrSay, toolsDir } from '../../scripts/tools.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { startRedis } from '../../src/embedded/redis.js';
import { type EmbeddedServer, freePort as portNear } from '../../src/embedded/server-process.js';
import { createLogger } from '../../src/logger.js';
import { migrateTemplate } from './migrate-template.js';

/**
 * A port that nothing listens on, below those that the system gives out by itself: until its taker listens there, no
 * other server that asks for any port can get it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const wanted = 10_000 + Math.floor(Math.random() * 20_000);
    if ((await portNear(wanted)) === wanted) return wanted;
  }
}

const logger = createLogger({ level: 'warn', format: 'pretty' });
/** Nothing here outlives the test run. */
const CARELESS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
const servers: EmbeddedServer[] = [];
const guards: ChildProcess[] = [];
let folder: string | undefined;
let postgres: Promise<string> | undefined;
let debianPostgres: Promise<string> | undefined;
let redis: Promise<string> | undefined;
let template: Promise<string> | undefined;

/** The PostgreSQL of this test run, started on the first call: 18 with pg_stat_statements, or DATABASE_TEST_URL. */
export function testDatabaseUrl(): Promise<string> {
  const start = async () => {
    const settings = { shared_preload_libraries: 'pg_stat_statements', ...CARELESS };
    return keep(await startPostgres({ dataDir: temporaryFolder(), logger, settings }));
  };
  postgres ??= process.env.DATABASE_TEST_URL ? Promise.resolve(process.env.DATABASE_TEST_URL) : start();
  return postgres;
}

/** Debian's PostgreSQL 15, started on the first call, or undefined after saying why not. */
export async function debianPostgresUrl(): Promise<string | undefined> {
  const tool = await findToolOrSay('postgresql-15');
  if (!tool) return undefined;
  const start = async () => {
    const dataDir = join(temporaryFolder(), 'debian');
    const binaries = { folder: dirname(tool.path), libraryPath: tool.libraryPath };
    return keep(await startPostgres({ dataDir, logger, settings: CARELESS, binaries }));
  };
  debianPostgres ??= start();
  return debianPostgres;
}

/** The Redis of this test run, started on the first call, or REDIS_TEST_URL. */
export function testRedisUrl(): Promise<string> {
  const start = async () => {
    const server = await startRedis({ dataDir: temporaryFolder(), toolsDir: toolsDir(), logger });
    if (!server) throw new Error('no Redis: install redis-server, or let apt-get reach its mirrors');
    return keep(server);
  };
  redis ??= process.env.REDIS_TEST_URL ? Promise.resolve(process.env.REDIS_TEST_URL) : start();
  return redis;
}

/** A prefix of its own for each test file's queues. */
export function testQueuePrefix(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

/** A database with the newest schema, a clone of one that was migrated once. `drop` also ends its connections. */
export async function createTestDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  template ??= createTemplate();
  const source = await template;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runSql(await testDatabaseUrl(), `CREATE DATABASE ${name} TEMPLATE ${source}`);
  return { url: await urlOf(name), drop: () => dropDatabase(name) };
}

/** A database without any table, on the server of this test run or the one at `server`. */
export async function createEmptyDatabase(server?: string): Promise<{ url: string; drop(): Promise<void> }> {
  const home = server ?? (await testDatabaseUrl());
  const name = `test_${randomBytes(6).toString('hex')}`;
  await runSql(home, `CREATE DATABASE ${name}`);
  return { url: databaseOn(home, name), drop: () => runSql(home, dropSql(name)) };
}

/** Named by chance, so that two runs on one DATABASE_TEST_URL do not meet. */
async function createTemplate(): Promise<string> {
  const name = `grill_stats_template_${randomBytes(6).toString('hex')}`;
  await runSql(await testDatabaseUrl(), `CREATE DATABASE ${name}`);
  await migrateTemplate(await urlOf(name));
  return name;
}

async function urlOf(database: string): Promise<string> {
  return databaseOn(await testDatabaseUrl(), database);
}

function databaseOn(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.toString();
}

const dropSql = (name: string) => `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`;

async function dropDatabase(name: string): Promise<void> {
  await runSql(await testDatabaseUrl(), dropSql(name));
}

async function runSql(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end();
  }
}

function temporaryFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'grill-stats-test-'));
  return folder;
}

/** Ends the server also when this process is killed, which no hook of its own would see. */
function keep(server: EmbeddedServer): string {
  servers.push(server);
  const script = 'cat > /dev/null; kill -s QUIT "$0" && sleep 1; kill -s KILL "$0"; rm -rf "$1"';
  const words = ['-c', script, `${server.pid}`, temporaryFolder()];
  const guard = spawn('sh', words, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guards.push(guard);
  guard.unref();
  if (guard.stdin && 'unref' in guard.stdin && typeof guard.stdin.unref === 'function') guard.stdin.unref();
  return server.url;
}

// A root hook, since this module is loaded by test files outside any `describe`: runs once, after the last test.
after('stop the servers', async () => {
  const name = await template?.catch(() => undefined);
  if (name) await dropDatabase(name);
  for (const server of servers) await server.stop();
  for (const guard of guards) guard.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
});
