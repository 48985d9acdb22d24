import { Check, Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm';
import { Published } from './base.js';
import type { User } from './user.js';

export type ChannelKind = 'webhook' | 'ntfy' | 'email' | 'mqtt' | 'slack' | 'discord' | 'telegram';

/** Where a user's notifications go. Secrets inside `config` are encrypted. */
@Entity('notification_channels')
@Unique('notification_channels_public_id_key', ['publicId'])
@Index('notification_channels_user_id_idx', ['userId'])
@Check(
  'notification_channels_kind_check',
  "kind IN ('webhook', 'ntfy', 'email', 'mqtt', 'slack', 'discord', 'telegram')",
)
export class NotificationChannel extends Published {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'kind', length: 20 }) kind!: ChannelKind;
  @Column({ type: 'jsonb', name: 'config' }) config!: Record<string, unknown>;
  @Column({ type: 'boolean', name: 'is_active', default: true }) isActive!: boolean;
  @Column({ type: 'timestamptz', name: 'last_delivered_at', precision: 3, nullable: true })
  lastDeliveredAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'last_proven_at', precision: 3, nullable: true })
  lastProvenAt!: Date | null;
  @Column({ type: 'varchar', name: 'last_error', length: 500, nullable: true }) lastError!: string | null;
  @ManyToOne('User', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'notification_channels_user_id_fkey',
  })
  user?: User;
}
