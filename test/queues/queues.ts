import type { Queue } from 'bullmq';
import { openQueues, type QueueBackend, type Queues } from '../../src/queues/backend.js';
import { captureLog } from '../support/captured-log.js';
import { testQueuePrefix, testRedisUrl } from '../support/servers.js';

/** Queues of their own in the Redis of this run, and what was logged about them. */
export async function openTestQueues(url?: string): Promise<{
  backend: QueueBackend;
  queues: Queues;
  entries: Record<string, unknown>[];
  close(): Promise<void>;
}> {
  const { logger, entries } = captureLog();
  const backend = {
    kind: 'redis' as const,
    url: url ?? (await testRedisUrl()),
    queuePrefix: testQueuePrefix(),
    logger,
  };
  const { queues, close } = await openQueues(backend);
  return { backend, queues, entries, close };
}

/** Whatever data under whatever name, as another program or version might add it. */
export async function addForeign(
  queue: Queue,
  data: unknown,
  options: { jobId: string; attempts?: number },
): Promise<void> {
  await queue.add('foreign', data, options);
}
