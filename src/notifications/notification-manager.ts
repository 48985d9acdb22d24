import { type EntityManager, In } from 'typeorm';
import { v7 as uuidv7, validate } from 'uuid';
import { z } from 'zod';
import { GrillingSession } from '../entities/grilling-session.js';
import { Notification, type NotificationStatus, type NotificationSubject } from '../entities/notification.js';
import type { NotificationAttempt } from '../entities/notification-attempt.js';
import { NotificationChannel } from '../entities/notification-channel.js';
import { NotFoundError } from '../errors.js';
import { claimGroup, TOO_LATE } from './claim-group.js';

/** One try, as it is kept. */
export type Attempt = Pick<
  NotificationAttempt,
  'startedAt' | 'outcome' | 'statusCode' | 'latencyMs' | 'receipt' | 'error'
>;

/**
 * A notification that was taken; `sequence` numbers its alert's events, from 1, in the order of their happening;
 * `disabled` is the channel that it is about, if it is about one, and `long` the session; `others` goes out in the same message.
 */
export type Claimed = Notification & {
  sequence: number | null;
  disabled?: NotificationChannel | null;
  long?: GrillingSession | null;
  others?: Notification[];
};

type Disable = boolean | 'unless_last';
/** One, or all that one message tells: they are of one channel, and share their fate. */
type Ids = string | readonly string[];

const claimedRows = z.array(z.object({ status: z.string(), sequence: z.number().nullable() }));
const statusRows = z.array(z.object({ status: z.enum(['pending', 'delivered', 'failed', 'expired']) }));
/**
 * No earlier event of its alert is still to be told over its channel; what is too late is ended without waiting. What is
 * replayed neither waits nor holds up what happens now. To people, what was never tried goes out with what comes after.
 */
const HAS_ITS_TURN = `(n.expires_at <= now() OR n.replayed_after IS NOT NULL OR NOT EXISTS (
  SELECT FROM notifications earlier WHERE earlier.channel_id = n.channel_id AND earlier.alert_id = n.alert_id
    AND earlier.alert_event_id < n.alert_event_id AND earlier.status = 'pending' AND earlier.replayed_after IS NULL
    AND NOT (n.group_key IS NOT NULL AND earlier.attempts = 0 AND earlier.lease_until IS NULL AND earlier.group_id IS NULL)))`;
const idRows = z.array(z.object({ id: z.string() }));

/** What is to be delivered: reads and writes of `notifications` and their attempts. Times are the database's. */
export class NotificationManager {
  /** @param db a transaction's manager makes the class part of it */
  constructor(private readonly db: EntityManager) {}

  /**
   * Takes a due notification for 15 s, longer than an attempt lasts, and loads all it says. Undefined if there is
   * nothing to do: delivered, taken by another, not due, behind another of its alert and channel, too late (`expired`,
   * `failed`) or nobody to tell any more (`failed`). A test goes to a switched-off channel too. What people get may come
   * with others of its group, and under the id of the first of them.
   */
  async claim(id: string): Promise<Claimed | undefined> {
    const rows: unknown = await this.db.query(
      `WITH claimed AS (
         UPDATE notifications n
         SET lease_until = now() + interval '15 seconds', updated_at = now(),
           status = CASE WHEN n.expires_at <= now() THEN ${TOO_LATE} WHEN can.receive THEN 'pending' ELSE 'failed' END,
           last_error = CASE WHEN can.receive THEN n.last_error ELSE 'the channel or its owner is switched off' END
         FROM (
           SELECT m.id, u.is_active AND u.deleted_at IS NULL AND (c.is_active OR m.subject = 'channel.test') AS receive
           FROM notifications m JOIN notification_channels c ON c.id = m.channel_id JOIN users u ON u.id = c.user_id
           WHERE m.id = $1
         ) can
         WHERE n.id = can.id AND n.status = 'pending' AND (n.group_key IS NULL OR n.replayed_after IS NOT NULL) AND coalesce(n.lease_until < now(), true)
           AND n.next_attempt_at <= now() + interval '500 ms' AND (can.receive IS NOT TRUE OR ${HAS_ITS_TURN})
         RETURNING n.status, n.alert_id, n.alert_event_id
       )
       SELECT status, (
         SELECT sum(latest.version)::integer FROM alert_states s CROSS JOIN LATERAL (
           SELECT e.version FROM alert_events e
           WHERE e.alert_id = s.alert_id AND e.side = s.side AND e.tier = s.tier AND e.id <= claimed.alert_event_id AND e.version > 0
           ORDER BY e.version DESC LIMIT 1
         ) latest WHERE s.alert_id = claimed.alert_id
       ) AS sequence FROM claimed`,
      [id],
    );
    const [row] = claimedRows.parse(rows);
    if (!row) return this.claimForPeople(id);
    if (row.status !== 'pending') return undefined;
    const [notification] = await this.load([id]);
    if (!notification) return undefined;
    const about = { where: { publicId: notification.subjectId ?? '' } };
    const is = (subject: NotificationSubject) => notification.subject === subject;
    const disabled = is('channel.disabled') ? await this.db.findOne(NotificationChannel, about) : null;
    const withDevice = { ...about, relations: { device: true } };
    const long = is('session.long') ? await this.db.findOne(GrillingSession, withDevice) : null;
    return Object.assign(notification, { sequence: row.sequence, disabled, long });
  }

  /** Nobody counts what a person reads: no sequence. */
  private async claimForPeople(id: string): Promise<Claimed | undefined> {
    const ids = await claimGroup(this.db, id);
    const [first, ...others] = ids.length === 0 ? [] : await this.load(ids);
    return first && Object.assign(first, { sequence: null, others });
  }

  private load(ids: string[]): Promise<Notification[]> {
    const relations = {
      channel: { user: { thermoworksCredential: true } },
      alertEvent: { alert: { device: { probes: true } }, session: true },
    };
    return this.db.find(Notification, { where: { id: In(ids) }, order: { alertEventId: 'ASC' }, relations });
  }

  /**
   * What has waited for this one (or these), now that it is done: the first of its alert that is to be told over its channel. Asked
   * after the end is committed it misses none: what was claimed in vain was there by then.
   */
  async nextAfter(done: Ids): Promise<string | undefined> {
    const rows: unknown = await this.db.query(
      `SELECT w.id FROM notifications n
       JOIN notifications w ON w.channel_id = n.channel_id AND w.alert_id = n.alert_id AND w.status = 'pending'
         AND w.replayed_after IS NULL
       WHERE n.id = ANY($1) AND n.status <> 'pending' ORDER BY w.alert_event_id LIMIT 1`,
      [[done].flat()],
    );
    return idRows.parse(rows)[0]?.id;
  }

  /** Gives back what was claimed and not tried, for another time. */
  async release(claimed: Ids, waitMs: number): Promise<void> {
    await this.db.query(
      `UPDATE notifications SET lease_until = NULL, updated_at = now(), next_attempt_at = now() + $2 * interval '1 ms'
       WHERE id = ANY($1) AND status = 'pending'`,
      [[claimed].flat(), waitMs],
    );
  }

  /** A delivered test proves the channel, and switches it on again if the receiver had gone. */
  async markDelivered(claimed: Ids, attempt: Attempt): Promise<NotificationStatus> {
    return this.store(claimed, attempt, { waitMs: null, disable: false });
  }

  /**
   * @param waitMs until the next attempt; null if there is none to make
   * @param disable the channel, if need be only where its owner has another; the owner's others then tell it
   * @returns `pending`, or if there is none, or only one after the notification's time: `failed`, `expired`
   */
  async markFailed(
    claimed: Ids,
    attempt: Attempt,
    next: { waitMs: number | null; disable: Disable },
  ): Promise<NotificationStatus> {
    return this.store(claimed, attempt, next);
  }

  private async store(
    claimed: Ids,
    { outcome, startedAt, statusCode, latencyMs, receipt, error }: Attempt,
    { waitMs, disable }: { waitMs: number | null; disable: Disable },
  ): Promise<NotificationStatus> {
    const rows: unknown = await this.db.query(
      `WITH told AS (
         UPDATE notifications SET attempts = attempts + 1, lease_until = NULL, updated_at = now(), last_error = $7,
           delivered_at = CASE WHEN $2 = 'delivered' THEN now() END,
           next_attempt_at = now() + coalesce($8, 0) * interval '1 ms',
           status = CASE WHEN $2 = 'delivered' THEN 'delivered' WHEN $8 IS NULL THEN 'failed'
             WHEN now() + $8 * interval '1 ms' < expires_at THEN 'pending'
             ELSE ${TOO_LATE} END
         WHERE id = ANY($1) AND status = 'pending'
         RETURNING id, channel_id, subject, attempts, status
       ), one AS (
         SELECT channel_id, subject FROM told LIMIT 1
       ), tried AS (
         INSERT INTO notification_attempts
           (notification_id, attempt, started_at, outcome, status_code, latency_ms, receipt, error)
         SELECT id, attempts, $3, $2, $4, $5, $6, $7 FROM told
       ), owned AS MATERIALIZED (
         SELECT c.id, c.is_active, c.id = one.channel_id AS is_it FROM one
         JOIN notification_channels it ON it.id = one.channel_id
         JOIN notification_channels c ON c.user_id = it.user_id AND (c.id = it.id OR $9 <> 'false')
         ORDER BY c.id FOR UPDATE OF c
       ), others AS (
         SELECT id FROM owned WHERE is_active AND NOT is_it
       ), verdict AS MATERIALIZED (
         SELECT id, is_active, $9 = 'true' OR ($9 = 'unless_last' AND EXISTS (SELECT FROM others)) AS ends
         FROM owned WHERE is_it
       ), channel AS (
         UPDATE notification_channels c SET updated_at = now(), last_error = $7,
           is_active = CASE WHEN $2 = 'delivered' AND one.subject = 'channel.test' THEN true
             ELSE verdict.is_active AND NOT verdict.ends END,
           last_delivered_at = CASE WHEN $2 = 'delivered' THEN now() ELSE c.last_delivered_at END,
           last_proven_at = CASE WHEN $2 = 'delivered' AND one.subject = 'channel.test' THEN now() ELSE c.last_proven_at END
         FROM one, verdict WHERE c.id = verdict.id
         RETURNING c.public_id, verdict.is_active AND NOT c.is_active AS has_ended
       ), warned AS (
         INSERT INTO notifications (id, subject, subject_id, channel_id, expires_at, updated_at)
         SELECT gen_random_uuid(), 'channel.disabled', channel.public_id, others.id, now() + interval '24 hours',
           now() - interval '15 seconds' -- so that the relay takes it at its next round
         FROM channel, others WHERE channel.has_ended
       )
       SELECT status FROM told ORDER BY status <> 'pending'`,
      [[claimed].flat(), outcome, startedAt, statusCode, latencyMs, receipt, error, waitMs, String(disable)],
    );
    // No row: another process, after our lease, has said how it ended.
    return statusRows.parse(rows)[0]?.status ?? 'delivered';
  }

  /**
   * What no job has touched for 15 s though it is due and has its turn: a job was lost, or a process died. The same row
   * is named again after another 15 s at the earliest, to whichever process asks.
   */
  async dueIds(limit: number): Promise<string[]> {
    const rows: unknown = await this.db.query(
      `WITH due AS (
         SELECT id FROM notifications n
         WHERE status = 'pending' AND next_attempt_at <= now() AND updated_at <= now() - interval '15 seconds'
           AND coalesce(lease_until < now(), true) AND ${HAS_ITS_TURN}
         ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
       ), relayed AS (
         UPDATE notifications n SET updated_at = now() FROM due WHERE n.id = due.id RETURNING n.id
       )
       SELECT id FROM relayed`,
      [limit],
    );
    return idRows.parse(rows).map(({ id }) => id);
  }

  /** One notification for each active channel of the account's owner. @returns their ids */
  async createAboutAccount(userId: number, credentialPublicId: string): Promise<string[]> {
    const channels = await this.db.findBy(NotificationChannel, { userId, isActive: true });
    return this.create('account.needs_reauth', credentialPublicId, channels);
  }

  /** @param channelId the channel's public id @throws NotFoundError */
  async createChannelTest(channelId: string): Promise<string> {
    const channels = validate(channelId)
      ? await this.db.findBy(NotificationChannel, { publicId: channelId })
      : [];
    const [id] = await this.create('channel.test', channelId, channels);
    if (id === undefined) throw new NotFoundError(`there is no channel ${channelId}`);
    return id;
  }

  private async create(subject: NotificationSubject, subjectId: string, channels: NotificationChannel[]) {
    const rows = channels.map(({ id }) => ({
      id: uuidv7(),
      subject,
      subjectId,
      channelId: id,
      expiresAt: () => `now() + interval '24 hours'`,
    }));
    if (rows.length > 0) await this.db.insert(Notification, rows);
    return rows.map(({ id }) => id);
  }
}
