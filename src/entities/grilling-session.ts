import { Check, Column, Entity, Index, JoinColumn, ManyToOne, OneToMany, Unique } from 'typeorm';
import { Published } from './base.js';
import type { Device } from './device.js';
import type { SessionMember } from './session-member.js';
import type { User } from './user.js';

export type EndReason = 'cooled' | 'unplugged' | 'lost_contact' | 'manual' | 'device_gone' | 'too_long';

/** A cook: a view over the readings of its members from start to end, with exact roll-ups in its own unit. */
@Entity('grilling_sessions')
@Unique('grilling_sessions_public_id_key', ['publicId'])
@Index('grilling_sessions_user_id_start_time_idx', ['userId', 'startTime'])
@Index('grilling_sessions_device_id_start_time_idx', ['deviceId', 'startTime'])
// At most one automatic session runs on a device.
@Index('grilling_sessions_device_id_key', { synchronize: false })
@Check('grilling_sessions_session_type_check', "session_type IN ('auto', 'manual')")
@Check('grilling_sessions_status_check', "status IN ('active', 'completed', 'cancelled')")
@Check('grilling_sessions_phase_check', "phase IN ('active', 'paused', 'ended')")
@Check(
  'grilling_sessions_end_reason_check',
  "end_reason IN ('cooled', 'unplugged', 'lost_contact', 'manual', 'device_gone', 'too_long')",
)
@Check('grilling_sessions_temperature_unit_check', "temperature_unit IN ('F', 'C')")
@Check('grilling_sessions_end_time_check', 'end_time >= start_time')
@Check('grilling_sessions_phase_status_check', "(phase = 'ended') = (status <> 'active')")
export class GrillingSession extends Published {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'device_id', length: 50 }) deviceId!: string;
  @Column({ type: 'varchar', name: 'name', length: 100, nullable: true }) name!: string | null;
  @Column({ type: 'varchar', name: 'session_type', length: 20, default: 'auto' })
  sessionType!: 'auto' | 'manual';
  @Column({ type: 'varchar', name: 'status', length: 20, default: 'active' })
  status!: 'active' | 'completed' | 'cancelled';
  @Column({ type: 'varchar', name: 'phase', length: 20, default: 'active' })
  phase!: 'active' | 'paused' | 'ended';
  @Column({ type: 'varchar', name: 'end_reason', length: 20, nullable: true }) endReason!: EndReason | null;
  @Column({ type: 'timestamptz', name: 'start_time', precision: 3, default: () => 'now()' }) startTime!: Date;
  @Column({ type: 'timestamptz', name: 'end_time', precision: 3, nullable: true }) endTime!: Date | null;
  @Column({ type: 'timestamptz', name: 'last_reading_at', precision: 3, nullable: true })
  lastReadingAt!: Date | null;
  @Column({ type: 'double precision', name: 'max_temperature', nullable: true })
  maxTemperature!: number | null;
  @Column({ type: 'double precision', name: 'min_temperature', nullable: true })
  minTemperature!: number | null;
  @Column({ type: 'double precision', name: 'avg_temperature', nullable: true })
  avgTemperature!: number | null;
  @Column({ type: 'char', name: 'temperature_unit', length: 1, default: 'F' }) temperatureUnit!: 'F' | 'C';
  @Column({ type: 'integer', name: 'reading_count', default: 0 }) readingCount!: number;
  /** When a person last set bounds or members: from then on nothing else moves them. */
  @Column({ type: 'timestamptz', name: 'edited_at', precision: 3, nullable: true }) editedAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true }) deletedAt!: Date | null;
  @ManyToOne('User', 'grillingSessions', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'grilling_sessions_user_id_fkey',
  })
  user?: User;
  @ManyToOne('Device', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'device_id',
    referencedColumnName: 'deviceId',
    foreignKeyConstraintName: 'grilling_sessions_device_id_fkey',
  })
  device?: Device;
  @OneToMany('SessionMember', 'session') members?: SessionMember[];
}
