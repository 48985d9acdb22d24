import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PoolCounts } from './database-pool.js';

/** What is looked up when somebody asks for metrics. */
export interface Figures {
  pool: PoolCounts;
  /** Undefined: not known at this moment, so nothing is said of it. */
  queues?: QueueFigures[];
  /** Of the fullest node; a limit of 0 is none. */
  redis?: { usedBytes: number; limitBytes: number };
  /** Seconds since the newest reading of all probes was measured. */
  newestReadingLagSeconds?: number;
  /** Where this process sends canaries; the latency of the last that came through. */
  canary?: { ageSeconds: number; latencySeconds?: number };
}

export interface QueueFigures {
  name: string;
  /** Jobs by state. */
  jobs: Record<string, number>;
  /** Of the job that waits longest; undefined where none does. */
  oldestWaitingSeconds?: number;
}

const words = (list: string): Set<string> => new Set(list.split(' '));
const FAULTS =
  'unauthorized forbidden dead_credential bad_login no_account unsupported not_found provider rate_limited transient rejected';

/** Every label's words: no device, account or address can become one. A word not listed counts as `other`. */
const WORDS: Record<string, Set<string>> = {
  reason: words('document number range unit time clock conflict owner'),
  outcome: words(`ok own_fault ${FAULTS} refreshed dead failed delivered refused sent filled lost`),
  call: words('web_config sign_in refresh user devices channels channel_list channel archives archive_file'),
  status: words('timeout network too_large blocked aborted'),
  type: words('target range rising falling no_data battery probe_removed'),
  kind: words(
    'fired resolved repeated acknowledged snoozed webhook ntfy email mqtt slack discord telegram account.needs_reauth channel.test',
  ),
};

function labelled(names: string[], values: string[]): Record<string, string> {
  const known = (name: string, word: string) =>
    WORDS[name]?.has(word) || (name === 'status' && /^[1-5]\d\d$/.test(word));
  return Object.fromEntries(
    values.map((word, index) => [names[index] ?? '', known(names[index] ?? '', word) ? word : 'other']),
  );
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The figures of this process, on a registry of its own, in Prometheus' text format. Methods say what happened. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const named = (name: string, help: string) => ({
    name: `grill_stats_${name}`,
    help,
    registers: [registry],
  });
  /** Counts by the words of its labels, given in the order of their names. */
  const counter = (name: string, help: string, ...labelNames: string[]) => {
    const made = new Counter({ ...named(name, help), labelNames });
    return (count: number, ...values: string[]) => made.inc(labelled(labelNames, values), count);
  };
  const stored = counter('readings_stored_total', 'Readings stored');
  const rejected = counter('readings_rejected_total', 'Values from the cloud that are no readings', 'reason');
  const polls = counter('polls_total', 'Polls of accounts', 'outcome');
  const requests = counter('cloud_requests_total', 'Requests to the cloud', 'call', 'status');
  const refreshes = counter('token_refreshes_total', 'Refreshes of access tokens', 'outcome');
  const gaps = counter(
    'gaps_closed_total',
    'Gaps in readings that were filled, or given up as lost',
    'outcome',
  );
  const alertEvents = counter('alert_events_total', 'Alert events stored', 'type', 'kind');
  const deliveries = counter('deliveries_total', 'Attempts to deliver notifications', 'kind', 'outcome');
  const canaries = counter('canaries_total', 'Canaries sent, and those that came through', 'outcome');
  const heartbeats = counter('heartbeats_total', 'Fetches of HEARTBEAT_URL', 'outcome');
  const batchReadings = new Histogram({
    ...named('ingest_batch_readings', 'Readings in one ingest transaction'),
    buckets: [1, 10, 30, 100, 300, 1_000, 3_000, 10_000],
  });
  const batchSeconds = new Histogram({
    ...named('ingest_batch_seconds', 'Duration of one ingest transaction'),
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const showFigures = createGauges(named);
  return {
    contentType: registry.contentType,
    readingsStored: (count: number) => stored(count),
    readingsRejected: (reason: string, count = 1) => rejected(count, reason),
    poll: (outcome: string) => polls(1, outcome),
    cloudRequest: (call: string, status: string) => requests(1, call, status),
    tokenRefresh: (outcome: string) => refreshes(1, outcome),
    gapClosed: (outcome: 'filled' | 'lost', count: number) => gaps(count, outcome),
    ingestBatch: ({ readings, seconds }: { readings: number; seconds: number }) => {
      batchReadings.observe(readings);
      batchSeconds.observe(seconds);
    },
    alertEvent: (type: string, kind: string) => alertEvents(1, type, kind),
    delivery: (kind: string, outcome: string) => deliveries(1, kind, outcome),
    canary: (outcome: 'sent' | 'delivered') => canaries(1, outcome),
    heartbeat: (outcome: 'ok' | 'failed') => heartbeats(1, outcome),
    /** Everything counted so far, and the figures as they are now. */
    text: (figures: Figures): Promise<string> => {
      showFigures(figures);
      return registry.metrics();
    },
  };
}

function createGauges(
  named: (name: string, help: string) => { name: string; help: string; registers: Registry[] },
) {
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ ...named(name, help), labelNames });
  const jobs = gauge('queue_jobs', 'Jobs by queue and state', 'queue', 'state');
  const waiting = gauge('queue_oldest_waiting_seconds', 'Age of the job that waits longest', 'queue');
  const memory = gauge('redis_memory_bytes', 'Memory of the Redis of the queues, used and its limit', 'kind');
  const pool = gauge('db_pool_clients', 'Database connections and those who wait for one', 'state');
  const lag = gauge('newest_reading_lag_seconds', 'Age of the newest reading of all probes');
  const canaryAge = gauge('canary_age_seconds', 'Since the last canary of this process came through');
  const canaryLatency = gauge(
    'canary_latency_seconds',
    'Of the last canary that came through, to its delivery',
  );
  return (figures: Figures): void => {
    pool.set({ state: 'checked_out' }, figures.pool.checkedOut);
    pool.set({ state: 'idle' }, figures.pool.idle);
    pool.set({ state: 'waiting' }, figures.pool.waiting);
    jobs.reset();
    waiting.reset();
    for (const queue of figures.queues ?? []) {
      for (const [state, count] of Object.entries(queue.jobs)) jobs.set({ queue: queue.name, state }, count);
      waiting.set({ queue: queue.name }, queue.oldestWaitingSeconds ?? 0);
    }
    memory.reset();
    if (figures.redis) {
      memory.set({ kind: 'used' }, figures.redis.usedBytes);
      memory.set({ kind: 'limit' }, figures.redis.limitBytes);
    }
    lag.remove();
    if (figures.newestReadingLagSeconds !== undefined) lag.set(figures.newestReadingLagSeconds);
    canaryAge.remove();
    canaryLatency.remove();
    const { ageSeconds, latencySeconds } = figures.canary ?? {};
    if (ageSeconds !== undefined) canaryAge.set(ageSeconds);
    if (latencySeconds !== undefined) canaryLatency.set(latencySeconds);
  };
}
