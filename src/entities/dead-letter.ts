import { Column, Entity, Unique } from 'typeorm';
import { Identified } from './base.js';

/** A job that no retry mends, kept with its data until somebody looks. */
@Entity('dead_letters')
@Unique('dead_letters_queue_job_id_key', ['queue', 'jobId'])
export class DeadLetter extends Identified {
  @Column({ type: 'varchar', name: 'queue', length: 50 }) queue!: string;
  @Column({ type: 'varchar', name: 'job_id', length: 200 }) jobId!: string;
  @Column({ type: 'jsonb', name: 'data' }) data!: Record<string, unknown>;
  @Column({ type: 'text', name: 'reason' }) reason!: string;
  @Column({ type: 'integer', name: 'attempts' }) attempts!: number;
}
