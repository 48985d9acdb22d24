import {
  createRedisBackend,
  type Job,
  type Processor,
  type RedisQueueBackend,
  Worker,
  type WorkerOptions,
} from 'bullmq';

/** To "give me a job": its fields and its id if there is one, else how long to wait. */
type Answer = unknown[];

const MOST_AT_ONCE = 64;

/**
 * A worker that asks for many jobs at a time while there are more. BullMQ asks for one, waits for it, asks for the next,
 * and begins none before it has all that it may have: of a backlog, thousands of round trips during which nothing else is
 * done. Jobs still come one by one and in their order, never more than `concurrency`; what has come when the worker
 * closes, and was not begun, goes back to where it was.
 */
export class PipelinedWorker<Data> extends Worker<Data, void> {
  private readonly inHand = new Set<Job<Data, void>>();
  private readonly line: Line;

  constructor(name: string, processor: Processor<Data, void>, options: WorkerOptions) {
    const line = createLine(() => this.concurrency - this.inHand.size);
    super(name, processor, options, (...given) => line.before(createRedisBackend(...given)));
    this.line = line;
  }

  override async close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    const unwanted = this.line.rest().map(async (answer) => {
      const [fields, id] = await answer;
      if (fields) await this.backend.moveJobFromActiveToWait(String(id), this.id);
    });
    // Without its server none can be given back: they are found stalled, and run again.
    if (!force) await Promise.allSettled(unwanted);
    await closed;
  }

  /** One token for all jobs, so that it does not matter which request an answer was for. */
  protected override moveToActive(_token: string, name?: string) {
    return super.moveToActive(this.id, name);
  }

  protected override createJob(...given: Parameters<Worker<Data, void>['createJob']>) {
    const job = super.createJob(...given);
    this.inHand.add(job);
    return job;
  }

  override async processJob(...given: Parameters<Worker<Data, void>['processJob']>) {
    try {
      return await super.processJob(...given);
    } finally {
      this.inHand.delete(given[0]);
    }
  }
}

interface Line {
  /** The same backend, which asks ahead. */
  before(backend: RedisQueueBackend): RedisQueueBackend;
  /** What was asked for and has not been fetched, the last one first. */
  rest(): Promise<Answer>[];
}

/** Asks for twice as many each time, as long as every answer holds a job and there is room for as many. */
function createLine(room: () => number): Line {
  const ahead: Promise<Answer>[] = [];
  let atOnce = 1;
  let isWaiting = false;

  function askAhead(ask: () => Promise<Answer>): void {
    // Whoever waits for news of the queue does not fetch what was asked for beside it.
    const most = isWaiting ? 1 : Math.min(atOnce, room());
    for (let count = Math.max(1, most); count > 0; count -= 1) {
      const answer = ask();
      answer.catch(() => undefined); // whoever fetches it is told
      ahead.push(answer);
    }
    atOnce = Math.min(2 * atOnce, MOST_AT_ONCE);
  }

  /** The first that holds a job; if none does, the last: one request's failure stands for all. */
  async function next(ask: () => Promise<Answer>): Promise<Answer> {
    if (ahead.length === 0) askAhead(ask);
    for (;;) {
      const answer = ahead.shift() ?? ask();
      const isLast = ahead.length === 0;
      try {
        const given = await answer;
        if (given[0]) return given;
        atOnce = 1;
        if (isLast) return given;
      } catch (error) {
        atOnce = 1;
        if (isLast) throw error;
      }
    }
  }

  function before(backend: RedisQueueBackend): RedisQueueBackend {
    const ask = backend.moveToActive.bind(backend);
    const wait = backend.waitForJob.bind(backend);
    backend.moveToActive = (token, name) => next(() => ask(token, name));
    backend.waitForJob = async (seconds) => {
      // The end of another job said meanwhile that the queue is empty: of those that have come it knows nothing.
      if (ahead.length > 0) return null;
      isWaiting = true;
      try {
        return await wait(seconds);
      } finally {
        isWaiting = false;
      }
    };
    return backend;
  }
  return { before, rest: () => ahead.splice(0).reverse() };
}
