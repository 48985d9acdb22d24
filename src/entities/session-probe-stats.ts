import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { GrillingSession } from './grilling-session.js';
import type { Probe } from './probe.js';

/** The roll-up of one probe in one session, in the session's unit; the sum is exact, in hundredths of a degree. */
@Entity('session_probe_stats')
@Index('session_probe_stats_probe_id_idx', ['probeId'])
export class SessionProbeStats {
  @PrimaryColumn({
    type: 'integer',
    name: 'session_id',
    primaryKeyConstraintName: 'session_probe_stats_pkey',
  })
  sessionId!: number;
  @PrimaryColumn({ type: 'integer', name: 'probe_id', primaryKeyConstraintName: 'session_probe_stats_pkey' })
  probeId!: number;
  @Column({ type: 'integer', name: 'reading_count' }) readingCount!: number;
  @Column({ type: 'bigint', name: 'temperature_sum_hundredths' }) temperatureSumHundredths!: string;
  @Column({ type: 'double precision', name: 'min_temperature' }) minTemperature!: number;
  @Column({ type: 'timestamptz', name: 'min_at', precision: 3 }) minAt!: Date;
  @Column({ type: 'double precision', name: 'max_temperature' }) maxTemperature!: number;
  @Column({ type: 'timestamptz', name: 'max_at', precision: 3 }) maxAt!: Date;
  @Column({ type: 'double precision', name: 'avg_temperature' }) avgTemperature!: number;
  @Column({ type: 'timestamptz', name: 'first_measured_at', precision: 3 }) firstMeasuredAt!: Date;
  @Column({ type: 'timestamptz', name: 'last_measured_at', precision: 3 }) lastMeasuredAt!: Date;
  @ManyToOne('GrillingSession', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'session_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_probe_stats_session_id_fkey',
  })
  session?: GrillingSession;
  @ManyToOne('Probe', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'probe_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_probe_stats_probe_id_fkey',
  })
  probe?: Probe;
}
