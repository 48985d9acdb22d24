import { setTimeout } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { Logger } from './logger.js';

const RETRY_MS = 1_000;

/** The database was migrated by a newer program than this one. */
class NewerSchemaError extends Error {
  override name = 'NewerSchemaError';
}

/** Waits until the database answers, however long that takes. Stops when `signal` aborts. */
export async function connectWhenThere(
  dataSource: DataSource,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await until(signal, async () => {
    try {
      if (!dataSource.isInitialized) await dataSource.initialize();
      return true;
    } catch (err) {
      logger.warn('waiting for the database', { err });
      return false;
    }
  });
}

/**
 * Waits until every migration that this program knows is applied.
 * @throws NewerSchemaError when there is one that it does not know
 */
export async function awaitMigrations(
  dataSource: DataSource,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const known = dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);
  await until(signal, async () => {
    const applied = await appliedMigrations(dataSource).catch((err) => {
      logger.warn('waiting for the database', { err });
      return undefined;
    });
    if (!applied) return false;
    const unknown = applied.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw new NewerSchemaError(`the schema is newer than this program: it has ${unknown.join(', ')}`);
    const pending = known.filter((name) => !applied.includes(name));
    if (pending.length > 0)
      logger.warn('waiting for migrations: run `grill-stats migrate up`', { pending: pending.length });
    return pending.length === 0;
  });
}

/** Names of the migrations that the database has, oldest first; none before the first. */
export async function appliedMigrations(dataSource: DataSource): Promise<string[]> {
  const [{ there } = { there: null }] = await dataSource.query<{ there: string | null }[]>(
    `SELECT to_regclass('typeorm_migrations') AS there`,
  );
  if (there === null) return [];
  const rows = await dataSource.query<{ name: string }[]>('SELECT name FROM typeorm_migrations ORDER BY id');
  return rows.map(({ name }) => name);
}

async function until(signal: AbortSignal, isDone: () => Promise<boolean>): Promise<void> {
  signal.throwIfAborted();
  while (!(await isDone())) await setTimeout(RETRY_MS, undefined, { signal });
}
