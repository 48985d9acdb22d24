import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm';
import type { AlertEvent } from './alert-event.js';
import { Audited } from './base.js';
import type { NotificationChannel } from './notification-channel.js';

export type NotificationSubject =
  | 'account.needs_reauth'
  | 'channel.test'
  | 'channel.disabled'
  | 'session.long';
export type NotificationStatus = 'pending' | 'delivered' | 'failed' | 'expired';

/** One message to one channel: about an alert event, or else about `subject` (with the id of what it concerns). */
@Entity('notifications')
@Unique('notifications_alert_event_id_channel_id_key', ['alertEventId', 'channelId'])
@Index('notifications_channel_id_idx', ['channelId'])
@Index('notifications_next_attempt_at_idx', { synchronize: false })
@Index('notifications_channel_id_group_key_created_at_idx', { synchronize: false })
@Index('notifications_channel_id_alert_id_alert_event_id_idx', { synchronize: false })
@Check(
  'notifications_subject_check',
  "subject IN ('account.needs_reauth', 'channel.test', 'channel.disabled', 'session.long')",
)
@Check('notifications_status_check', "status IN ('pending', 'delivered', 'failed', 'expired')")
@Check(
  'notifications_about_check',
  'num_nonnulls(subject, subject_id) = CASE WHEN alert_event_id IS NULL THEN 2 ELSE 0 END',
)
export class Notification extends Audited {
  @PrimaryColumn({ type: 'uuid', name: 'id', primaryKeyConstraintName: 'notifications_pkey' }) id!: string;
  @Column({ type: 'integer', name: 'alert_event_id', nullable: true }) alertEventId!: number | null;
  /** The event's, which never changes: here so that what waits its turn is found in one index. */
  @Column({ type: 'integer', name: 'alert_id', nullable: true }) alertId!: number | null;
  @Column({ type: 'varchar', name: 'subject', length: 40, nullable: true })
  subject!: NotificationSubject | null;
  @Column({ type: 'uuid', name: 'subject_id', nullable: true }) subjectId!: string | null;
  @Column({ type: 'integer', name: 'channel_id' }) channelId!: number;
  @Column({ type: 'varchar', name: 'status', length: 20, default: 'pending' }) status!: NotificationStatus;
  @Column({ type: 'integer', name: 'attempts', default: 0 }) attempts!: number;
  /** How many attempts were made before it was sent again by hand; null: it never was. */
  @Column({ type: 'integer', name: 'replayed_after', nullable: true }) replayedAfter!: number | null;
  /** Whose messages to people are kept apart from those of others: a session's, or else a device's; null: none is. */
  @Column({ type: 'varchar', name: 'group_key', length: 80, nullable: true }) groupKey!: string | null;
  /** When it goes out at the earliest, with what else its group has by then; null: it went at once. */
  @Column({ type: 'timestamptz', name: 'held_until', precision: 3, nullable: true }) heldUntil!: Date | null;
  /** The one of those that go out as one message whose id it has; null: it goes alone. */
  @Column({ type: 'uuid', name: 'group_id', nullable: true }) groupId!: string | null;
  @Column({ type: 'varchar', name: 'last_error', length: 500, nullable: true }) lastError!: string | null;
  @Column({ type: 'timestamptz', name: 'next_attempt_at', precision: 3, default: () => 'now()' })
  nextAttemptAt!: Date;
  @Column({ type: 'timestamptz', name: 'lease_until', precision: 3, nullable: true })
  leaseUntil!: Date | null;
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 }) expiresAt!: Date;
  @Column({ type: 'timestamptz', name: 'delivered_at', precision: 3, nullable: true })
  deliveredAt!: Date | null;
  @ManyToOne('AlertEvent', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'alert_event_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'notifications_alert_event_id_fkey',
  })
  alertEvent?: AlertEvent;
  @ManyToOne('NotificationChannel', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'channel_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'notifications_channel_id_fkey',
  })
  channel?: NotificationChannel;
}
