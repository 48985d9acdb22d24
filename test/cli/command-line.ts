import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { runCli } from '../../src/cli/index.js';
import { createDatabase } from '../../src/database.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { createLogger } from '../../src/logger.js';
import { openQueues } from '../../src/queues/backend.js';
import { startSimulator } from '../../src/simulator/simulator.js';
import { TEST_POOL } from '../support/pool-settings.js';
import { createTestDatabase, testQueuePrefix, testRedisUrl } from '../support/servers.js';

const BINARY = join(import.meta.dirname, '../../bin/grill-stats.js');
const logger = createLogger({ level: 'error', format: 'json' });

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}
interface Input {
  stdin?: string;
  env?: NodeJS.ProcessEnv;
}

/** The command line over servers and a cloud of its own. */
export async function openCommandLine({ url }: { url?: string } = {}) {
  const database = url === undefined ? await createTestDatabase() : { url, drop: async () => undefined };
  const simulator = await startSimulator({ accounts: 2, devices: 4, seed: 1, speed: 1 });
  const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-cli-'));
  const redisUrl = await testRedisUrl();
  const queuePrefix = testQueuePrefix();
  const env: NodeJS.ProcessEnv = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    QUEUE_PREFIX: queuePrefix,
    DATA_DIR: dataDir,
    CREDENTIALS_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
    THERMOWORKS_BASE_URL: simulator.url,
    DB_POOL_SIZE: '1',
    DB_MAX_OVERFLOW: '4',
  };
  const { dataSource } = createDatabase({ url: database.url, pool: TEST_POOL });
  await dataSource.initialize();

  /** In this process. */
  async function run(args: string[], { stdin = '', env: more }: Input = {}): Promise<Answer> {
    const written = { stdout: '', stderr: '' };
    const into = (name: keyof typeof written) => ({
      write: (chunk: string) => {
        written[name] += chunk;
      },
    });
    const streams = { stdin: from(stdin), stdout: into('stdout'), stderr: into('stderr') };
    const code = await runCli(args, { ...env, ...more }, streams);
    return { code, ...written };
  }

  /** What a command that must succeed answers with --json. */
  async function json(args: string[], input?: Input): Promise<unknown> {
    const { code, stdout, stderr } = await run([...args, '--json'], input);
    expect(stderr, args.join(' ')).to.equal('');
    expect(code, args.join(' ')).to.equal(0);
    return JSON.parse(stdout);
  }

  /** Ends everything, and the queues with it. */
  async function close(): Promise<void> {
    const { queues, close: closeQueues } = await openQueues({
      kind: 'redis',
      url: redisUrl,
      queuePrefix,
      logger,
    });
    for (const queue of Object.values(queues)) await queue.obliterate({ force: true });
    await closeQueues();
    await dataSource.destroy();
    await simulator.close();
    await database.drop();
    rmSync(dataDir, { recursive: true });
  }

  return { env, dataSource, simulator, dataDir, redisUrl, queuePrefix, run, json, close };
}

export type CommandLine = Awaited<ReturnType<typeof openCommandLine>>;

/** The program as people start it. */
export async function runBinary(args: string[], { stdin = '', env = {} }: Input = {}): Promise<Answer> {
  const child = spawn(process.execPath, [BINARY, ...args], { env: { PATH: process.env.PATH, ...env } });
  child.stdin.end(stdin);
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/** A user linked to the simulator's first account, whose first poll is stored. */
export async function withReadings(cli: CommandLine, email: string): Promise<void> {
  await cli.json(['user', 'create', '--email', email]);
  await cli.json(['account', 'link', '--email', email, '--refresh-token-stdin'], {
    stdin: cli.simulator.accounts[0]?.refresh_token,
  });
  await cli.json(['account', 'poll', '--email', email]);
  await ingestWaiting(cli);
}

/** Does what a worker would. */
export async function ingestWaiting({ dataSource, redisUrl, queuePrefix }: CommandLine): Promise<void> {
  const { queues, close } = await openQueues({ kind: 'redis', url: redisUrl, queuePrefix, logger });
  const jobs = await queues.readings.getWaiting();
  await createIngest({ dataSource })(jobs.map(({ data }) => data));
  await queues.readings.drain();
  await close();
}

/** The value at a path of keys and indices of parsed JSON; undefined where a step is missing. */
export function at(json: unknown, path: string): unknown {
  let value = json;
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}

export const items = (json: unknown): unknown[] => (Array.isArray(json) ? json : []);

export async function countRows(db: DataSource, table: string): Promise<number> {
  const rows: unknown = await db.query(`SELECT count(*)::integer AS n FROM ${table}`);
  return Number(at(rows, '0.n'));
}

async function* from(given: string): AsyncGenerator<string> {
  yield given;
}
