import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '../../bin/grill-stats.js');
const KEYS = `test:${Buffer.alloc(32, 7).toString('base64')}`;
const children = new Set<ChildProcess>();

/** A real process with the worker role, which starts at once and finds its database only when it is let in. */
export interface WorkerProcess {
  letIn(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export async function spawnWorker({
  databaseUrl,
  redisUrl,
  queuePrefix,
}: {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
}): Promise<WorkerProcess> {
  const gate = await openGate(databaseUrl);
  const child = spawn(process.execPath, [PROGRAM, 'run', '--roles', 'worker', '--json'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      DATABASE_URL: gate.url,
      REDIS_URL: redisUrl,
      QUEUE_PREFIX: queuePrefix,
      CREDENTIALS_KEYS: KEYS,
      LOG_LEVEL: 'error',
      DB_POOL_SIZE: '2',
      DB_MAX_OVERFLOW: '3',
    },
  });
  children.add(child);
  const gone = once(child, 'exit');
  return {
    letIn: gate.open,
    async kill() {
      child.kill('SIGKILL');
      await gone;
      children.delete(child);
      gate.close();
    },
  };
}

/**
 * The same server behind a door: who comes while it is shut waits there. Whoever holds a row in a test may take longer
 * than the two seconds that a worker waits for a lock.
 */
async function openGate(url: string): Promise<{ url: string; open: () => void; close: () => void }> {
  const { hostname, port } = new URL(url);
  const waiting: Socket[] = [];
  let isOpen = false;
  const pass = (client: Socket) => {
    const server = dial({ host: hostname, port: Number(port) });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  };
  const door = createServer({ pauseOnConnect: true }, (client) => {
    client.on('error', () => undefined);
    if (isOpen) pass(client);
    else waiting.push(client);
  });
  await once(door.listen(0, '127.0.0.1'), 'listening');
  const behind = new URL(url);
  behind.host = `127.0.0.1:${portOf(door.address())}`;
  behind.searchParams.set('lock_timeout', '60000');
  return {
    url: behind.toString(),
    open: () => {
      isOpen = true;
      for (const client of waiting.splice(0)) pass(client);
    },
    close: () => {
      door.close();
      for (const client of waiting) client.destroy();
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

after('kill the workers', () => {
  for (const child of children) child.kill('SIGKILL');
});
