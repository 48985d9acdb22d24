import type { Command } from 'commander';
import { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { messageOf } from '../errors.js';
import { redisStateFrom } from '../queues/redis-state.js';
import { appliedMigrations } from '../schema-state.js';
import { answering, type Context } from './context.js';

/** Says what is good, or throws what is not and what to do. */
type Check = () => Promise<string>;

const OLDEST_POSTGRES = 140_000;
const MOST_SKEW_MS = 2_000;

export function doctorCommand(program: Command, context: Context): void {
  answering(program, 'doctor', 'look at configuration, servers and stored data, and say what to do').action(
    async () => {
      const rows = [];
      for (const [check, run] of Object.entries(await checksOf(context))) {
        rows.push(
          await run().then(
            (detail) => ({ check, ok: true, detail }),
            (error: unknown) => ({ check, ok: false, detail: messageOf(error) || 'does not answer' }),
          ),
        );
      }
      context.list(rows, ['check', 'ok', 'detail']);
      const bad = rows.filter(({ ok }) => !ok).map(({ check }) => check);
      if (bad.length === 0) return;
      context.exitCode = 1;
      context.fail(`not in order: ${bad.join(', ')}`);
    },
  );
}

async function checksOf(context: Context): Promise<Record<string, Check>> {
  const before = { configuration: async () => checkConfiguration(context), queue: () => checkRedis(context) };
  try {
    const db = await context.connect();
    return {
      ...before,
      database: () => checkServer(db),
      connections: () => checkConnections(db, context.config.pool),
      migrations: () => checkMigrations(db),
      schema: () => checkDrift(db),
      readings: () => checkOrphans(db),
      clock: () => checkClock(db),
    };
  } catch (error) {
    return { ...before, database: () => Promise.reject(error) };
  }
}

function checkConfiguration(context: Context): string {
  context.secretBox();
  const { databaseUrl, dataDir } = context.config;
  return databaseUrl === undefined ? `embedded servers in ${dataDir}` : 'servers from the environment';
}

/** One row of text columns. */
async function ask(db: DataSource, query: string): Promise<Record<string, string>> {
  const rows: unknown = await db.query(query);
  return z.array(z.record(z.string(), z.coerce.string())).parse(rows)[0] ?? {};
}

async function checkServer(db: DataSource): Promise<string> {
  const { version, number, encoding } = await ask(
    db,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number,
       pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()`,
  );
  if (Number(number) < OLDEST_POSTGRES) throw new Error(`PostgreSQL ${version}: install 14 or newer`);
  if (encoding !== 'UTF8')
    throw new Error(`encoding ${encoding}: make a database with ENCODING 'UTF8' and restore into it`);
  return `PostgreSQL ${version}, UTF8`;
}

async function checkConnections(
  db: DataSource,
  pool: { size: number; maxOverflow: number },
): Promise<string> {
  const { free } = await ask(
    db,
    `SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
       AS free`,
  );
  const most = pool.size + pool.maxOverflow;
  if (most > Number(free))
    throw new Error(
      `a process may take ${most} connections, the server has ${free}: lower DB_POOL_SIZE and DB_MAX_OVERFLOW`,
    );
  return `at most ${most} a process, room for ${Math.floor(Number(free) / most)} processes`;
}

async function checkMigrations(db: DataSource): Promise<string> {
  const applied = await appliedMigrations(db);
  const known = db.migrations.map((migration) => migration.name ?? migration.constructor.name);
  const pending = known.filter((name) => !applied.includes(name));
  const unknown = applied.filter((name) => !known.includes(name));
  if (pending.length > 0) throw new Error(`${pending.length} pending: run grill-stats migrate up`);
  if (unknown.length > 0) throw new Error(`newer than this program (${unknown.join(', ')}): update it`);
  return `all ${applied.length} applied`;
}

async function checkDrift(db: DataSource): Promise<string> {
  const { upQueries } = await db.driver.createSchemaBuilder().log();
  const [first] = upQueries;
  if (first) throw new Error(`${upQueries.length} differences, the first would take: ${first.query}`);
  return 'as the program expects it';
}

/** Walks from probe to probe through the primary key, not from reading to reading. */
async function checkOrphans(db: DataSource): Promise<string> {
  const { orphans, probes } = await ask(
    db,
    `WITH RECURSIVE stored (probe) AS (
       SELECT min(probe_id) FROM readings
       UNION ALL SELECT (SELECT min(probe_id) FROM readings WHERE probe_id > probe) FROM stored WHERE probe IS NOT NULL
     ), bounded AS (SELECT probe FROM stored WHERE probe IS NOT NULL LIMIT 100000)
     SELECT count(*) AS probes, count(*) FILTER (WHERE p.id IS NULL) AS orphans FROM bounded
     LEFT JOIN probes p ON p.id = probe`,
  );
  if (orphans !== '0')
    throw new Error(
      `readings of ${orphans} probes that are gone: DELETE FROM readings WHERE probe_id NOT IN (SELECT id FROM probes)`,
    );
  return `of ${probes} probes, none orphaned`;
}

async function checkClock(db: DataSource): Promise<string> {
  const before = Date.now();
  const { ms } = await ask(db, 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms');
  const now = Date.now();
  const skewMs = Math.abs(Number(ms) - (before + now) / 2) - (now - before) / 2;
  if (skewMs > MOST_SKEW_MS)
    throw new Error(
      `${Math.round(skewMs / 1000)} s apart from the database's: run a time service on both machines`,
    );
  return "with the database's";
}

async function checkRedis(context: Context): Promise<string> {
  const url = (await context.redisUrl())?.split(',')[0];
  if (url === undefined) return 'kept in PostgreSQL, for want of a Redis';
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5_000 });
  redis.on('error', () => undefined); // the call that meets it says so
  try {
    await redis.connect();
    const { version, flaws } = redisStateFrom(await redis.info());
    const [flaw] = flaws;
    if (flaw !== undefined) throw new Error(flaw);
    return `Redis ${version}, append-only, noeviction`;
  } finally {
    redis.disconnect();
  }
}
