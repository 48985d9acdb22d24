import { Check, Column, Entity, Index, JoinColumn, ManyToOne, OneToMany, Unique } from 'typeorm';
import { Published } from './base.js';
import type { Probe } from './probe.js';
import type { User } from './user.js';

/** One thermometer, logger or gateway: a row per serial for good; `user_id` is its present owner. */
@Entity('devices')
@Unique('devices_public_id_key', ['publicId'])
@Unique('devices_device_id_key', ['deviceId'])
@Index('devices_user_id_idx', ['userId'])
@Index('devices_archives_due_at_idx', { synchronize: false })
@Check('devices_status_check', "status IN ('online', 'offline', 'error')")
export class Device extends Published {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'device_id', length: 50 }) deviceId!: string;
  @Column({ type: 'varchar', name: 'nickname', length: 100, nullable: true }) nickname!: string | null;
  @Column({ type: 'varchar', name: 'label', length: 100, nullable: true }) label!: string | null;
  @Column({ type: 'varchar', name: 'type', length: 50, nullable: true }) type!: string | null;
  @Column({ type: 'varchar', name: 'model', length: 50, nullable: true }) model!: string | null;
  @Column({ type: 'varchar', name: 'status', length: 20, default: 'offline' })
  status!: 'online' | 'offline' | 'error';
  @Column({ type: 'boolean', name: 'is_active', default: true }) isActive!: boolean;
  @Column({ type: 'smallint', name: 'battery_percent', nullable: true }) batteryPercent!: number | null;
  @Column({ type: 'smallint', name: 'signal_dbm', nullable: true }) signalDbm!: number | null;
  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3, nullable: true })
  lastSeenAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'last_telemetry_at', precision: 3, nullable: true })
  lastTelemetryAt!: Date | null;
  @Column({ type: 'integer', name: 'transmit_interval_seconds', nullable: true })
  transmitIntervalSeconds!: number | null;
  @Column({ type: 'integer', name: 'recording_interval_seconds', nullable: true })
  recordingIntervalSeconds!: number | null;
  @Column({ type: 'varchar', name: 'iot_device_id', length: 50, nullable: true }) iotDeviceId!: string | null;
  /** Of the gateway that it is heard by: the `iotDeviceId` of that. */
  @Column({ type: 'varchar', name: 'gateway_id', length: 50, nullable: true }) gatewayId!: string | null;
  @Column({ type: 'varchar', name: 'cloud_update_time', length: 40, nullable: true })
  cloudUpdateTime!: string | null;
  @Column({ type: 'timestamptz', name: 'channels_checked_at', precision: 3, nullable: true })
  channelsCheckedAt!: Date | null;
  /** When a recording of it was closed last, as the cloud says. */
  @Column({ type: 'timestamptz', name: 'last_archive_at', precision: 3, nullable: true })
  lastArchiveAt!: Date | null;
  /** When to look for archives that fill its gaps; null: it has none that is open. */
  @Column({ type: 'timestamptz', name: 'archives_due_at', precision: 3, nullable: true })
  archivesDueAt!: Date | null;
  @Column({ type: 'integer', name: 'missed_polls', default: 0 }) missedPolls!: number;
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true }) deletedAt!: Date | null;
  @ManyToOne('User', 'devices', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'devices_user_id_fkey',
  })
  user?: User;
  @OneToMany('Probe', 'device') probes?: Probe[];
}
