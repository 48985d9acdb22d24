import { parseArgs } from 'node:util';
import type { DataSource } from 'typeorm';
import { loadConfig, type PoolSettings } from '../src/config.js';
import { createDatabase, type Database, type PoolCounts } from '../src/database.js';
import { openServers } from '../src/embedded/servers.js';
import { messageOf } from '../src/errors.js';
import { createLogger } from '../src/logger.js';

const TIMES_THE_POOL = [1, 2, 5];
const QUERY = 'SELECT pg_backend_pid() AS pid, pg_sleep(0.02)';

/** What one level of load showed. */
interface Level {
  callers: number;
  queries: number;
  /** Distinct server processes that answered. */
  connections: number;
  failures: string[];
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const line = ({ size, checkedOut, idle, waiting }: PoolCounts) =>
  `size ${size}  out ${checkedOut}  idle ${idle}  waiting ${waiting}`;

/** Prints the pool's figures each second, and keeps the largest. */
function watch(pool: () => PoolCounts, most: PoolCounts) {
  const startedAt = performance.now();
  const look = () => {
    const counts = pool();
    most.size = Math.max(most.size, counts.size);
    most.waiting = Math.max(most.waiting, counts.waiting);
    say(`   ${((performance.now() - startedAt) / 1000).toFixed(0).padStart(3)} s  ${line(counts)}`);
  };
  const timer = setInterval(look, 1_000);
  return { look, stop: () => clearInterval(timer) };
}

/** `callers` ask at once, each again and again for `seconds`. */
async function load(dataSource: DataSource, callers: number, seconds: number): Promise<Level> {
  const level: Level = { callers, queries: 0, connections: 0, failures: [] };
  const pids = new Set<number>();
  const until = performance.now() + seconds * 1000;
  const ask = async () => {
    do {
      try {
        const [row] = await dataSource.query<{ pid: number }[]>(QUERY);
        if (row) pids.add(row.pid);
        level.queries++;
      } catch (error) {
        level.failures.push(messageOf(error));
        return;
      }
    } while (performance.now() < until);
  };
  await Promise.all(Array.from({ length: callers }, ask));
  return { ...level, connections: pids.size };
}

/** What is wrong with a level and the pool after it; empty if all is well. */
function complaints({ callers, queries, connections, failures }: Level, after: PoolCounts, limit: number) {
  const unwell = [
    failures.length > 0 && `${failures.length} failed, first: ${failures[0]}`,
    connections > limit && `${connections} connections, ${limit} are allowed`,
    queries <= connections && `${queries} queries reused none of ${connections} connections`,
    after.checkedOut > 0 && `${after.checkedOut} connections were not returned`,
    after.waiting > 0 && `${after.waiting} callers still wait`,
  ].filter((text) => text !== false);
  return unwell.map((text) => `${callers} callers: ${text}`);
}

async function run(database: Database, settings: PoolSettings, seconds: number): Promise<string[]> {
  const { dataSource, pool } = database;
  const limit = settings.size + settings.maxOverflow;
  say(
    `1. the pool: size ${settings.size}, overflow ${settings.maxOverflow}, recycle ${settings.recycleSeconds} s, ` +
      `pre-ping ${settings.prePing ? 'on' : 'off'}, timeout ${settings.timeoutSeconds} s`,
  );
  await dataSource.initialize();
  const most = { ...pool() };
  const wrong: string[] = [];
  for (const times of TIMES_THE_POOL) {
    const callers = times * settings.size;
    say(`2. ${callers} callers at once: ${times} times the pool`);
    const statistics = watch(pool, most);
    const busy = load(dataSource, callers, seconds);
    statistics.look();
    const level = await busy;
    statistics.look();
    statistics.stop();
    say(`   ${level.queries} queries over ${level.connections} connections, ${level.failures.length} failed`);
    const found = complaints(level, pool(), limit);
    say(`3. ${found.length === 0 ? 'all returned' : found.join('; ')}`);
    wrong.push(...found);
  }
  say(`4. at most: size ${most.size} of ${limit}, waiting ${most.waiting}; at the end: ${line(pool())}`);
  return wrong;
}

/** The configured pool under load, against DATABASE_URL or the embedded server. */
async function main(): Promise<string[]> {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
  const config = loadConfig(process.env);
  const logger = createLogger(config.log);
  const servers = config.databaseUrl === undefined ? await openServers({ ...config, logger }) : undefined;
  const url = config.databaseUrl ?? servers?.databaseUrl ?? '';
  const database = createDatabase({
    url,
    pool: config.pool,
    logger,
    applicationName: 'grill-stats pool-test',
  });
  try {
    return await run(database, config.pool, Number(values.seconds));
  } finally {
    if (database.dataSource.isInitialized) await database.dataSource.destroy();
    await servers?.close();
  }
}

const wrong = await main().catch((error: unknown) => [messageOf(error)]);
say(wrong.length === 0 ? 'PASS' : `FAIL: ${wrong.join('; ')}`);
// A pool that failed to open keeps connections that nobody can close.
process.stdout.write('', () => process.exit(wrong.length === 0 ? 0 : 1));
