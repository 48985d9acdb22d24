import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The queues between processes, in the order that a reading meets them. */
export const QUEUE_NAMES = ['readings', 'notifications', 'maintenance'] as const;
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

/** One poll's news: samples by probe, each list by time. Ids are rows (`devices.id`, `probes.id`). */
const readingsJob = z.object({
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
    .min(1)
    .max(2_000),
});
const notificationJob = z.object({ notificationId: z.uuid() });
const maintenanceJob = z.object({ tick: z.iso.datetime() });

export type ReadingsJob = z.infer<typeof readingsJob>;
export type JobSample = z.infer<typeof sample>;

/** What a job of each queue carries, checked where it is written and where it is read. */
export interface JobData {
  readings: ReadingsJob;
  notifications: z.infer<typeof notificationJob>;
  maintenance: z.infer<typeof maintenanceJob>;
}
export const JOB_SCHEMAS: { [Name in QueueName]: z.ZodType<JobData[Name]> } = {
  readings: readingsJob,
  notifications: notificationJob,
  maintenance: maintenanceJob,
};

/** Names the cause: the same news of the same account get the same id, so that repeats do not pile up. */
export function readingsJobId(job: ReadingsJob): string {
  const newest = Math.max(...job.probes.map(({ samples }) => samples.at(-1)?.[0] ?? 0));
  const hash = createHash('sha256').update(JSON.stringify(job.probes)).digest('hex').slice(0, 16);
  return `ing-${job.account}-${newest}-${hash}`;
}

/** One attempt of a notification: attempts after the first are jobs of their own, with a delay. */
export function notificationJobId(notificationId: string, attempt: number): string {
  return `ntf-${notificationId}-${attempt}`;
}
