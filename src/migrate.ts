import { setTimeout } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import type { PoolSettings } from './config.js';
import { createDatabase } from './database.js';
import { InputError } from './errors.js';
import type { Logger } from './logger.js';

/** Two programs that migrate at once: the second waits for the first, and then finds nothing left to do. */
const LOCK = `hashtext('grill_stats_migrations')`;
const ASK_LOCK_MS = 200;

export interface MigrationStep {
  name: string;
  seconds: number;
}

export interface MigrationState {
  name: string;
  applied: boolean;
  /** By our clock; null while pending. */
  appliedAt: Date | null;
}

interface Target {
  url: string;
  pool: PoolSettings;
  logger?: Logger;
}

/** Applies pending migrations, oldest first, each in a transaction of its own; `steps` at most. */
export function migrateUp(
  target: Target,
  steps = Number.POSITIVE_INFINITY,
  onStep: OnStep = () => undefined,
) {
  return underLock(target, async (dataSource, runner) => {
    const pending = (await statesOf(dataSource, runner)).filter(({ applied }) => !applied).slice(0, steps);
    return runEach(dataSource, runner, pending, 'up', onStep);
  });
}

/** Reverts the newest applied migrations, newest first. */
export function migrateDown(target: Target, steps = 1, onStep: OnStep = () => undefined) {
  return underLock(target, async (dataSource, runner) => {
    const applied = (await statesOf(dataSource, runner)).filter((state) => state.applied);
    return runEach(dataSource, runner, applied.reverse().slice(0, steps), 'down', onStep);
  });
}

/** Every migration that this program knows, oldest first, with the time it was applied. */
export function migrationStates(target: Target): Promise<MigrationState[]> {
  return underLock(target, statesOf);
}

/** Marks pending migrations as applied without running them, up to and with `name` (default: all). */
export function stampMigrations(target: Target, name?: string): Promise<MigrationState[]> {
  return underLock(target, async (dataSource, runner) => {
    const states = await statesOf(dataSource, runner);
    const last = name === undefined ? states.length - 1 : states.findIndex((state) => state.name === name);
    if (last < 0) throw new InputError(`no migration ${name}: status shows their names`);
    for (const state of states.slice(0, last + 1).filter(({ applied }) => !applied))
      await record(runner, state.name);
    return statesOf(dataSource, runner);
  });
}

type OnStep = (step: MigrationStep) => void;

async function underLock<T>(
  { url, pool, logger }: Target,
  work: (dataSource: DataSource, runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const { dataSource } = createDatabase({
    url,
    pool: { ...pool, statementTimeoutMs: 0 },
    logger,
    applicationName: 'grill-stats migrate',
  });
  await dataSource.initialize();
  const runner = dataSource.createQueryRunner();
  try {
    while (!(await takeLock(runner))) await setTimeout(ASK_LOCK_MS);
    await runner.query(`CREATE TABLE IF NOT EXISTS typeorm_migrations (
      id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL, applied_at timestamptz(3) DEFAULT now())`);
    await runner.query(
      'ALTER TABLE typeorm_migrations ADD COLUMN IF NOT EXISTS applied_at timestamptz(3) DEFAULT now()',
    );
    return await work(dataSource, runner);
  } finally {
    // The lock ends with its session.
    await runner.release();
    await dataSource.destroy();
  }
}

/** Asked for again and again rather than waited for: a waiting statement would hold up concurrent index builds. */
async function takeLock(runner: QueryRunner): Promise<boolean> {
  const [row]: { taken: boolean }[] = await runner.query(`SELECT pg_try_advisory_lock(${LOCK}) AS taken`);
  return row?.taken === true;
}

const nameOf = (migration: DataSource['migrations'][number]): string =>
  migration.name ?? migration.constructor.name;

async function statesOf(dataSource: DataSource, runner: QueryRunner): Promise<MigrationState[]> {
  const rows: { name: string; applied_at: Date }[] = await runner.query(
    'SELECT name, applied_at FROM typeorm_migrations',
  );
  const appliedAt = new Map(rows.map(({ name, applied_at }) => [name, applied_at]));
  const names = dataSource.migrations.map(nameOf).sort((a, b) => timestampOf(a) - timestampOf(b));
  return names.map((name) => ({
    name,
    applied: appliedAt.has(name),
    appliedAt: appliedAt.get(name) ?? null,
  }));
}

/** TypeORM's rule: a migration's name ends with the milliseconds at which it was made. */
const timestampOf = (name: string): number => Number(name.slice(-13));

async function runEach(
  dataSource: DataSource,
  runner: QueryRunner,
  states: readonly MigrationState[],
  direction: 'up' | 'down',
  onStep: OnStep,
): Promise<MigrationStep[]> {
  const steps: MigrationStep[] = [];
  for (const { name } of states) {
    const migration = dataSource.migrations.find((candidate) => nameOf(candidate) === name);
    const startedAt = performance.now();
    await runner.startTransaction();
    try {
      await migration?.[direction](runner);
      if (direction === 'up') await record(runner, name);
      else await runner.query('DELETE FROM typeorm_migrations WHERE name = $1', [name]);
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction();
      throw new Error(`migration ${name} ${direction} failed: nothing of it was kept`, { cause: error });
    }
    const step = { name, seconds: Math.round(performance.now() - startedAt) / 1000 };
    steps.push(step);
    onStep(step);
  }
  return steps;
}

async function record(runner: QueryRunner, name: string): Promise<void> {
  await runner.query('INSERT INTO typeorm_migrations ("timestamp", name) VALUES ($1, $2)', [
    timestampOf(name),
    name,
  ]);
}
