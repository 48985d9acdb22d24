import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { expireQuarters } from '../buckets/bucket-store.js';
import { rollUpBuckets } from '../buckets/roll-up-buckets.js';
import type { DeviceMoment } from '../ingest/gather.js';
import type { Ingest, IngestOutcome } from '../ingest/ingest.js';
import type { Logger } from '../logger.js';
import type { Queues } from '../queues/backend.js';
import { ensurePartitions } from '../readings/reading-store.js';
import { dropOldMonths, keptSince } from '../readings/retention.js';
import { isOutage } from './outage.js';

const DAY_MS = 24 * 3600_000;
const PARTITIONS_AHEAD_MS = 60 * DAY_MS;
const MOST_DEVICES_AT_ONCE = 200;
const KEEP_CANCELLED = "interval '7 days'";
const KEEP_QUARTERS_DAYS = 3 * 366;
const PROBES_AT_ONCE = 1000;
/** Longer than CANARY_SECONDS may be. */
const KEEP_CANARIES = "interval '3 hours'";

/** Once over each channel; by the cloud's clock, like the end that comes after as long again. */
const ASK_WHETHER_IT_GOES_ON = `
  INSERT INTO notifications (id, subject, subject_id, channel_id, expires_at, updated_at)
  SELECT gen_random_uuid(), 'session.long', s.public_id, c.id, now() + interval '24 hours',
    now() - interval '15 seconds' -- so that the relay takes it at its next round
  FROM grilling_sessions s JOIN thermoworks_credentials t USING (user_id) JOIN notification_channels c USING (user_id)
  WHERE s.status = 'active' AND s.deleted_at IS NULL AND c.is_active
    AND s.start_time <= t.cloud_read_at - interval '36 hours'
    AND NOT EXISTS (SELECT FROM notifications n
      WHERE n.channel_id = c.id AND n.subject = 'session.long' AND n.subject_id = s.public_id)`;

/**
 * Partitions for the months ahead, buckets, a question to the owner of a cook that goes on for long, and the end of what
 * is old: of cancelled sessions that nobody restored for a week, of canaries of processes that are gone, of quarters of an hour and of months of readings.
 */
export function createMaintenance({
  dataSource,
  now,
  ...upkeep
}: {
  dataSource: DataSource;
  now: () => Date;
  retentionDays: number;
  logger: Logger;
  /** Ends work that may take long; the next run goes on with it. */
  signal?: AbortSignal;
}) {
  return async (): Promise<void> => {
    const today = now().getTime();
    await ensurePartitions(dataSource.manager, [{ fromMs: today, toMs: today + PARTITIONS_AHEAD_MS }]);
    await dataSource.query(
      `UPDATE grilling_sessions SET deleted_at = now(), updated_at = now()
       WHERE status = 'cancelled' AND deleted_at IS NULL AND updated_at < now() - ${KEEP_CANCELLED}`,
    );
    await dataSource.query(ASK_WHETHER_IT_GOES_ON);
    await dataSource.query(`DELETE FROM canaries WHERE updated_at < now() - ${KEEP_CANARIES}`);
    // A process of the version before knows of no alert with timers: whoever has some is looked at.
    await dataSource.query(
      `UPDATE detection_states SET due_at = to_timestamp(0)
       WHERE device_id IN (SELECT d.id FROM devices d JOIN temperature_alerts a USING (device_id, user_id)
         LEFT JOIN alert_states s ON s.alert_id = a.id
         WHERE a.deleted_at IS NULL AND (a.alert_type = 'no_data' OR s.phase IN ('pending', 'firing')))`,
    );
    await keepHistory({ dataSource, now: now(), ...upkeep });
  };
}

/** No reading goes before it is in its buckets. */
async function keepHistory({
  dataSource,
  now,
  retentionDays,
  logger,
  signal,
}: {
  dataSource: DataSource;
  now: Date;
  retentionDays: number;
  logger: Logger;
  signal?: AbortSignal;
}): Promise<void> {
  if (!(await rollUpBuckets({ dataSource, signal }))) return;
  await expireQuarters(dataSource.manager, keptSince(now, KEEP_QUARTERS_DAYS), PROBES_AT_ONCE);
  for (const { partition, rows } of await dropOldMonths(dataSource, keptSince(now, retentionDays)))
    logger.info('a month of readings is gone: older than READINGS_RETENTION_DAYS', { partition, rows });
}

/** So long in a row the past of devices is looked at, each in a transaction of its own; then other timers have their turn. */
const LOOK_BACK_MS = 4_000;

const dueRow = z.object({
  device: z.number(),
  cloud_read_at: z.date(),
  last_polled_at: z.date().nullable(),
});
type DueRow = z.infer<typeof dueRow>;

/** So many of the jobs under way are asked when they came: those that were taken first. */
const ACTIVE_ASKED = 50;
/** The clocks of our processes differ by less. */
const SKEW_MS = 2_000;

/**
 * Until when all polled readings are stored: the oldest job that is not done came later. Null: all there are.
 * While jobs are put off nobody knows, and it is long ago.
 */
export async function storedUntil({ readings }: Queues): Promise<Date | null> {
  const [putOff, waiting, active] = await Promise.all([
    readings.getDelayedCount(),
    readings.getWaiting(0, 0),
    readings.getActive(0, ACTIVE_ASKED - 1),
  ]);
  if (putOff > 0) return new Date(0);
  const came = [...waiting, ...active].map(({ timestamp }) => timestamp);
  return came.length === 0 ? null : new Date(Math.min(...came) - SKEW_MS);
}

/**
 * Lets the timers of session detection run out: at devices whose due time the cloud's clock has passed, as the last
 * successful poll of the account saw it. So an outage of the cloud or of ours ends no session. Nothing runs out while
 * readings of that poll may still wait to be stored: a probe that is back may be among them.
 */
export function createTimers({
  dataSource,
  ingest,
  until = async () => null,
  onCommit,
}: {
  dataSource: DataSource;
  ingest: Ingest;
  /** Polls that ended before are stored; null: all. */
  until?: () => Promise<Date | null>;
  onCommit: (outcome: IngestOutcome) => void;
}) {
  return async (): Promise<void> => {
    const due = await findDue("s.due_at >= timestamptz 'epoch'");
    const behind = await findDue("s.due_at < timestamptz 'epoch'");
    if (due.length + behind.length === 0) return;
    // Asked after the polls were read: what those brought was in the queue by then.
    const storedBefore = await until();
    const readyOf = (rows: readonly DueRow[]): DeviceMoment[] =>
      rows
        .filter(({ last_polled_at: polled }) => !storedBefore || (polled !== null && polled < storedBefore))
        .map(({ device, cloud_read_at }) => ({ device, nowMs: cloud_read_at.getTime() }));
    const moments = readyOf(due);
    if (moments.length > 0) await runOut(moments);
    await eachAlone(readyOf(behind), performance.now() + LOOK_BACK_MS);
  };

  /** However many devices wait for a look back, the other timers have a list of their own. */
  async function findDue(when: string): Promise<DueRow[]> {
    const rows: unknown = await dataSource.query(
      // The last bound says nothing new, but an index can use it: due times ahead of every clock are never read.
      `SELECT d.id AS device, c.cloud_read_at, c.last_polled_at
       FROM detection_states s JOIN devices d ON d.id = s.device_id
       JOIN thermoworks_credentials c ON c.user_id = d.user_id
       WHERE ${when} AND s.due_at <= c.cloud_read_at
         AND s.due_at <= (SELECT max(cloud_read_at) FROM thermoworks_credentials)
       ORDER BY s.due_at LIMIT $1`,
      [MOST_DEVICES_AT_ONCE],
    );
    return z.array(dueRow).parse(rows);
  }

  /** Together; if that fails but for an outage, each alone, so that one device does not stop the clock of others. */
  async function runOut(moments: readonly DeviceMoment[]): Promise<void> {
    try {
      onCommit(await ingest([], moments));
    } catch (error) {
      if (isOutage(error) || moments.length === 1) throw error;
      await eachAlone(moments);
    }
  }

  /** One that fails does not keep the others from their turn. @param until by `performance.now()` */
  async function eachAlone(
    moments: readonly DeviceMoment[],
    until = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const failures: unknown[] = [];
    for (const moment of moments) {
      if (performance.now() > until) break;
      await runOut([moment]).catch((failure) => failures.push(failure));
    }
    if (failures.length > 0) throw failures[0];
  }
}
