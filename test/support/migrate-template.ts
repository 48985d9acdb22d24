import { createDatabase } from '../../src/database.js';
import { TEST_POOL } from './pool-settings.js';

/** Brings the template database, from which each test file's database is cloned, to the newest schema. */
export async function migrateTemplate(url: string): Promise<void> {
  const { dataSource } = createDatabase({ url, pool: { ...TEST_POOL, statementTimeoutMs: 0 } });
  await dataSource.initialize();
  try {
    await dataSource.runMigrations();
  } finally {
    await dataSource.destroy();
  }
}
