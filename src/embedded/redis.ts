import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import type { Logger } from '../logger.js';
import { ensureDataDir, keepSecret } from './data-dir.js';
import { unpackDebianPackage } from './debian-package.js';
import {
  type Command,
  type EmbeddedServer,
  freePort,
  lastPort,
  launch,
  serverHandle,
} from './server-process.js';

const run = promisify(execFile);

export interface RedisOptions {
  dataDir: string;
  /** Where Debian's package is unpacked. */
  toolsDir: string;
  logger: Logger;
  /** This port or none; else the one of the last start if it is free. */
  port?: number;
  /** Server settings besides ours. */
  settings?: Record<string, string>;
}

/** The Redis of DATA_DIR: adopted if it runs, else started. Undefined where no server is to be had. */
export async function startRedis(options: RedisOptions): Promise<EmbeddedServer | undefined> {
  const folder = ensureDataDir(options.dataDir);
  const password = keepSecret(join(folder, 'redis-password'), () => randomBytes(24).toString('base64url'));
  const portFile = join(folder, 'redis-port');
  const before = lastPort(portFile);
  const handle = (pid: number, port: number, adopted: boolean) =>
    serverHandle({ url: `redis://:${password}@127.0.0.1:${port}`, pid, port, adopted }, [
      'SIGTERM',
      'SIGKILL',
    ]);

  const running = before > 0 ? await pidOf(before, password) : undefined;
  if (running !== undefined) return handle(running, before, true);
  const program = await findProgram(options);
  if (!program) return undefined;
  const port = options.port ?? (await freePort(before));
  const config = writeConfig(folder, { port: `${port}`, requirepass: password, ...options.settings });
  const pid = await launch(
    { ...program, args: [config] },
    { logPath: join(folder, 'redis.log'), isReady: async (child) => (await pidOf(port, password)) === child },
  );
  writeFileSync(portFile, `${port}\n`);
  return handle(pid, port, false);
}

/** The process id of the server that answers there and knows our password, once its data is loaded. */
async function pidOf(port: number, password: string): Promise<number | undefined> {
  const patience = { connectTimeout: 2_000, commandTimeout: 5_000, retryStrategy: null };
  const redis = new Redis({ host: '127.0.0.1', port, password, lazyConnect: true, ...patience });
  redis.on('error', () => undefined); // said by the rejection of connect
  try {
    await redis.connect(); // resolves when the append-only file is loaded
    return Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}

/** A file, since arguments are readable by everybody on the machine. */
function writeConfig(folder: string, settings: Record<string, string>): string {
  const data = join(folder, 'redis');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const all = {
    bind: '127.0.0.1',
    dir: data,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    ...settings,
  };
  const path = join(folder, 'redis.conf');
  const lines = Object.entries(all).map(([name, value]) => `${name} ${JSON.stringify(value)}\n`);
  writeFileSync(path, lines.join(''), { mode: 0o600 });
  return path;
}

/** From PATH, else Debian's package unpacked; each was seen to run. */
async function findProgram({ toolsDir, logger }: RedisOptions): Promise<Omit<Command, 'args'> | undefined> {
  for (const file of ['redis-server', 'valkey-server']) {
    const works = await run(file, ['--version']).catch(() => undefined);
    if (works) return { file, options: {} };
  }
  const unpacked = await unpackDebianPackage({ name: 'redis-server', cacheDir: toolsDir, logger });
  if (!unpacked) return undefined;
  const file = join(unpacked.root, 'usr/bin/redis-server');
  const options = { env: { LD_LIBRARY_PATH: unpacked.libraryPath } };
  try {
    await run(file, ['--version'], options);
    return { file, options };
  } catch (error) {
    logger.warn('the unpacked Redis does not run here', { err: error });
    return undefined;
  }
}
