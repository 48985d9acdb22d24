import { Check, Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { RecentReading } from '../alerts/types.js';
import type { Severity, TemperatureAlert } from './temperature-alert.js';

export type AlertSide = 'up' | 'down' | 'low' | 'high';
export type AlertPhase = 'inactive' | 'pending' | 'firing' | 'recovering';

/** Where one side and tier of an alert stands; read and written in the transaction that stores the readings. */
@Entity('alert_states')
@Check('alert_states_side_check', "side IN ('up', 'down', 'low', 'high')")
@Check('alert_states_tier_check', "tier IN ('info', 'warning', 'critical')")
@Check('alert_states_phase_check', "phase IN ('inactive', 'pending', 'firing', 'recovering')")
export class AlertState {
  @PrimaryColumn({ type: 'integer', name: 'alert_id', primaryKeyConstraintName: 'alert_states_pkey' })
  alertId!: number;
  @PrimaryColumn({ type: 'varchar', name: 'side', length: 10, primaryKeyConstraintName: 'alert_states_pkey' })
  side!: AlertSide;
  @PrimaryColumn({ type: 'varchar', name: 'tier', length: 20, primaryKeyConstraintName: 'alert_states_pkey' })
  tier!: Severity;
  @Column({ type: 'varchar', name: 'phase', length: 20 }) phase!: AlertPhase;
  @Column({ type: 'boolean', name: 'is_unknown', default: false }) isUnknown!: boolean;
  @Column({ type: 'boolean', name: 'is_armed', default: true }) isArmed!: boolean;
  @Column({ type: 'boolean', name: 'is_announced', default: false }) isAnnounced!: boolean;
  @Column({ type: 'integer', name: 'version', default: 0 }) version!: number;
  @Column({ type: 'bigint', name: 'held_ms', default: '0' }) heldMs!: string;
  @Column({ type: 'integer', name: 'held_readings', default: 0 }) heldReadings!: number;
  @Column({ type: 'bigint', name: 'rearm_ms', default: '0' }) rearmMs!: string;
  @Column({ type: 'timestamptz', name: 'evaluated_at', precision: 3, nullable: true })
  evaluatedAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'fired_at', precision: 3, nullable: true }) firedAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'resolved_at', precision: 3, nullable: true })
  resolvedAt!: Date | null;
  @Column({ type: 'double precision', name: 'extreme', nullable: true }) extreme!: number | null;
  @Column({ type: 'json', name: 'recent', nullable: true }) recent!: RecentReading[] | null;
  @Column({ type: 'timestamptz', name: 'acknowledged_at', precision: 3, nullable: true })
  acknowledgedAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'snoozed_until', precision: 3, nullable: true })
  snoozedUntil!: Date | null;
  @Column({ type: 'timestamptz', name: 'told_at', precision: 3, nullable: true }) toldAt!: Date | null;
  @Column({ type: 'boolean', name: 'is_muted', default: false }) isMuted!: boolean;
  @Column({ type: 'boolean', name: 'is_inhibited', default: false }) isInhibited!: boolean;
  @ManyToOne('TemperatureAlert', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'alert_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'alert_states_alert_id_fkey',
  })
  alert?: TemperatureAlert;
}
