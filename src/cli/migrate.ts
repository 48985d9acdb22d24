import type { Command } from 'commander';
import { Client } from 'pg';
import { InputError, messageOf, sqlStateOf } from '../errors.js';
import { type MigrationStep, migrateDown, migrateUp, migrationStates, stampMigrations } from '../migrate.js';
import { answering, type Context, wholeNumber } from './context.js';

const DUPLICATE_TABLE = '42P07';
const UNIQUE_VIOLATION = '23505';
const DUPLICATE_DATABASE = '42P04';

interface UpOptions {
  steps?: number;
  createDatabase?: true;
}

export function migrateCommand(program: Command, context: Context): void {
  const migrate = program.command('migrate').description('bring the database to another schema');
  const target = async () => ({ url: await context.databaseUrl(), pool: context.config.pool });
  const tell = ({ name, seconds }: MigrationStep) =>
    context.json || context.done(`${name}  ${seconds.toFixed(3)} s`, {});
  const finish = (steps: MigrationStep[]) => {
    if (context.json)
      context.list(
        steps.map(({ name, seconds }) => ({ name, seconds })),
        [],
      );
    else if (steps.length === 0) context.done('nothing to do', {});
  };

  answering(migrate, 'up', 'apply pending migrations')
    .option('--steps <n>', 'at most so many', wholeNumber(1, 1000))
    .option('--create-database', 'make the database first if it is not there')
    .action(async ({ steps, createDatabase }: UpOptions) => {
      if (createDatabase) await ensureDatabase(await context.databaseUrl());
      finish(await migrateUp(await target(), steps, tell).catch(adviseStamp));
    });
  answering(migrate, 'down', 'revert the newest migrations')
    .option('--steps <n>', 'so many', wholeNumber(1, 1000), 1)
    .action(async ({ steps }: { steps: number }) => finish(await migrateDown(await target(), steps, tell)));
  const show = (states: Awaited<ReturnType<typeof migrationStates>>) =>
    context.list(
      states.map(({ name, applied, appliedAt }) => ({ name, applied, applied_at: appliedAt })),
      ['name', 'applied', 'applied_at'],
    );
  answering(migrate, 'status', 'show each migration and when it was applied').action(async () =>
    show(await migrationStates(await target())),
  );
  answering(migrate, 'stamp [name]', 'mark migrations as applied, up to this one (default: all)').action(
    async (name?: string) => show(await stampMigrations(await target(), name)),
  );
}

async function ensureDatabase(url: string): Promise<void> {
  const server = new URL(url);
  const name = decodeURIComponent(server.pathname.slice(1));
  server.pathname = '/postgres';
  const client = new Client({ connectionString: server.toString() });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} ENCODING 'UTF8' TEMPLATE template0`);
  } catch (error) {
    // Made by another one meanwhile, the name is refused as a duplicate in the catalogue.
    if (![DUPLICATE_DATABASE, UNIQUE_VIOLATION].includes(sqlStateOf(error) ?? '')) throw error;
  } finally {
    await client.end();
  }
}

function adviseStamp(error: unknown): never {
  if (!(error instanceof Error) || sqlStateOf(error.cause) !== DUPLICATE_TABLE) throw error;
  const advice = 'if what it makes is there already, mark it as applied with `grill-stats migrate stamp`';
  throw new InputError(`${messageOf(error.cause)} (${advice})`, { cause: error });
}
