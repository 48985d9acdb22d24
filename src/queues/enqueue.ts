import type { Logger } from '../logger.js';
import { limitedWarning, type Queues } from './backend.js';
import { JOB_SCHEMAS, notificationJobId, type ReadingsJob, readingsJobId } from './jobs.js';

const DEADLINE_MS = 3_000;

/** Puts jobs into the queues. What is only a shortcut (a row is there, and a sweep) is never an error. */
export function createEnqueue({ queues, logger }: { queues: Queues; logger: Logger }) {
  const warn = limitedWarning(logger, 'enqueueing failed');

  return {
    /** Into the queue, or else by `directly`: both end in the same rows. @throws what `directly` throws */
    async readings(job: ReadingsJob, directly: () => Promise<void>): Promise<void> {
      const data = JOB_SCHEMAS.readings.parse(job);
      try {
        await inTime(queues.readings.add('readings', data, { jobId: readingsJobId(data) }));
      } catch (error) {
        warn(error);
        await directly();
      }
    },

    /** First attempts of notifications that were just stored, or that a crash left behind. */
    async notifications(ids: readonly string[]): Promise<void> {
      if (ids.length === 0) return;
      const round = Date.now();
      const jobs = ids.map((notificationId) => ({
        name: 'notification',
        data: { notificationId },
        opts: { jobId: notificationJobId(notificationId, round) },
      }));
      await inTime(queues.notifications.addBulk(jobs)).catch(warn);
    },

    /** The next attempt of a notification. */
    async notification(notificationId: string, { delayMs }: { delayMs: number }): Promise<void> {
      const jobId = notificationJobId(notificationId, Date.now() + delayMs);
      await inTime(
        queues.notifications.add('notification', { notificationId }, { jobId, delay: delayMs }),
      ).catch(warn);
    },

    /** Once per tick, whichever process asks. */
    async maintenance(at: Date): Promise<void> {
      const tick = new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000).toISOString();
      await inTime(
        queues.maintenance.add('maintenance', { tick }, { jobId: `maintain-${tick.slice(0, 13)}` }),
      ).catch(warn);
    },
  };
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the queue did not answer in time')), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
