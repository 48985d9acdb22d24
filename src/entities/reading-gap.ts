import { Check, Column, Entity, JoinColumn, ManyToOne, Unique } from 'typeorm';
import { Identified } from './base.js';
import type { Probe } from './probe.js';

/** An interval of a probe that nobody observed, with its cause. */
@Entity('reading_gaps')
@Unique('reading_gaps_probe_id_gap_start_key', ['probeId', 'gapStart'])
@Check('reading_gaps_cause_check', "cause IN ('offline', 'queue', 'overwritten', 'account', 'service')")
@Check('reading_gaps_status_check', "status IN ('open', 'filled', 'lost')")
@Check('reading_gaps_gap_end_check', 'gap_end > gap_start')
export class ReadingGap extends Identified {
  @Column({ type: 'integer', name: 'probe_id' }) probeId!: number;
  @Column({ type: 'timestamptz', name: 'gap_start', precision: 3 }) gapStart!: Date;
  @Column({ type: 'timestamptz', name: 'gap_end', precision: 3 }) gapEnd!: Date;
  @Column({ type: 'varchar', name: 'cause', length: 20 })
  cause!: 'offline' | 'queue' | 'overwritten' | 'account' | 'service';
  @Column({ type: 'varchar', name: 'status', length: 20, default: 'open' })
  status!: 'open' | 'filled' | 'lost';
  @ManyToOne('Probe', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'probe_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'reading_gaps_probe_id_fkey',
  })
  probe?: Probe;
}
