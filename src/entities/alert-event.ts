import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn, Unique } from 'typeorm';
import type { Unit } from '../readings/sample.js';
import type { AlertSide } from './alert-state.js';
import type { GrillingSession } from './grilling-session.js';
import type { Severity, TemperatureAlert } from './temperature-alert.js';

export type AlertEventKind =
  | 'fired'
  | 'resolved'
  | 'repeated'
  | 'acknowledged'
  | 'unacknowledged'
  | 'snoozed';

/**
 * A transition of an alert. Append-only; `version` numbers those of an alert's side and tier from 1 on without a hole.
 * What was detected late is numbered from -1 down, each firing with its end, and is replaced when more readings come.
 */
@Entity('alert_events')
@Unique('alert_events_public_id_key', ['publicId'])
@Unique('alert_events_alert_id_side_tier_version_key', ['alertId', 'side', 'tier', 'version'])
@Index('alert_events_session_id_idx', ['sessionId'])
@Check(
  'alert_events_kind_check',
  "kind IN ('fired', 'resolved', 'repeated', 'acknowledged', 'unacknowledged', 'snoozed')",
)
@Check('alert_events_side_check', "side IN ('up', 'down', 'low', 'high')")
@Check('alert_events_tier_check', "tier IN ('info', 'warning', 'critical')")
@Check('alert_events_unit_check', "unit IN ('F', 'C', 'H')")
export class AlertEvent {
  @PrimaryGeneratedColumn('identity', { name: 'id', generatedIdentity: 'ALWAYS' }) id!: number;
  @Column({ type: 'uuid', name: 'public_id' }) publicId!: string;
  @Column({ type: 'integer', name: 'alert_id' }) alertId!: number;
  @Column({ type: 'integer', name: 'session_id', nullable: true }) sessionId!: number | null;
  @Column({ type: 'varchar', name: 'kind', length: 20 }) kind!: AlertEventKind;
  @Column({ type: 'varchar', name: 'side', length: 10 }) side!: AlertSide;
  @Column({ type: 'varchar', name: 'tier', length: 20 }) tier!: Severity;
  @Column({ type: 'integer', name: 'version' }) version!: number;
  @Column({ type: 'double precision', name: 'value', nullable: true }) value!: number | null;
  @Column({ type: 'char', name: 'unit', length: 1, nullable: true }) unit!: Unit | null;
  @Column({ type: 'timestamptz', name: 'measured_at', precision: 3 }) measuredAt!: Date;
  @Column({ type: 'integer', name: 'duration_seconds', nullable: true }) durationSeconds!: number | null;
  @Column({ type: 'double precision', name: 'extreme', nullable: true }) extreme!: number | null;
  @Column({ type: 'double precision', name: 'change', nullable: true }) change!: number | null;
  @Column({ type: 'boolean', name: 'detected_late', default: false }) detectedLate!: boolean;
  @Column({ type: 'boolean', name: 'is_muted', default: false }) isMuted!: boolean;
  /** It speaks for its whole device, of which so many probes are missed; null: for one probe. */
  @Column({ type: 'integer', name: 'silent_probes', nullable: true }) silentProbes!: number | null;
  /** It speaks for a gateway that is silent, and so many devices behind it; null: for none. */
  @Column({ type: 'integer', name: 'silent_devices', nullable: true }) silentDevices!: number | null;
  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' }) createdAt!: Date;
  @ManyToOne('TemperatureAlert', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'alert_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'alert_events_alert_id_fkey',
  })
  alert?: TemperatureAlert;
  @ManyToOne('GrillingSession', { onDelete: 'SET NULL' })
  @JoinColumn({
    name: 'session_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'alert_events_session_id_fkey',
  })
  session?: GrillingSession;
}
