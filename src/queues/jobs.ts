import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The queues between processes, in the order that a reading meets them. */
export const QUEUE_NAMES = ['readings', 'notifications', 'backfill', 'maintenance'] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/** Epoch ms, the value (or why the probe shows none from then on), unit, flags. */
const sample = z.tuple([
  z.number().int().min(0).max(8.64e15),
  z.union([
    z.number().min(-3.4028235e38).max(3.4028235e38),
    z.enum(['absent', 'offline', 'disabled', 'fault', 'stale']),
  ]),
  z.enum(['F', 'C', 'H']),
  z.number().int().min(0).max(32_767),
]);

/** Whose a synthetic job is, and when it was sent (epoch ms by the database's clock). */
const canary = z.object({ replica: z.uuid(), sentAtMs: z.number().int() });

/** `devices.id`, epoch ms, percent, whether it charges (null: the device does not say). */
const battery = z.tuple([
  z.number().int().positive(),
  z.number().int().min(0).max(8.64e15),
  z.number().min(0).max(100),
  z.boolean().nullable(),
]);

/** One poll's news: samples by probe, each list by time, and batteries. Ids are rows (`devices.id`, `probes.id`). */
const readingsJob = z
  .object({
    version: z.literal(1),
    account: z.number().int().positive(),
    /** Epoch ms by the cloud's clock of the account's last good poll before this one; null before the first. */
    previousPollMs: z.number().int().nullable(),
    /** Whether polls of the account failed in between. */
    failedBetween: z.boolean(),
    probes: z
      .array(
        z.object({
          device: z.number().int().positive(),
          probe: z.number().int().positive(),
          samples: z.array(sample).min(1).max(2_000),
        }),
      )
      .max(2_000),
    /** Of devices whose alerts have not seen it. */
    batteries: z.array(battery).max(2_000).optional(),
    canary: canary.optional(),
  })
  .refine(({ probes, batteries = [] }) => probes.length + batteries.length > 0, 'holds nothing');
const notificationJob = z.object({ notificationId: z.uuid(), canary: canary.optional() });
/** `devices.id` of one whose gaps may be filled. */
const backfillJob = z.object({ device: z.number().int().positive() });
const maintenanceJob = z.object({ tick: z.iso.datetime() });

export type ReadingsJob = z.infer<typeof readingsJob>;
export type CanaryMark = z.infer<typeof canary>;
export type JobSample = z.infer<typeof sample>;
export type JobBattery = z.infer<typeof battery>;

/** What a job of each queue carries, checked where it is written and where it is read. */
export interface JobData {
  readings: ReadingsJob;
  notifications: z.infer<typeof notificationJob>;
  backfill: z.infer<typeof backfillJob>;
  maintenance: z.infer<typeof maintenanceJob>;
}
export const JOB_SCHEMAS: { [Name in QueueName]: z.ZodType<JobData[Name]> } = {
  readings: readingsJob,
  notifications: notificationJob,
  backfill: backfillJob,
  maintenance: maintenanceJob,
};

/**
 * Whether the schema surely takes it as it is: the same checks without a copy of every sample, for the one job that comes
 * by thousands a second. What is not plain is left to the schema.
 */
export function isPlainReadingsJob(data: unknown): data is ReadingsJob {
  const { version, account, previousPollMs, failedBetween, probes, canary, batteries } = Object(data);
  if (canary !== undefined || batteries !== undefined) return false;
  if (version !== 1 || !isId(account) || typeof failedBetween !== 'boolean') return false;
  if (previousPollMs !== null && !Number.isSafeInteger(previousPollMs)) return false;
  if (!Array.isArray(probes) || probes.length === 0 || probes.length > 2_000) return false;
  return probes.every((part) => {
    const { device, probe, samples } = Object(part);
    if (!isId(device) || !isId(probe) || !Array.isArray(samples)) return false;
    return samples.length > 0 && samples.length <= 2_000 && samples.every(isPlainSample);
  });
}

const isId = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0;

function isPlainSample(given: unknown): boolean {
  if (!Array.isArray(given) || given.length !== 4) return false;
  const [ms, value, unit, flags] = given;
  if (!Number.isSafeInteger(ms) || ms < 0 || ms > 8.64e15) return false;
  if (!Number.isFinite(value) || Math.abs(value) > 3.4028235e38) return false;
  if (unit !== 'F' && unit !== 'C' && unit !== 'H') return false;
  return Number.isSafeInteger(flags) && flags >= 0 && flags <= 32_767;
}

/** Names the cause: the same news of the same account get the same id, so that repeats do not pile up. */
export function readingsJobId(job: ReadingsJob): string {
  const { account, probes, batteries = [] } = job;
  const times = [...probes.map(({ samples }) => samples.at(-1)?.[0] ?? 0), ...batteries.map(([, ms]) => ms)];
  const text = JSON.stringify(probes) + (batteries.length > 0 ? JSON.stringify(batteries) : '');
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `ing-${account}-${Math.max(...times)}-${hash}`;
}

/** One attempt of a notification: attempts after the first are jobs of their own, with a delay. */
export function notificationJobId(notificationId: string, attempt: number): string {
  return `ntf-${notificationId}-${attempt}`;
}
