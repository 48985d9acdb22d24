import { loadConfig } from './src/config.js';
import { createDatabase } from './src/database.js';

const { databaseUrl, pool } = loadConfig(process.env);
if (!databaseUrl)
  throw new Error('DATABASE_URL is missing: set it to the database that migrations should see');

/** The data source of the migration command line. */
export default createDatabase({ url: databaseUrl, pool }).dataSource;
