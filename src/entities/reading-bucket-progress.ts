import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn } from 'typeorm';
import type { Probe } from './probe.js';

/** How far the buckets of a probe have come; whoever works on them holds the row. */
@Entity('reading_bucket_progress')
export class ReadingBucketProgress {
  @PrimaryColumn({
    type: 'integer',
    name: 'probe_id',
    primaryKeyConstraintName: 'reading_bucket_progress_pkey',
  })
  probeId!: number;
  /** Here the next work begins; null: at the first reading. */
  @Column({ type: 'timestamptz', name: 'done_until', precision: 3, nullable: true }) doneUntil!: Date | null;
  /** Readings up to here are in stored buckets, but for those of marked hours. */
  @Column({ type: 'timestamptz', name: 'valid_until', precision: 3, nullable: true })
  validUntil!: Date | null;
  @OneToOne('Probe', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'probe_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'reading_bucket_progress_probe_id_fkey',
  })
  probe?: Probe;
}
