import { Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm';
import { Identified } from './base.js';
import type { Device } from './device.js';
import type { User } from './user.js';

/** How far the cloud's archive of a device's recording has come into the readings of its owner. */
@Entity('archive_copies')
@Unique('archive_copies_user_id_device_id_archive_id_key', ['userId', 'deviceId', 'archiveId'])
@Index('archive_copies_device_id_idx', ['deviceId'])
export class ArchiveCopy extends Identified {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  /** `devices.id`. */
  @Column({ type: 'integer', name: 'device_id' }) deviceId!: number;
  @Column({ type: 'varchar', name: 'archive_id', length: 50 }) archiveId!: string;
  @Column({ type: 'varchar', name: 'cloud_update_time', length: 40 }) cloudUpdateTime!: string;
  /** Which of its rows were wanted: those in certain gaps, or all from a time on. */
  @Column({ type: 'varchar', name: 'scope', length: 60 }) scope!: string;
  @Column({ type: 'integer', name: 'tries', default: 1 }) tries!: number;
  /** Of the wanted rows, by probe and then by time. */
  @Column({ type: 'integer', name: 'rows_done', default: 0 }) rowsDone!: number;
  /** When all of them were in, with all that follows from them. */
  @Column({ type: 'timestamptz', name: 'applied_at', precision: 3, nullable: true }) appliedAt!: Date | null;
  @Column({ type: 'varchar', name: 'last_error', length: 100, nullable: true }) lastError!: string | null;
  @ManyToOne('User', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'archive_copies_user_id_fkey',
  })
  user?: User;
  @ManyToOne('Device', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'device_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'archive_copies_device_id_fkey',
  })
  device?: Device;
}
