import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { InputError, messageOf, sqlStateOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { ensureDataDir, keepSecret } from './data-dir.js';
import { startTimeOf } from './lock-file.js';
import {
  findPackagedPostgres,
  type PostgresBinaries,
  type RunnablePostgres,
  resolveRunnable,
} from './postgres-binaries.js';
import { type EmbeddedServer, freePort, lastPort, launch, serverHandle } from './server-process.js';

const NAME = 'grill_stats';
/** Small: this server shares a home machine with everything else. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  max_worker_processes: '4',
  autovacuum_max_workers: '2',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

export interface PostgresOptions {
  dataDir: string;
  logger: Logger;
  /** This port or none; else the one of the last start if it is free. */
  port?: number;
  /** Server settings besides ours. */
  settings?: Record<string, string>;
  /** Other programs than the platform package's, such as Debian's. */
  binaries?: PostgresBinaries;
}

interface Place {
  folder: string;
  data: string;
  password: string;
}

/**
 * The PostgreSQL of DATA_DIR: adopted if it runs, else started; made if it was never there. Its database is
 * `grill_stats`. @throws InputError for data of another major version
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedServer> {
  const folder = ensureDataDir(options.dataDir);
  const password = keepSecret(join(folder, 'postgres-password'), () => randomBytes(24).toString('base64url'));
  const place = { folder, data: join(folder, 'postgres'), password };
  const handle = (server: { pid: number; port: number }, adopted: boolean) => {
    const url = `postgres://${NAME}:${password}@127.0.0.1:${server.port}/${NAME}`;
    return serverHandle({ ...server, url, adopted }, ['SIGINT', 'SIGQUIT']);
  };
  let runnable: RunnablePostgres | undefined;
  for (let attempt = 1; ; attempt++) {
    const running = await findRunning(place);
    if (running) return handle(running, true);
    runnable ??= resolveRunnable(options.binaries ?? (await findPackagedPostgres(folder)), folder);
    if (!existsSync(place.data)) initialise(place, runnable, options.logger);
    refuseOtherMajor(place, runnable.major);
    try {
      return handle(await start(place, runnable, options), false);
    } catch (error) {
      // A dead server's children, or another process that was faster: both pass.
      if (attempt === 10 || !/bind|in use|lock file/.test(messageOf(error))) throw error;
      await sleep(200);
    }
  }
}

/** The server that postmaster.pid names, once it answers. A file that names another process is removed. */
async function findRunning(place: Place): Promise<{ pid: number; port: number } | undefined> {
  for (const deadline = performance.now() + 60_000; ; await sleep(50)) {
    const { pid, port } = readPidFile(place);
    if (pid === 0 || startTimeOf(pid) === undefined) return undefined;
    if (!commandLineOf(pid).includes(place.data)) {
      rmSync(pidFile(place)); // the pid was given out again; PostgreSQL itself would not dare
      return undefined;
    }
    if (port > 0 && (await answers(place, port))) return { pid, port };
    if (performance.now() > deadline)
      throw new Error(
        `process ${pid} is PostgreSQL on ${place.data} but does not answer: end it and start again`,
      );
  }
}

const pidFile = ({ data }: Place) => join(data, 'postmaster.pid');

/** Zero for what is not there (yet). */
function readPidFile(place: Place): { pid: number; port: number } {
  const lines = existsSync(pidFile(place)) ? readFileSync(pidFile(place), 'utf8').split('\n') : [];
  return { pid: Number(lines[0]) || 0, port: Number(lines[3]) || 0 };
}

function commandLineOf(pid: number): string {
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  return spawnSync('ps', ['-o', 'command=', '-p', `${pid}`], { encoding: 'utf8' }).stdout;
}

/** Makes the data apart and moves it in place when it is whole: an interrupted first start leaves nothing half. */
function initialise(
  { folder, data, password }: Place,
  { command, uid, gid }: RunnablePostgres,
  logger: Logger,
): void {
  const draft = join(folder, 'postgres.draft');
  const passwordFile = `${draft}.password`;
  const clean = () => {
    for (const path of [draft, passwordFile]) rmSync(path, { recursive: true, force: true });
  };
  clean();
  try {
    mkdirSync(draft, { mode: 0o700 });
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined) {
      chmodSync(folder, 0o711); // its secrets are 0600 each; the server's user must come through
      for (const path of [draft, passwordFile]) chownSync(path, uid, gid);
    }
    const flags = ['--auth=scram-sha-256', `--username=${NAME}`, '--encoding=UTF8', '--locale=C'];
    const paths = [`--pgdata=${draft}`, `--pwfile=${passwordFile}`];
    const { file, args, options } = command('initdb', [...paths, ...flags]);
    const { status, stderr, error } = spawnSync(file, args, { ...options, cwd: '/', encoding: 'utf8' });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`, { cause: error });
    if (!existsSync(data)) renameSync(draft, data);
    logger.info('embedded PostgreSQL created', { data });
  } finally {
    clean();
  }
}

function refuseOtherMajor({ data }: Place, major: number): void {
  const found = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (found === `${major}`) return;
  throw new InputError(
    `${data} holds data of PostgreSQL ${found}, this program brings ${major}: start ${found} on it, pg_dump, and restore ` +
      'into a fresh DATA_DIR; or set DATABASE_URL to that server; or set another DATA_DIR to begin anew',
  );
}

async function start(
  place: Place,
  { command, major }: RunnablePostgres,
  { port: wanted, settings }: PostgresOptions,
): Promise<{ pid: number; port: number }> {
  const portFile = join(place.folder, 'postgres-port');
  const port = wanted ?? (await freePort(lastPort(portFile)));
  const all = { ...SETTINGS, ...(major >= 18 && { io_method: 'sync' }), ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const pid = await launch(command('postgres', ['-D', place.data, '-p', `${port}`, ...flags]), {
    logPath: join(place.folder, 'postgres.log'),
    isReady: async (child) => readPidFile(place).pid === child && (await answers(place, port)),
  });
  writeFileSync(portFile, `${port}\n`);
  return { pid, port };
}

/** Whether a real connection succeeds; makes our database on the first. @throws InputError for a wrong password */
async function answers(place: Place, port: number): Promise<boolean> {
  try {
    await query(place, port, NAME, 'SELECT 1');
    return true;
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === '3D000')
      await query(place, port, 'postgres', `CREATE DATABASE ${NAME}`).catch(() => undefined);
    if (state !== '28P01') return false;
    const message = `${join(place.folder, 'postgres-password')} is not the password of ${place.data}: put it back`;
    throw new InputError(message, { cause: error });
  }
}

async function query({ password }: Place, port: number, database: string, text: string): Promise<void> {
  const login = { host: '127.0.0.1', port, user: NAME, password, database, ssl: false };
  const client = new Client({ ...login, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on('error', () => undefined); // without a listener a server that goes away would end this process
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end();
  }
}
