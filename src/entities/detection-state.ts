import { Column, Entity, Index, JoinColumn, OneToOne, PrimaryColumn } from 'typeorm';
import type { Device } from './device.js';

/** What session detection remembers of a device, and when it must look again though nothing arrived. */
@Entity('detection_states')
@Index('detection_states_due_at_idx', { synchronize: false })
export class DetectionState {
  @PrimaryColumn({ type: 'integer', name: 'device_id', primaryKeyConstraintName: 'detection_states_pkey' })
  deviceId!: number;
  @Column({ type: 'json', name: 'state' }) state!: Record<string, unknown>;
  @Column({ type: 'timestamptz', name: 'due_at', precision: 3, nullable: true }) dueAt!: Date | null;
  @OneToOne('Device', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'device_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'detection_states_device_id_fkey',
  })
  device?: Device;
}
