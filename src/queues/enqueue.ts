import { type Logger, limitedWarning } from '../logger.js';
import type { Queues } from './backend.js';
import { type CanaryMark, JOB_SCHEMAS, notificationJobId, type ReadingsJob, readingsJobId } from './jobs.js';
import { createFullness } from './redis-state.js';

const DEADLINE_MS = 3_000;
/** A full Redis does not even hand out jobs: above these shares of its memory nothing is added, readings first. */
const ROOM_FOR = { readings: 0.75, others: 0.9 };

/** Puts jobs into the queues. What is only a shortcut (a row is there, and a sweep) is never an error. */
export function createEnqueue({ queues, logger }: { queues: Queues; logger: Logger }) {
  const warn = limitedWarning(logger, 'enqueueing failed');
  const fullness = createFullness(queues.readings, ROOM_FOR.readings);

  /** @throws when there is no room, when it fails and when it takes too long */
  async function add(job: keyof typeof ROOM_FOR, work: () => Promise<unknown>): Promise<void> {
    const addIfRoom = async () => {
      const full = await fullness();
      if (full >= ROOM_FOR[job]) throw new Error(`Redis has used ${Math.round(full * 100)} % of its memory`);
      await work();
    };
    await inTime(addIfRoom());
  }

  return {
    /** Into the queue, or else by `directly`: both end in the same rows. @throws what `directly` throws */
    async readings(job: ReadingsJob, directly: () => Promise<void>): Promise<void> {
      const data = JOB_SCHEMAS.readings.parse(job);
      try {
        await add('readings', () => queues.readings.add('readings', data, { jobId: readingsJobId(data) }));
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
      await add('others', () => queues.notifications.addBulk(jobs)).catch(warn);
    },

    /** A replica's canary, which leaves nothing in the queue. @throws as `readings` would without a way past the queue */
    async canary(job: ReadingsJob, mark: CanaryMark): Promise<void> {
      const data = JOB_SCHEMAS.readings.parse({ ...job, canary: mark });
      await add('others', () => queues.readings.add('readings', data, onlyOneOf(mark)));
    },

    /** What became of it. @throws likewise */
    async canaryNotification(notificationId: string, mark: CanaryMark): Promise<void> {
      const data = { notificationId, canary: mark };
      await add('others', () => queues.notifications.add('notification', data, onlyOneOf(mark)));
    },

    /** The next attempt of a notification. */
    async notification(notificationId: string, { delayMs }: { delayMs: number }): Promise<void> {
      const jobId = notificationJobId(notificationId, Date.now() + delayMs);
      await add('others', () =>
        queues.notifications.add('notification', { notificationId }, { jobId, delay: delayMs }),
      ).catch(warn);
    },

    /** Devices (`devices.id`) whose gaps may be filled; one that waits already is not added. */
    async backfill(devices: readonly number[]): Promise<void> {
      const once = { removeOnComplete: true, removeOnFail: true };
      const jobs = devices.map((device) => ({
        name: 'backfill',
        data: JOB_SCHEMAS.backfill.parse({ device }),
        opts: { jobId: `backfill-${device}`, ...once },
      }));
      if (jobs.length > 0) await add('readings', () => queues.backfill.addBulk(jobs)).catch(warn);
    },

    /** Once per tick, whichever process asks. */
    async maintenance(at: Date): Promise<void> {
      const tick = new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000).toISOString();
      await add('others', () =>
        queues.maintenance.add('maintenance', { tick }, { jobId: `maintain-${tick.slice(0, 13)}` }),
      ).catch(warn);
    },
  };
}

/** While one of the replica waits, another would tell nothing more. */
const onlyOneOf = ({ replica }: CanaryMark) => ({
  jobId: `canary-${replica}`,
  removeOnComplete: true,
  removeOnFail: true,
});

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
