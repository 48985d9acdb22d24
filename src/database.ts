import 'reflect-metadata';
import { join } from 'node:path';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { PoolSettings } from './config.js';
import { createPoolClass, POOL_TIMING, type PoolCounts, type PoolTiming } from './database-pool.js';
import { ENTITIES } from './entities/index.js';
import { type Logger, limitedWarning } from './logger.js';

export type { PoolCounts };

/** A data source and the figures of its one pool. */
export interface Database {
  dataSource: DataSource;
  pool: () => PoolCounts;
}

/**
 * The one way to PostgreSQL. Nothing connects before `initialize()`.
 *
 * `statementTimeoutMs` 0 waits for ever (migrations). Sessions give up a lock after 2 s and an idle transaction after
 * 15 s; a query whose answer does not come ends with its socket, so that no dead connection returns to the pool.
 */
export function createDatabase({
  url,
  pool: settings,
  logger,
  applicationName = 'grill-stats',
  timing = POOL_TIMING,
}: {
  url: string;
  pool: PoolSettings;
  logger?: Logger;
  applicationName?: string;
  timing?: PoolTiming;
}): Database {
  const { Pool, counts } = createPoolClass(settings, logger, timing);
  const warnLost = logger && limitedWarning(logger, 'idle database connection lost');
  const unbounded = settings.statementTimeoutMs === 0;
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    driver: { ...pg, Pool },
    applicationName,
    entities: ENTITIES,
    migrations: [join(import.meta.dirname, 'migrations', '*.{js,ts}')],
    migrationsTableName: 'typeorm_migrations',
    migrationsTransactionMode: 'each',
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    synchronize: false,
    logging: false,
    ...(logger && { logger: queryLogger(logger, settings.logQueries) }),
    extra: {
      min: settings.size,
      max: settings.size + settings.maxOverflow,
      idleTimeoutMillis: timing.idleTimeoutMs,
      maxLifetimeSeconds: settings.recycleSeconds,
      connectionTimeoutMillis: settings.timeoutSeconds * 1000,
      keepAlive: true,
      ...(!unbounded && {
        statement_timeout: settings.statementTimeoutMs,
        query_timeout: settings.statementTimeoutMs + timing.answerGraceMs,
        lock_timeout: 2_000,
        idle_in_transaction_session_timeout: 15_000,
      }),
    },
    // Once closed, the server may go before it has heard of it.
    poolErrorHandler: (err) => {
      if (dataSource.isInitialized) warnLost?.(err);
    },
  });
  return { dataSource, pool: counts };
}

/** Query text at DEBUG if asked for, never parameters: they hold tokens. (TypeORM's `logging` is for its own loggers.) */
function queryLogger(logger: Logger, isOn: boolean) {
  const silent = () => undefined;
  return {
    logQuery: (query: string) => (isOn ? logger.debug('query', { query }) : undefined),
    logQueryError: silent,
    logQuerySlow: silent,
    logSchemaBuild: silent,
    logMigration: silent,
    log: silent,
  };
}
