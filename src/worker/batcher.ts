import { PermanentError, sqlStateOf } from '../errors.js';
import type { Ingest, IngestOutcome } from '../ingest/ingest.js';
import type { ReadingsJob } from '../queues/jobs.js';
import { isOutage } from './outage.js';

/** Commits together what many jobs bring at the same time. */
export interface Batcher {
  /** Resolves after the commit that holds the job. @throws PermanentError if PostgreSQL refuses the job's data */
  add(job: ReadingsJob): Promise<void>;
  /** Resolves when all that was added before has been committed or refused. */
  settled(): Promise<unknown>;
}

interface Waiting {
  job: ReadingsJob;
  readings: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const LANES = 2;
const TOLD_AT_ONCE = 128;
const MOST_TRIES = 4;
/** Serialisation failure, deadlock, lock not available: the same batch may well pass when tried again at once. */
const COLLISIONS = new Set(['40001', '40P01', '55P03']);

interface Uses {
  ingest: Ingest;
  onCommit: (outcome: IngestOutcome, figures: { readings: number; seconds: number }) => void;
  /** In a batch. The more, the less each costs: a probe's state is read and written once for all of its readings. */
  mostReadings?: number;
  /** As many readings make a batch as are done in this time, a sixteenth of `mostReadings` at least: others wait 2 s for a lock. */
  longestSeconds?: number;
}

/**
 * Two transactions at a time per process, so that one is worked out while the server works on the other; an account's
 * jobs are always in the same one of two lanes, one after the other. What arrives meanwhile is the lane's next batch (at
 * most 64,000 readings; 8,000 at first). A batch that fails, but for an outage, is halved until the job that is to blame stands alone.
 */
export function createBatcher(uses: Uses): Batcher {
  const lanes = Array.from({ length: LANES }, () => createLane(uses));
  return {
    add: (job) => (lanes[job.account % LANES] ?? createLane(uses)).add(job),
    settled: () => Promise.all(lanes.map((lane) => lane.settled())),
  };
}

function createLane({ ingest, onCommit, mostReadings = 64_000, longestSeconds = 1.5 }: Uses): Batcher {
  const queue: Waiting[] = [];
  let last: Promise<void> = Promise.resolve();
  let busy = false;
  let most = mostReadings / 8;

  async function drain(): Promise<void> {
    // Jobs that were taken together arrive together.
    await turn();
    while (queue.length > 0) await commit(takeBatch(queue, most));
    busy = false;
  }

  async function commit(batch: Waiting[]): Promise<void> {
    const startedAt = performance.now();
    try {
      const outcome = await withRetries(() => ingest(batch.map(({ job }) => job)));
      const readings = batch.reduce((sum, waiting) => sum + waiting.readings, 0);
      const seconds = (performance.now() - startedAt) / 1000;
      const inTime = (readings * longestSeconds) / seconds;
      if (seconds > longestSeconds) most = Math.max(mostReadings / 16, most / 2, Math.min(most, inTime));
      else if (readings > most / 2) most = Math.min(mostReadings, 2 * most, inTime);
      onCommit(outcome, { readings, seconds });
      await tell(batch);
    } catch (error) {
      await isolate(batch, error);
    }
  }

  async function isolate(batch: Waiting[], error: unknown): Promise<void> {
    const [first] = batch;
    if (isOutage(error)) {
      // It may have run into a timeout: what comes back as large would do so again.
      const readings = batch.reduce((sum, waiting) => sum + waiting.readings, 0);
      most = Math.max(mostReadings / 16, Math.min(most, readings) / 2);
      for (const { reject } of batch) reject(error);
    } else if (batch.length === 1) {
      const isPermanent = isDataError(error);
      first?.reject(
        isPermanent ? new PermanentError('readings that cannot be stored', { cause: error }) : error,
      );
    } else {
      const middle = Math.ceil(batch.length / 2);
      await commit(batch.slice(0, middle));
      await commit(batch.slice(middle));
    }
  }

  return {
    add: (job) => {
      last = new Promise((resolve, reject) => {
        const readings = job.probes.reduce((sum, { samples }) => sum + samples.length, 0);
        queue.push({ job, readings, resolve, reject });
        if (busy) return;
        busy = true;
        drain().catch(reject);
      });
      return last;
    },
    settled: () => last.catch(() => undefined),
  };
}

/** Slice by slice: to report a job as done takes time, in which the other lane's transaction would stand still. */
async function tell(batch: readonly Waiting[]): Promise<void> {
  for (const [index, { resolve }] of batch.entries()) {
    resolve();
    if (index % TOLD_AT_ONCE === TOLD_AT_ONCE - 1) await turn();
  }
}

/** The next one of the event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function takeBatch(queue: Waiting[], most: number): Waiting[] {
  let readings = 0;
  let count = 0;
  for (const waiting of queue) {
    if (count > 0 && readings + waiting.readings > most) break;
    readings += waiting.readings;
    count += 1;
  }
  return queue.splice(0, count);
}

async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= MOST_TRIES || !COLLISIONS.has(sqlStateOf(error) ?? '')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 * tries * Math.random()));
    }
  }
}

/** Classes 22 and 23 of SQLSTATE (data, integrity): the data are at fault and no retry mends them. */
function isDataError(error: unknown): boolean {
  return /^2[23]/.test(sqlStateOf(error) ?? '') || error instanceof PermanentError;
}
