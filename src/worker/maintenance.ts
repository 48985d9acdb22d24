import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { DeviceMoment } from '../ingest/gather.js';
import type { Ingest, IngestOutcome } from '../ingest/ingest.js';
import type { Queues } from '../queues/backend.js';
import { ensurePartitions } from '../readings/reading-store.js';
import { isOutage } from './outage.js';

const DAY_MS = 24 * 3600_000;
const PARTITIONS_AHEAD_MS = 60 * DAY_MS;
const MOST_DEVICES_AT_ONCE = 200;
const KEEP_CANCELLED = "interval '7 days'";

/** Partitions for the months ahead, and the end of cancelled sessions that nobody restored for a week. */
export function createMaintenance({ dataSource, now }: { dataSource: DataSource; now: () => Date }) {
  return async (): Promise<void> => {
    const today = now().getTime();
    await ensurePartitions(dataSource.manager, [{ fromMs: today, toMs: today + PARTITIONS_AHEAD_MS }]);
    await dataSource.query(
      `UPDATE grilling_sessions SET deleted_at = now(), updated_at = now()
       WHERE status = 'cancelled' AND deleted_at IS NULL AND updated_at < now() - ${KEEP_CANCELLED}`,
    );
  };
}

const dueRow = z.object({ device: z.number(), cloud_read_at: z.date() });

/** Readings that wait longer than this are older than what the last poll knows. */
const BEHIND_MS = 60_000;

/** Whether polled readings are still to be stored: jobs that were put off, or that have waited for a minute. */
export async function isBehind({ readings }: Queues, now: () => Date): Promise<boolean> {
  const [putOff, oldest] = await Promise.all([readings.getDelayedCount(), readings.getWaiting(0, 0)]);
  return putOff > 0 || oldest.some(({ timestamp }) => now().getTime() - timestamp > BEHIND_MS);
}

/**
 * Lets the timers of session detection run out: at devices whose due time the cloud's clock has passed, as the last
 * successful poll of the account saw it. So an outage of the cloud or of ours ends no session. While readings wait to
 * be stored nothing runs out: a probe that is back may be among them.
 */
export function createTimers({
  dataSource,
  ingest,
  isBehind: hasBacklog = async () => false,
  onCommit,
}: {
  dataSource: DataSource;
  ingest: Ingest;
  isBehind?: () => Promise<boolean>;
  onCommit: (outcome: IngestOutcome) => void;
}) {
  return async (): Promise<void> => {
    if (await hasBacklog()) return;
    const rows: unknown = await dataSource.query(
      `SELECT d.id AS device, c.cloud_read_at
       FROM detection_states s JOIN devices d ON d.id = s.device_id
       JOIN thermoworks_credentials c ON c.user_id = d.user_id
       WHERE s.due_at <= c.cloud_read_at ORDER BY s.due_at LIMIT $1`,
      [MOST_DEVICES_AT_ONCE],
    );
    const moments: DeviceMoment[] = z
      .array(dueRow)
      .parse(rows)
      .map(({ device, cloud_read_at }) => ({ device, nowMs: cloud_read_at.getTime() }));
    if (moments.length > 0) await runOut(moments);
  };

  /** Together; if that fails but for an outage, each alone, so that one device does not stop the clock of others. */
  async function runOut(moments: readonly DeviceMoment[]): Promise<void> {
    try {
      onCommit(await ingest([], moments));
    } catch (error) {
      if (isOutage(error) || moments.length === 1) throw error;
      const failures: unknown[] = [];
      for (const moment of moments) await runOut([moment]).catch((failure) => failures.push(failure));
      if (failures.length > 0) throw failures[0];
    }
  }
}
