import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { DeadLetter } from '../entities/dead-letter.js';
import { messageOf, NotFoundError } from '../errors.js';
import type { Queue, Queues } from './backend.js';
import { JOB_SCHEMAS, QUEUE_NAMES, type QueueName } from './jobs.js';

/** A job that no retry mends, or that has used up its attempts. */
interface DeadJob {
  queue: QueueName;
  jobId: string;
  data: unknown;
  reason: string;
  attempts: number;
}

const SWEPT_AT_ONCE = 1_000;
const FROM_THE_START = { resetAttemptsMade: true, resetAttemptsStarted: true };

/** Escapes that JSON may hold and jsonb may not: NUL and halves of surrogate pairs. */
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

export type Bury = (job: DeadJob) => Promise<void>;

/** Keeps dead jobs, each once. */
export function bury(dataSource: DataSource): Bury {
  return (job) => store(dataSource, [job]);
}

/** Keeps the newest failed jobs that a crash or a database outage left without a row. */
export async function sweepFailedJobs({
  queues,
  dataSource,
}: {
  queues: Queues;
  dataSource: DataSource;
}): Promise<void> {
  for (const queue of QUEUE_NAMES) {
    const failed = await queues[queue].getFailed(0, SWEPT_AT_ONCE - 1);
    const dead = failed.map(({ id = '', data, failedReason, attemptsMade }) => {
      return { queue, jobId: id, data, reason: messageOf(failedReason), attempts: attemptsMade };
    });
    if (dead.length > 0) await store(dataSource, dead);
  }
}

async function store(dataSource: DataSource, jobs: readonly DeadJob[]): Promise<void> {
  await dataSource.query(
    `INSERT INTO dead_letters (queue, job_id, data, reason, attempts)
     SELECT queue, "jobId", coalesce(data, 'null'), reason, attempts
     FROM jsonb_to_recordset($1) AS dead (queue text, "jobId" text, data jsonb, reason text, attempts integer)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(jobs).replace(UNSTORABLE, '$1\\ufffd')],
  );
}

/** The jobs that nothing mends by itself: reads and removals of `dead_letters`. */
export class DeadLetters {
  constructor(
    private readonly db: EntityManager,
    private readonly queues: Queues,
  ) {}

  /** Of one queue or of all, the oldest first. */
  list(queue?: QueueName): Promise<DeadLetter[]> {
    return this.db.find(DeadLetter, { where: queue ? { queue } : {}, order: { id: 'ASC' } });
  }

  /**
   * Runs jobs again: as themselves while the queue still has them as failed, else under a new id.
   * @param jobIds none: all of the queue
   * @returns the id that each runs under @throws NotFoundError, before anything is done, when one is not there
   */
  async retry(queue: QueueName, jobIds: readonly string[]): Promise<{ jobId: string; retriedAs: string }[]> {
    const letters = await this.list(queue);
    const missing = jobIds.find((id) => !letters.some(({ jobId }) => jobId === id));
    if (missing !== undefined) throw new NotFoundError(`no dead letter ${missing} in the queue ${queue}`);
    const chosen = jobIds.length === 0 ? letters : letters.filter(({ jobId }) => jobIds.includes(jobId));
    const retried: { jobId: string; retriedAs: string }[] = [];
    for (const { id, jobId, data } of chosen) {
      retried.push({ jobId, retriedAs: await this.runAgain(queue, jobId, data) });
      await this.db.delete(DeadLetter, { id });
    }
    return retried;
  }

  private async runAgain(queue: QueueName, jobId: string, data: unknown): Promise<string> {
    const job = await this.queues[queue].getJob(jobId);
    if (job && (await job.isFailed())) {
      await job.retry('failed', FROM_THE_START);
      return jobId;
    }
    const target: Queue = this.queues[queue];
    const newId = `retry-${uuidv7()}`;
    await target.add(queue, JOB_SCHEMAS[queue].parse(data), { jobId: newId });
    return newId;
  }
}
