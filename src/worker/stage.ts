import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import { messageOf, PermanentError } from '../errors.js';
import { type Logger, limitedWarning } from '../logger.js';
import { createWorker, type QueueBackend } from '../queues/backend.js';
import type { Bury } from '../queues/dead-letters.js';
import { isPlainReadingsJob, JOB_SCHEMAS, type JobData, type QueueName } from '../queues/jobs.js';
import { isOutage } from './outage.js';

export interface Stage {
  name: QueueName;
  /** No new jobs; those under way finish first. */
  close(): Promise<void>;
}

const DEFER_MIN_MS = 1_000;
const DEFER_MAX_MS = 30_000;

/**
 * Runs one queue's jobs. Data are checked by the queue's schema; a `PermanentError` and the last failed attempt end in
 * the dead letters; while our own database or its network is at fault a job waits without using up an attempt.
 */
export function startStage<Name extends QueueName>(
  name: Name,
  processor: (data: JobData[Name], job: Job<JobData[Name], void>) => Promise<void>,
  {
    backend,
    concurrency,
    logger,
    bury,
  }: {
    backend: QueueBackend;
    concurrency: number;
    logger: Logger;
    bury: Bury;
  },
): Stage {
  const warnOutage = limitedWarning(logger, 'jobs wait for the database');

  const underWay = new Set<Promise<void>>();

  async function run(job: Job<JobData[Name], void>, token?: string): Promise<void> {
    try {
      const work = processor(checked(job.data), job);
      underWay.add(work);
      await work.finally(() => underWay.delete(work));
    } catch (error) {
      if (isOutage(error)) {
        warnOutage(error);
        const wait = Math.min(DEFER_MIN_MS * 2 ** Math.min(job.attemptsStarted, 5), DEFER_MAX_MS);
        await job.moveToDelayed(Date.now() + wait * (0.5 + Math.random() / 2), token);
        throw new DelayedError();
      }
      await fail(job, error);
    }
  }

  function checked(data: JobData[Name]): JobData[Name] {
    if (name === 'readings' && isPlainReadingsJob(data)) return data;
    const parsed = JOB_SCHEMAS[name].safeParse(data);
    if (parsed.success) return parsed.data;
    throw new PermanentError(`job data: ${parsed.error.issues[0]?.message ?? 'not as agreed'}`);
  }

  async function fail(job: Job<JobData[Name], void>, error: unknown): Promise<never> {
    const permanent = error instanceof PermanentError;
    const attempts = job.attemptsMade + 1;
    if (!permanent && attempts < (job.opts.attempts ?? 1)) {
      logger.warn('job failed, will retry', { queue: name, jobId: job.id, attempts, err: error });
      throw error;
    }
    logger.error('job failed for good', { queue: name, jobId: job.id, attempts, err: error });
    await bury({ queue: name, jobId: job.id ?? '', data: job.data, reason: reasonOf(error), attempts });
    throw new UnrecoverableError(messageOf(error));
  }

  const { worker, isThere, disconnect } = createWorker(name, run, backend, { concurrency });
  worker.on('error', limitedWarning(logger, 'worker failed'));
  worker.run().catch((err) => logger.error('worker stopped', { queue: name, err }));
  return {
    name,
    close: async () => {
      // Without its server no job can be reported as done: it runs again later, but what it does is finished now.
      const isCut = !isThere();
      await worker.close(isCut);
      if (isCut) await Promise.allSettled(underWay);
      disconnect();
    },
  };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
  return `${messageOf(error)}${cause}`;
}
