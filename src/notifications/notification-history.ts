import type { EntityManager } from 'typeorm';
import { validate } from 'uuid';
import { z } from 'zod';
import type { NotificationStatus } from '../entities/notification.js';
import { NotificationAttempt } from '../entities/notification-attempt.js';
import { InputError, NotFoundError } from '../errors.js';

/** A notification as people see it: the contract's column names, public ids, and what it is about. */
const views = z.array(
  z.object({
    id: z.string(),
    email: z.string(),
    subject: z.string(),
    subject_id: z.string(),
    /** The name of the alert, or else its type with the limit; null: it is about no alert. */
    alert: z.string().nullable(),
    device_id: z.string().nullable(),
    /** Null also of what watches a whole device. */
    probe_id: z.string().nullable(),
    channel_id: z.string(),
    kind: z.string(),
    status: z.enum(['pending', 'delivered', 'failed', 'expired']),
    attempts: z.number(),
    last_error: z.string().nullable(),
    held_until: z.date().nullable(),
    group_id: z.string().nullable(),
    created_at: z.date(),
    next_attempt_at: z.date().nullable(),
    expires_at: z.date(),
    delivered_at: z.date().nullable(),
  }),
);
const ids = z.array(z.object({ id: z.string() }));
type NotificationView = z.infer<typeof views>[number];

/** Of the side and tier that the event is of, as in `range above 275 °F`. */
const LIMIT = `CASE a.alert_type
    WHEN 'target' THEN a.target_temperature || ' °' || a.temperature_unit
    WHEN 'range' THEN CASE e.side WHEN 'low'
      THEN 'below ' || coalesce(CASE e.tier WHEN 'critical' THEN a.critical_min_temperature END, a.min_temperature)
      ELSE 'above ' || coalesce(CASE e.tier WHEN 'critical' THEN a.critical_max_temperature END, a.max_temperature)
    END || ' °' || a.temperature_unit
    WHEN 'no_data' THEN coalesce(CASE e.tier WHEN 'critical' THEN a.critical_silence_minutes END, a.silence_minutes) || ' min'
    WHEN 'battery' THEN coalesce(CASE e.tier WHEN 'critical' THEN a.critical_battery_percent END, a.battery_percent) || ' %'
    ELSE a.threshold_value || ' °' || a.temperature_unit || ' in ' || a.window_seconds || ' s'
  END`;

const VIEW = `SELECT n.id, u.email, coalesce(n.subject, 'alert.' || e.kind) AS subject,
    coalesce(n.subject_id, e.public_id) AS subject_id,
    coalesce(nullif(a.name, ''), nullif(concat_ws(' ', replace(a.alert_type, '_', ' '), ${LIMIT}), '')) AS alert, a.device_id, a.probe_id,
    c.public_id AS channel_id, c.kind, n.status, n.attempts, n.last_error,
    n.held_until, n.group_id, n.created_at, CASE n.status WHEN 'pending' THEN n.next_attempt_at END AS next_attempt_at, n.expires_at, n.delivered_at
  FROM notifications n JOIN notification_channels c ON c.id = n.channel_id JOIN users u ON u.id = c.user_id
  LEFT JOIN alert_events e ON e.id = n.alert_event_id LEFT JOIN temperature_alerts a ON a.id = e.alert_id`;

/** What was sent and is being sent, for people to look through, and to send again. */
export class NotificationHistory {
  constructor(private readonly db: EntityManager) {}

  /** The newest first. */
  async list({
    userId = null,
    status = null,
    limit,
  }: {
    userId?: number | null;
    status?: NotificationStatus | null;
    limit: number;
  }): Promise<NotificationView[]> {
    const rows: unknown = await this.db.query(
      `${VIEW} WHERE ($1::integer IS NULL OR c.user_id = $1) AND ($2::text IS NULL OR n.status = $2)
       ORDER BY n.created_at DESC, n.id DESC LIMIT $3`,
      [userId, status, limit],
    );
    return views.parse(rows);
  }

  /** @throws NotFoundError */
  async get(id: string): Promise<NotificationView> {
    const rows: unknown = validate(id) ? await this.db.query(`${VIEW} WHERE n.id = $1`, [id]) : [];
    const [view] = views.parse(rows);
    if (!view) throw new NotFoundError(`there is no notification ${id}`);
    return view;
  }

  /** Each attempt to deliver it, the first one first. */
  attempts(id: string): Promise<NotificationAttempt[]> {
    return this.db.find(NotificationAttempt, { where: { notificationId: id }, order: { id: 'ASC' } });
  }

  /**
   * Makes what has ended due again, for a day from now, with the waits of a new one and the same id.
   * @throws NotFoundError, or InputError if it has not ended or its channel is switched off
   */
  async replay(id: string): Promise<void> {
    const { status, next_attempt_at: nextAt, channel_id: channelId } = await this.get(id);
    if (status === 'pending')
      throw new InputError(
        `notification ${id} is still pending: its next attempt is at ${nextAt?.toISOString()}`,
      );
    const rows: unknown = await this.db.query(
      `WITH replayed AS (
         UPDATE notifications n SET status = 'pending', replayed_after = n.attempts, next_attempt_at = now(), updated_at = now(),
           expires_at = now() + interval '24 hours', lease_until = NULL, last_error = NULL, delivered_at = NULL
         FROM notification_channels c
         WHERE n.id = $1 AND n.status <> 'pending' AND c.id = n.channel_id AND (c.is_active OR n.subject = 'channel.test')
         RETURNING n.id
       )
       SELECT id FROM replayed`,
      [id],
    );
    if (ids.parse(rows).length === 0)
      throw new InputError(`channel ${channelId} is switched off: a test that arrives switches it on again`);
  }
}
