import { Check, Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm';
import { Published } from './base.js';
import type { Device } from './device.js';
import type { User } from './user.js';

export type AlertType = 'target' | 'range' | 'rising' | 'falling' | 'no_data' | 'battery' | 'probe_removed';
export type Severity = 'info' | 'warning' | 'critical';

/** A rule that a user set. Thresholds are in `temperature_unit`; differences (hysteresis) convert by factor only. */
@Entity('temperature_alerts')
@Unique('temperature_alerts_public_id_key', ['publicId'])
@Index('temperature_alerts_user_id_idx', ['userId'])
@Index('temperature_alerts_device_id_probe_id_idx', ['deviceId', 'probeId'])
@Check('temperature_alerts_direction_check', "direction IN ('up', 'down')")
@Check('temperature_alerts_temperature_unit_check', "temperature_unit IN ('F', 'C')")
@Check('temperature_alerts_threshold_value_check', 'threshold_value > 0')
@Check('temperature_alerts_window_seconds_check', 'window_seconds > 0')
@Check('temperature_alerts_hold_seconds_check', 'hold_seconds >= 0')
@Check('temperature_alerts_recovery_seconds_check', 'recovery_seconds >= 0')
@Check('temperature_alerts_hysteresis_check', 'hysteresis >= 0')
@Check('temperature_alerts_cooldown_seconds_check', 'cooldown_seconds >= 0')
@Check('temperature_alerts_repeat_seconds_check', 'repeat_seconds >= 0')
@Check('temperature_alerts_severity_check', "severity IN ('info', 'warning', 'critical')")
@Check(
  'temperature_alerts_alert_type_check',
  "CASE alert_type WHEN 'target' THEN target_temperature IS NOT NULL AND direction IS NOT NULL AND probe_id IS NOT NULL WHEN 'range' THEN probe_id IS NOT NULL AND num_nonnulls( min_temperature, max_temperature, critical_min_temperature, critical_max_temperature) > 0 WHEN 'rising' THEN probe_id IS NOT NULL AND num_nonnulls(threshold_value, window_seconds) = 2 WHEN 'falling' THEN probe_id IS NOT NULL AND num_nonnulls(threshold_value, window_seconds) = 2 WHEN 'no_data' THEN num_nonnulls(silence_minutes, critical_silence_minutes) > 0 WHEN 'battery' THEN probe_id IS NULL AND num_nonnulls(battery_percent, critical_battery_percent) > 0 WHEN 'probe_removed' THEN true ELSE false END",
)
export class TemperatureAlert extends Published {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'device_id', length: 50 }) deviceId!: string;
  @Column({ type: 'varchar', name: 'probe_id', length: 50, nullable: true }) probeId!: string | null;
  @Column({ type: 'varchar', name: 'name', length: 100, nullable: true }) name!: string | null;
  @Column({ type: 'text', name: 'description', nullable: true }) description!: string | null;
  @Column({ type: 'varchar', name: 'alert_type', length: 20 }) alertType!: AlertType;
  @Column({ type: 'double precision', name: 'target_temperature', nullable: true })
  targetTemperature!: number | null;
  @Column({ type: 'varchar', name: 'direction', length: 4, nullable: true }) direction!: 'up' | 'down' | null;
  @Column({ type: 'double precision', name: 'min_temperature', nullable: true })
  minTemperature!: number | null;
  @Column({ type: 'double precision', name: 'max_temperature', nullable: true })
  maxTemperature!: number | null;
  @Column({ type: 'double precision', name: 'threshold_value', nullable: true })
  thresholdValue!: number | null;
  @Column({ type: 'integer', name: 'window_seconds', nullable: true }) windowSeconds!: number | null;
  @Column({ type: 'integer', name: 'silence_minutes', nullable: true }) silenceMinutes!: number | null;
  @Column({ type: 'smallint', name: 'battery_percent', nullable: true }) batteryPercent!: number | null;
  @Column({ type: 'double precision', name: 'critical_min_temperature', nullable: true })
  criticalMinTemperature!: number | null;
  @Column({ type: 'double precision', name: 'critical_max_temperature', nullable: true })
  criticalMaxTemperature!: number | null;
  @Column({ type: 'integer', name: 'critical_silence_minutes', nullable: true })
  criticalSilenceMinutes!: number | null;
  @Column({ type: 'smallint', name: 'critical_battery_percent', nullable: true })
  criticalBatteryPercent!: number | null;
  @Column({ type: 'double precision', name: 'pre_alert_difference', nullable: true })
  preAlertDifference!: number | null;
  @Column({ type: 'char', name: 'temperature_unit', length: 1, default: 'F' }) temperatureUnit!: 'F' | 'C';
  @Column({ type: 'boolean', name: 'is_active', default: true }) isActive!: boolean;
  @Column({ type: 'timestamptz', name: 'last_triggered', precision: 3, nullable: true })
  lastTriggered!: Date | null;
  @Column({ type: 'integer', name: 'hold_seconds', default: 0 }) holdSeconds!: number;
  @Column({ type: 'integer', name: 'recovery_seconds', nullable: true }) recoverySeconds!: number | null;
  @Column({ type: 'double precision', name: 'hysteresis', default: 0 }) hysteresis!: number;
  @Column({ type: 'integer', name: 'cooldown_seconds', default: 0 }) cooldownSeconds!: number;
  @Column({ type: 'integer', name: 'repeat_seconds', default: 0 }) repeatSeconds!: number;
  @Column({ type: 'varchar', name: 'severity', length: 20, default: 'warning' }) severity!: Severity;
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true }) deletedAt!: Date | null;
  /** The probe's newest reading when the condition was set: it judges those after it. Null: there was none. */
  @Column({ type: 'timestamptz', name: 'judged_after', precision: 3, nullable: true })
  judgedAfter!: Date | null;
  @ManyToOne('User', 'temperatureAlerts', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'temperature_alerts_user_id_fkey',
  })
  user?: User;
  @ManyToOne('Device', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'device_id',
    referencedColumnName: 'deviceId',
    foreignKeyConstraintName: 'temperature_alerts_device_id_fkey',
  })
  device?: Device;
}
