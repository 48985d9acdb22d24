import {
  createPostgresBackend,
  type Job,
  type PostgresConnectionOptions,
  type PostgresQueueBackend,
  type Processor,
  Queue,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import type { Pool } from 'pg';
import { type Logger, limitedWarning } from '../logger.js';
import { type JobData, QUEUE_NAMES, type QueueName } from './jobs.js';
import { PipelinedWorker } from './pipelined-worker.js';
import { redisStateOf } from './redis-state.js';

/** Where the queues live: a Redis (or the nodes of a cluster), or, as the last rung of `up`, PostgreSQL. */
export type QueueBackend = { queuePrefix: string; logger: Logger } & (
  | { kind: 'redis'; url: string }
  | { kind: 'postgres'; pool: Pool }
);

export type Queues = { [Name in QueueName]: Queue<JobData[Name]> };

const HOUR_SECONDS = 3600;
const FULL_REST_MS = 1_000;
const JOB_DEFAULTS = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 },
  removeOnComplete: { count: 1_000, age: HOUR_SECONDS },
  removeOnFail: { age: 7 * 24 * HOUR_SECONDS },
  sizeLimit: 256 * 1024,
};

/** A dead peer is noticed: BullMQ's blocking read answers within 10 s, so 15 s of silence means a broken socket. */
const CONNECTION = {
  connectTimeout: 5_000,
  socketTimeout: 15_000,
  keepAlive: 10_000,
  retryStrategy: (attempt: number) => Math.min(100 * 2 ** attempt, 2_000) * (0.5 + Math.random() / 2),
};

function connect(url: string, { blocking }: { blocking: boolean }): Redis | Cluster {
  // A producer's caller would rather hear "no" at once; a worker waits for its server to come back.
  const options = blocking
    ? { ...CONNECTION, maxRetriesPerRequest: null }
    : { ...CONNECTION, maxRetriesPerRequest: 1, enableOfflineQueue: false };
  const nodes = url.split(',');
  return nodes.length === 1
    ? mended(new Redis(url, options))
    : mendedCluster(new Cluster(nodes, { redisOptions: options }));
}

/**
 * Two faults of ioredis 5.11.1 at a lost connection. It does not end the socket timer, and so cuts the next, healthy
 * connection up to 15 s later, again and again; and told to disconnect while it waits to connect again, it never says
 * that it ended, for which BullMQ's `close` waits. BullMQ makes its blocking connection by `duplicate`.
 */
function mended(client: Redis): Redis {
  client.on('close', () => {
    clearTimeout(Reflect.get(client, 'socketTimeoutTimer'));
    Reflect.set(client, 'socketTimeoutTimer', undefined);
  });
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect) => {
    const isWaiting = client.status === 'reconnecting';
    disconnect(reconnect);
    if (!isWaiting || reconnect) return;
    Reflect.get(client, 'setStatus').call(client, 'end');
    Reflect.get(client, 'flushQueue').call(client, new Error('Connection is closed.'));
  };
  client.on('connect', () => sendTogether(client.stream));
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (options) => mended(duplicate(options));
  return client;
}

/** A batch ends thousands of jobs at once: what is written in one turn of the event loop leaves in one system call. */
function sendTogether(stream: Redis['stream']): void {
  stream.write = new Proxy(stream.write, {
    apply(write, self, args) {
      if (stream.writableCorked === 0) {
        stream.cork();
        process.nextTick(() => stream.uncork());
      }
      return Reflect.apply(write, self, args);
    },
  });
}

function mendedCluster(cluster: Cluster): Cluster {
  cluster.on('+node', mended);
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (nodes, options) => mendedCluster(duplicate(nodes, options));
  return cluster;
}

/** `{<prefix>-<queue>}`: one queue, one cluster slot; different queues, different slots. */
const prefixOf = ({ queuePrefix }: QueueBackend, name: QueueName): string => `{${queuePrefix}-${name}}`;

/** Queues share one connection, which the returned `close` ends with them. */
export async function openQueues(
  backend: QueueBackend,
): Promise<{ queues: Queues; isThere: () => boolean; close: () => Promise<void> }> {
  const connection = backend.kind === 'redis' ? connect(backend.url, { blocking: false }) : undefined;
  connection?.on('error', limitedWarning(backend.logger, 'queue connection failed'));
  const queues: Queues = {
    readings: createQueue('readings', backend, connection),
    notifications: createQueue('notifications', backend, connection),
    backfill: createQueue('backfill', backend, connection),
    maintenance: createQueue('maintenance', backend, connection),
  };
  for (const name of QUEUE_NAMES) queues[name].on('error', limitedWarning(backend.logger, 'queue failed'));
  connection?.once('ready', () => void warnOfSettings(queues.readings, backend.logger));
  if (connection) await whenReady(connection);
  return {
    queues,
    isThere: () => connection === undefined || connection.status === 'ready',
    close: async () => {
      await Promise.all(QUEUE_NAMES.map((name) => queues[name].close()));
      connection?.disconnect();
    },
  };
}

async function warnOfSettings(queue: Queue, logger: Logger): Promise<void> {
  const state = await redisStateOf(queue).catch(() => undefined);
  for (const flaw of state?.flaws ?? []) logger.warn('Redis is not set up to keep jobs', { flaw });
}

/** Waits for the first connection for up to 5 s; a server that is down then is a fault of later calls. */
async function whenReady(connection: Redis | Cluster): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, CONNECTION.connectTimeout).unref();
    connection.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function createQueue<Name extends QueueName>(
  name: Name,
  backend: QueueBackend,
  connection: Redis | Cluster | undefined,
): Queue<JobData[Name]> {
  const options = { prefix: prefixOf(backend, name), defaultJobOptions: JOB_DEFAULTS };
  if (backend.kind === 'redis') return new Queue(name, { ...options, connection: connection ?? {} });
  // BullMQ's types tie a queue to its backend; the rest of the program need not know which one it is.
  return new Queue<
    JobData[Name],
    unknown,
    string,
    JobData[Name],
    unknown,
    string,
    PostgresQueueBackend,
    PostgresConnectionOptions
  >(name, { ...options, connection: backend.pool }, createPostgresBackend) as unknown as Queue<JobData[Name]>;
}

/** A worker that does not run until `run()`; its jobs run again within 25 s of its process being killed. */
export function createWorker<Name extends QueueName>(
  name: Name,
  processor: Processor<JobData[Name], void>,
  backend: QueueBackend,
  { concurrency }: { concurrency: number },
): { worker: Worker<JobData[Name], void>; isThere: () => boolean; disconnect: () => void } {
  const options: Omit<WorkerOptions, 'connection'> = {
    prefix: prefixOf(backend, name),
    concurrency,
    autorun: false,
    lockDuration: 10_000,
    stalledInterval: 5_000,
    // How often its process may die. There is no limit on starts: waiting for a database that is down is a start, too.
    maxStalledCount: 25,
    drainDelay: 5,
    // After an error, such as a lost connection: BullMQ's own 15 s would add to every outage.
    runRetryDelay: 1_000,
  };
  if (backend.kind === 'redis') {
    const connection = connect(backend.url, { blocking: true });
    connection.on('error', limitedWarning(backend.logger, 'worker connection failed'));
    return {
      worker: restingWhenFull(
        new PipelinedWorker<JobData[Name]>(name, processor, { ...options, connection }),
      ),
      isThere: () => connection.status === 'ready',
      disconnect: () => connection.disconnect(),
    };
  }
  const worker = new Worker(name, processor, { ...options, connection: backend.pool }, createPostgresBackend);
  return {
    worker: worker as unknown as Worker<JobData[Name], void>,
    isThere: () => true,
    disconnect: () => undefined,
  };
}

/** A full server refuses to hand out jobs, and BullMQ asks again at once, thousands of times a second. */
function restingWhenFull<Data>(worker: Worker<Data, void>): Worker<Data, void> {
  worker.on('error', ({ message }) => {
    if (!message.includes('OOM command not allowed') || worker.isPaused()) return;
    void worker.pause(true);
    setTimeout(() => {
      if (!worker.closing) void worker.resume();
    }, FULL_REST_MS).unref();
  });
  return worker;
}

export type { Job, Queue, Worker };
