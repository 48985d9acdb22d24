import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** An hour whose buckets a late reading made out of date. Only ever added and taken away, so that ingest waits for nobody. */
@Entity('reading_bucket_marks')
@Index('reading_bucket_marks_probe_id_hour_start_idx', ['probeId', 'hourStart'])
export class ReadingBucketMark {
  @PrimaryGeneratedColumn('identity', {
    name: 'id',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'reading_bucket_marks_pkey',
  })
  id!: number;
  @Column({ type: 'integer', name: 'probe_id' }) probeId!: number;
  @Column({ type: 'timestamptz', name: 'hour_start', precision: 3 }) hourStart!: Date;
}
