import { Check, Column, Entity, PrimaryColumn } from 'typeorm';
import type { Unit } from '../readings/sample.js';

/** What a probe showed in a quarter of an hour or in an hour: sums are exact, of hundredths of `unit` and milliseconds. */
@Entity('reading_buckets')
@Check('reading_buckets_seconds_check', 'seconds IN (900, 3600)')
@Check('reading_buckets_unit_check', "unit IN ('F', 'C', 'H')")
export class ReadingBucket {
  @PrimaryColumn({ type: 'integer', name: 'probe_id', primaryKeyConstraintName: 'reading_buckets_pkey' })
  probeId!: number;
  @PrimaryColumn({ type: 'smallint', name: 'seconds', primaryKeyConstraintName: 'reading_buckets_pkey' })
  seconds!: 900 | 3600;
  @PrimaryColumn({
    type: 'timestamptz',
    name: 'bucket_start',
    precision: 3,
    primaryKeyConstraintName: 'reading_buckets_pkey',
  })
  bucketStart!: Date;
  @Column({ type: 'char', name: 'unit', length: 1 }) unit!: Unit;
  /** Measured in it; 0 where only a value from before still stood. */
  @Column({ type: 'integer', name: 'reading_count' }) readingCount!: number;
  @Column({ type: 'integer', name: 'min_hundredths' }) minHundredths!: number;
  @Column({ type: 'integer', name: 'max_hundredths' }) maxHundredths!: number;
  @Column({ type: 'bigint', name: 'weighted_sum' }) weightedSum!: string;
  @Column({ type: 'integer', name: 'covered_ms' }) coveredMs!: number;
  /** Null: the probe had no range. */
  @Column({ type: 'integer', name: 'out_of_range_ms', nullable: true }) outOfRangeMs!: number | null;
}
