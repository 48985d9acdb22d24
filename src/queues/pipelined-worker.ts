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
 * done. Jobs still come one by one, in the order of the queue as far as BullMQ keeps it (what a job's end fetches may
 * overtake), never more than `concurrency`. What was asked for and not fetched when the worker closes goes back to the
 * head of the queue. A lock is renewed from a job's beginning: not for queues with a rate limit, which may fetch much later.
 */
export class PipelinedWorker<Data> extends Worker<Data, void> {
  private readonly inHand = new Set<Job<Data, void>>();
  private readonly line: Line;

  constructor(name: string, processor: Processor<Data, void>, options: WorkerOptions) {
    const line = createLine(() => (this.closing ? 0 : this.concurrency - this.inHand.size));
    super(name, processor, options, (...given) => line.standBefore(createRedisBackend(...given)));
    this.line = line;
  }

  override async close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    // Without its server none can be given back: they are found stalled, and run again.
    if (!force) await this.line.giveBack();
    await closed;
  }

  protected override createJob(...given: Parameters<Worker<Data, void>['createJob']>) {
    const job = super.createJob(...given);
    this.inHand.add(job);
    return job;
  }

  override async processJob(job: Job<Data, void>, token: string, fetchNext = () => true) {
    const own = this.line.takeToken(job.id) ?? token;
    job.token = own;
    try {
      // While earlier ones are on their way, a later one would overtake them.
      return await super.processJob(job, own, () => this.line.isEmpty() && fetchNext());
    } finally {
      this.inHand.delete(job);
    }
  }
}

interface Line {
  /** From now on the backend's answers come by way of the line. @returns the backend */
  standBefore(backend: RedisQueueBackend): RedisQueueBackend;
  isEmpty(): boolean;
  /** With what a job was locked that was asked for ahead; once. */
  takeToken(jobId: string | undefined): string | undefined;
  /** What was asked for and has not been fetched. */
  giveBack(): Promise<void>;
}

/** Asks for twice as many each time, as long as every answer holds a job and there is room for as many. */
function createLine(room: () => number): Line {
  const ahead: Promise<Answer>[] = [];
  const tokens = new Map<unknown, string>();
  let atOnce = 1;
  let isWaiting = false;
  let putBack = async (_jobId: string, _token: string): Promise<unknown> => undefined;

  async function askFor(ask: () => Promise<Answer>, token: string): Promise<Answer> {
    const answer = await ask();
    if (answer[0]) tokens.set(answer[1], token);
    return answer;
  }

  function askAhead(ask: () => Promise<Answer>, token: string): void {
    // Whoever waits for news of the queue does not fetch what was asked for beside it.
    const most = isWaiting ? 1 : Math.min(atOnce, room());
    for (let count = Math.max(1, most); count > 0; count -= 1) {
      const answer = askFor(ask, token);
      answer.catch(() => undefined); // whoever fetches it is told
      ahead.push(answer);
    }
    atOnce = Math.min(2 * atOnce, MOST_AT_ONCE);
  }

  /** The first that holds a job; if none does, the last: one request's failure stands for all. */
  async function next(ask: () => Promise<Answer>, token: string): Promise<Answer> {
    if (ahead.length === 0) askAhead(ask, token);
    let last: Promise<Answer> = Promise.resolve([]);
    for (let answer = ahead.shift(); answer; answer = ahead.shift()) {
      last = answer;
      const [fields] = await answer.catch(() => []);
      if (fields) return answer;
      atOnce = 1;
    }
    return last;
  }

  function standBefore(backend: RedisQueueBackend): RedisQueueBackend {
    const ask = backend.moveToActive.bind(backend);
    const wait = backend.waitForJob.bind(backend);
    putBack = backend.moveJobFromActiveToWait.bind(backend);
    backend.moveToActive = (token, name) => next(() => ask(token, name), token);
    backend.waitForJob = async (seconds) => {
      // The end of another job said meanwhile that the queue is empty: of those that have come it knows nothing.
      if (ahead.length > 0) return null;
      isWaiting = true;
      atOnce = 1;
      try {
        return await wait(seconds);
      } finally {
        isWaiting = false;
      }
    };
    return backend;
  }

  async function giveBack(): Promise<void> {
    const answers = await Promise.allSettled(ahead.splice(0));
    // The last one first, each before the one that was ahead of it.
    const jobIds = answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value[0] ? [String(answer.value[1])] : [],
    );
    await Promise.allSettled(jobIds.reverse().map((jobId) => putBack(jobId, takeToken(jobId) ?? '')));
  }

  function takeToken(jobId: string | undefined): string | undefined {
    const token = tokens.get(jobId);
    tokens.delete(jobId);
    return token;
  }
  return { standBefore, isEmpty: () => ahead.length === 0, takeToken, giveBack };
}
