import { runMigrations } from 'bullmq';
import pg from 'pg';
import type { Logger } from '../logger.js';
import type { QueueBackend } from './backend.js';

/** Each worker listens on a connection of its own for good; the rest share what is left. */
const POSTGRES_CONNECTIONS = 12;

/** Redis where there is one; else, as the last rung, tables in the database that is there anyway. */
export async function chooseBackend({
  redisUrl,
  databaseUrl,
  queuePrefix,
  logger,
}: {
  redisUrl?: string;
  databaseUrl: string;
  queuePrefix: string;
  logger: Logger;
}): Promise<{ backend: QueueBackend; close: () => Promise<void> }> {
  if (redisUrl !== undefined) {
    return { backend: { kind: 'redis', url: redisUrl, queuePrefix, logger }, close: async () => undefined };
  }
  logger.warn('no Redis on this machine: the queues are kept in PostgreSQL');
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POSTGRES_CONNECTIONS,
    options: '-c search_path=bullmq,public',
  });
  pool.on('error', (err) => logger.warn('idle queue connection lost', { err }));
  const client = await pool.connect();
  try {
    await runMigrations(client);
  } finally {
    client.release();
  }
  return { backend: { kind: 'postgres', pool, queuePrefix, logger }, close: () => pool.end() };
}
