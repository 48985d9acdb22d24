import { setTimeout } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { Canary, CanaryState } from '../canary/canary.js';
import type { PoolCounts } from '../database-pool.js';
import { sqlStateOf } from '../errors.js';
import type { Figures, QueueFigures } from '../metrics.js';
import type { Queues } from '../queues/backend.js';
import { QUEUE_NAMES } from '../queues/jobs.js';
import { type RedisState, redisStateOf } from '../queues/redis-state.js';

/** A server that takes connections and never answers is as good as down after this time. */
const ANSWER_WITHIN_MS = 2_000;
const UNDEFINED_TABLE = '42P01';

export interface HealthSources {
  dataSource: DataSource;
  pool: () => PoolCounts;
  queues: Queues;
  /** False while the process starts or shuts down. */
  isReady: () => boolean;
  canary?: Pick<Canary, 'state'>;
}

/** What was found; undefined where a look failed or took too long. */
export interface Findings extends Figures {
  isReady: boolean;
  database?: { latencyMs: number; pendingMigrations: number };
  /** Linked accounts by status. */
  accounts?: Record<string, number>;
  redis?: RedisState;
  canary?: CanaryState;
}

/** Ready: whatever this process does, it can do. */
export function isHealthy({ isReady, database, queues, canary }: Findings): boolean {
  return isReady && database?.pendingMigrations === 0 && queues !== undefined && !canary?.isLate;
}

/** The document of `GET /health`. */
export function healthOf(findings: Findings) {
  const { database, queues, redis, pool, accounts, newestReadingLagSeconds, canary } = findings;
  return {
    status: isHealthy(findings) ? 'ready' : 'unready',
    database: { ok: database !== undefined, latency_ms: database?.latencyMs ?? null },
    queue: { ok: queues !== undefined },
    migrations: { ok: database?.pendingMigrations === 0, pending: database?.pendingMigrations ?? null },
    pool: { size: pool.size, checked_out: pool.checkedOut, idle: pool.idle, waiting: pool.waiting },
    queues: Object.fromEntries(
      (queues ?? []).map(({ name, jobs, oldestWaitingSeconds }) => [
        name,
        { ...jobs, oldest_waiting_seconds: oldestWaitingSeconds ?? null },
      ]),
    ),
    redis: redis
      ? { used_bytes: redis.usedBytes, limit_bytes: redis.limitBytes || null, flaws: redis.flaws }
      : null,
    accounts: accounts ?? null,
    newest_reading_lag_seconds: newestReadingLagSeconds ?? null,
    canary: canary
      ? {
          ok: !canary.isLate,
          age_seconds: canary.ageSeconds,
          latency_seconds: canary.latencySeconds ?? null,
        }
      : null,
  };
}

/** `essentials` is what readiness asks; both answer within two seconds, whatever the servers do. */
export function createHealthCheck({ dataSource, pool, queues, isReady, canary }: HealthSources) {
  const database = bounded(() => checkDatabase(dataSource));
  const ofQueues = bounded(() => Promise.all(QUEUE_NAMES.map((name) => figuresOf(queues[name]))));
  const rows = bounded(() => countRows(dataSource));
  const redis = bounded(() => redisStateOf(queues.readings));
  const essentials = async (): Promise<Findings> => {
    const found = await Promise.all([database(), ofQueues()]);
    const ours = { isReady: isReady(), pool: pool(), canary: canary?.state() };
    return { ...ours, database: found[0], queues: found[1] };
  };
  const everything = async (): Promise<Findings> => {
    const [counted, state, findings] = await Promise.all([rows(), redis(), essentials()]);
    return { ...findings, ...counted, redis: state };
  };
  return { essentials, everything };
}

/** Undefined on failure or when it takes too long. One that hangs is waited for, not started a second time. */
function bounded<T>(look: () => Promise<T>): () => Promise<T | undefined> {
  let running: Promise<T | undefined> | undefined;
  return async () => {
    running ??= look()
      .catch(() => undefined)
      .finally(() => {
        running = undefined;
      });
    const deadline = new AbortController();
    const tooLate = setTimeout(ANSWER_WITHIN_MS, undefined, { signal: deadline.signal }).catch(
      () => undefined,
    );
    return Promise.race([running, tooLate]).finally(() => deadline.abort());
  };
}

async function checkDatabase(dataSource: DataSource): Promise<Findings['database']> {
  const startedAt = performance.now();
  const rows: unknown = await dataSource
    .query('SELECT name FROM typeorm_migrations')
    .catch((error: unknown) => {
      if (sqlStateOf(error) === UNDEFINED_TABLE) return [];
      throw error;
    });
  const latencyMs = Math.round(performance.now() - startedAt);
  const applied = new Set(
    z
      .array(z.object({ name: z.string() }))
      .parse(rows)
      .map(({ name }) => name),
  );
  const names = dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);
  return { latencyMs, pendingMigrations: names.filter((name) => !applied.has(name)).length };
}

async function figuresOf(queue: Queues[keyof Queues]): Promise<QueueFigures> {
  const jobs = await queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed');
  const [oldest] = await queue.getWaiting(0, 0);
  const waitedMs = oldest && Date.now() - oldest.timestamp - (oldest.opts.delay ?? 0);
  return { name: queue.name, jobs, oldestWaitingSeconds: waitedMs && Math.max(0, waitedMs / 1000) };
}

const counts = z.tuple([
  z.object({ accounts: z.record(z.string(), z.number()).nullable(), lag_seconds: z.number().nullable() }),
]);

/** One statement. It reads every row of `probes`: an index on what each reading changes would cost more. */
async function countRows(
  dataSource: DataSource,
): Promise<Pick<Findings, 'accounts' | 'newestReadingLagSeconds'>> {
  const rows: unknown = await dataSource.query(
    `SELECT (SELECT jsonb_object_agg(status, n) FROM (
         SELECT c.status, count(*) AS n FROM thermoworks_credentials c
         JOIN users u ON u.id = c.user_id AND u.deleted_at IS NULL GROUP BY c.status) s) AS accounts,
       (SELECT extract(epoch FROM now() - max(last_measured_at))::float8 FROM probes) AS lag_seconds`,
  );
  const [{ accounts, lag_seconds }] = counts.parse(rows);
  return {
    accounts: { active: 0, degraded: 0, needs_reauth: 0, paused: 0, ...accounts },
    newestReadingLagSeconds: lag_seconds ?? undefined,
  };
}
