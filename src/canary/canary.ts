import { setTimeout as after } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import type { Lifecycle } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { createEnqueue } from '../queues/enqueue.js';
import { canaryJob } from './stations.js';

/** What a process that sends canaries knows of them. */
export interface CanaryState {
  /** Since the last one came through, or since the process began to send. */
  ageSeconds: number;
  /** From sending to delivery; undefined: none came through yet. */
  latencySeconds?: number;
  /** Over three periods. */
  isLate: boolean;
  /** Where the next one is, as far as is known: what keeps it if it is late. */
  stage: 'queue' | 'worker' | 'notifier';
}

export interface Canary {
  /** Undefined: this process sends none. */
  state(): CanaryState | undefined;
  /** Sends one in each period from now on, until the process closes. */
  start(enqueue: Pick<ReturnType<typeof createEnqueue>, 'canary'>, lifecycle: Lifecycle): void;
}

const LATE_AFTER_PERIODS = 3;
const LOOKS_PER_PERIOD = 12;
/** A server that is gone does not hold up the process's end. */
const CLOSE_WITHIN_MS = 3_000;

const sentRow = z.tuple([z.object({ ms: z.number() })]);
const provenRows = z.array(
  z.object({ sent_ms: z.number().nullable(), latency_ms: z.number().nullable(), is_ingested: z.boolean() }),
);

/** The sender: one per process, each with a row of its own. Ages are of the process's own monotonic clock. */
export function createCanary({
  dataSource,
  seconds,
  logger,
  onCanary,
}: {
  dataSource: DataSource;
  /** The period; 0: none is sent. */
  seconds: number;
  logger: Logger;
  onCanary: (outcome: 'sent' | 'delivered') => void;
}): Canary {
  const replica = uuidv7();
  const periodMs = seconds * 1000;
  let heardMs: number | undefined;
  let wasLate = false;
  let isAwaited = false;
  let provenSentMs: number | null = null;
  let latencySeconds: number | undefined;
  let err: unknown;
  let isUnsent = true;
  let isIngested = false;

  const state = (): CanaryState | undefined => {
    if (heardMs === undefined) return undefined;
    const ageMs = performance.now() - heardMs;
    const isLate = ageMs > LATE_AFTER_PERIODS * periodMs;
    const stage = isUnsent ? 'queue' : isIngested ? 'notifier' : 'worker';
    return { ageSeconds: ageMs / 1000, latencySeconds, isLate, stage };
  };

  /** The row first: what arrives finds it. */
  async function send(enqueue: Parameters<Canary['start']>[0]): Promise<void> {
    isUnsent = true;
    const rows: unknown = await dataSource.query(
      `INSERT INTO canaries (replica, sent_at) VALUES ($1, now())
       ON CONFLICT (replica) DO UPDATE SET sent_at = now(), updated_at = now()
       RETURNING ${epochMs('sent_at')} AS ms`,
      [replica],
    );
    const [{ ms: sentAtMs }] = sentRow.parse(rows);
    isAwaited = true;
    await enqueue.canary(canaryJob(sentAtMs), { replica, sentAtMs });
    isUnsent = false;
    onCanary('sent');
  }

  async function look(): Promise<void> {
    const rows: unknown = await dataSource.query(
      `SELECT ${epochMs('proven_sent_at')} AS sent_ms, ${epochMs('proven_at')} - ${epochMs('proven_sent_at')} AS latency_ms,
         coalesce(ingested_sent_at > sent_at - interval '1 ms' * $2, false) AS is_ingested
       FROM canaries WHERE replica = $1`,
      [replica, LATE_AFTER_PERIODS * periodMs],
    );
    const [found] = provenRows.parse(rows);
    isIngested = found?.is_ingested ?? false;
    if (!found || found.sent_ms === null || found.sent_ms === provenSentMs) return;
    isAwaited = false;
    err = undefined;
    provenSentMs = found.sent_ms;
    latencySeconds = Math.max(0, found.latency_ms ?? 0) / 1000;
    heardMs = performance.now();
    onCanary('delivered');
  }

  function tell(): void {
    const { isLate = false, ageSeconds = 0, stage } = state() ?? {};
    if (isLate === wasLate) return;
    wasLate = isLate;
    const seconds = Math.round(ageSeconds);
    if (isLate)
      logger.error('blind: no canary comes through queue, ingest, alert and notifier', {
        seconds,
        stage,
        err,
      });
    else logger.info('canaries come through again');
  }

  return {
    state,
    start(enqueue, lifecycle) {
      if (periodMs === 0) return;
      heardMs = performance.now();
      let dueMs = heardMs + periodMs;
      let running: Promise<void> | undefined;
      const turn = async () => {
        if (isAwaited) await look();
        if (performance.now() < dueMs) return;
        await send(enqueue);
        dueMs = Math.max(dueMs + periodMs, performance.now());
      };
      const timer = setInterval(() => {
        tell();
        running ??= turn()
          // Tried again at the next look; whose fault it is, others say at once.
          .catch((error: unknown) => {
            err = error;
          })
          .finally(() => {
            running = undefined;
          });
      }, periodMs / LOOKS_PER_PERIOD);
      lifecycle.onClose('canary', async () => {
        clearInterval(timer);
        heardMs = undefined;
        await Promise.race([running, after(CLOSE_WITHIN_MS, undefined, { ref: false })]);
      });
    },
  };
}
