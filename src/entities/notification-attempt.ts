import { Check, Column, Entity, Index, JoinColumn, ManyToOne } from 'typeorm';
import { Identified } from './base.js';
import type { Notification } from './notification.js';

/** One try to deliver a notification. */
@Entity('notification_attempts')
@Index('notification_attempts_notification_id_idx', ['notificationId'])
@Check('notification_attempts_outcome_check', "outcome IN ('delivered', 'failed', 'refused')")
export class NotificationAttempt extends Identified {
  @Column({ type: 'uuid', name: 'notification_id' }) notificationId!: string;
  @Column({ type: 'integer', name: 'attempt' }) attempt!: number;
  @Column({ type: 'timestamptz', name: 'started_at', precision: 3 }) startedAt!: Date;
  @Column({ type: 'varchar', name: 'outcome', length: 20 }) outcome!: 'delivered' | 'failed' | 'refused';
  @Column({ type: 'smallint', name: 'status_code', nullable: true }) statusCode!: number | null;
  @Column({ type: 'integer', name: 'latency_ms' }) latencyMs!: number;
  @Column({ type: 'varchar', name: 'receipt', length: 500, nullable: true }) receipt!: string | null;
  @Column({ type: 'varchar', name: 'error', length: 500, nullable: true }) error!: string | null;
  @ManyToOne('Notification', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'notification_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'notification_attempts_notification_id_fkey',
  })
  notification?: Notification;
}
