import { migrateUp } from '../../src/migrate.js';
import { TEST_POOL } from '../support/pool-settings.js';

/** Migrates the database of the first argument, and says what it applied. */
const steps = await migrateUp({ url: process.argv[2] ?? '', pool: TEST_POOL });
process.stdout.write(`${JSON.stringify(steps.map(({ name }) => name))}\n`);
