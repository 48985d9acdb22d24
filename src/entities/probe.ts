import { Check, Column, Entity, Index, JoinColumn, ManyToOne, Unique } from 'typeorm';
import type { ProbeCondition, ProbeRole, Unit } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';
import { Identified } from './base.js';
import type { Device } from './device.js';
import type { User } from './user.js';

/** One channel of a device, as one owner saw it; `last_measured_at` is the high-water mark of what is stored. */
@Entity('probes')
@Unique('probes_user_id_device_id_probe_id_key', ['userId', 'deviceId', 'probeId'])
@Index('probes_device_id_idx', ['deviceId'])
@Check('probes_kind_check', "kind IN ('temperature', 'humidity')")
@Check('probes_role_check', "role IN ('pit', 'food', 'storage', 'other')")
@Check('probes_state_check', "state IN ('ok', 'absent', 'disabled', 'fault', 'stale')")
@Check('probes_last_unit_check', "last_unit IN ('F', 'C', 'H')")
@Check('probes_temperature_unit_check', "temperature_unit IN ('F', 'C')")
@Check(
  'probes_range_check',
  '(min_temperature < max_temperature) IS NOT FALSE AND (temperature_unit IS NULL) = (min_temperature IS NULL AND max_temperature IS NULL)',
)
export class Probe extends Identified {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'device_id', length: 50 }) deviceId!: string;
  @Column({ type: 'varchar', name: 'probe_id', length: 50 }) probeId!: string;
  @Column({ type: 'varchar', name: 'label', length: 100, nullable: true }) label!: string | null;
  @Column({ type: 'boolean', name: 'label_set_by_user', default: false }) labelSetByUser!: boolean;
  @Column({ type: 'varchar', name: 'kind', length: 20, default: 'temperature' })
  kind!: 'temperature' | 'humidity';
  @Column({ type: 'varchar', name: 'role', length: 20, nullable: true }) role!: ProbeRole | null;
  @Column({ type: 'varchar', name: 'state', length: 20, default: 'ok' }) state!: ProbeCondition;
  @Column({ type: 'timestamptz', name: 'state_at', precision: 3, nullable: true }) stateAt!: Date | null;
  @Column({ type: 'varchar', name: 'unknown_unit', length: 50, nullable: true }) unknownUnit!: string | null;
  @Column({ type: 'real', name: 'last_value', nullable: true }) lastValue!: number | null;
  @Column({ type: 'char', name: 'last_unit', length: 1, nullable: true }) lastUnit!: Unit | null;
  @Column({ type: 'timestamptz', name: 'last_measured_at', precision: 3, nullable: true })
  lastMeasuredAt!: Date | null;
  /** The newest reading that the cloud showed us: while it is newer than what is stored, the cloud is asked again. */
  @Column({ type: 'timestamptz', name: 'shown_at', precision: 3, nullable: true }) shownAt!: Date | null;
  /** Above it an alarm of the cloud's own is on; null: none is. */
  @Column({ type: 'real', name: 'high_alarm_celsius', nullable: true }) highAlarmCelsius!: number | null;
  @Column({ type: 'real', name: 'learned_interval_seconds', nullable: true })
  learnedIntervalSeconds!: number | null;
  /** The range that the user set: statistics tell the time in, above and below it. A side may be open. */
  @Column({ type: 'double precision', name: 'min_temperature', nullable: true })
  minTemperature!: number | null;
  @Column({ type: 'double precision', name: 'max_temperature', nullable: true })
  maxTemperature!: number | null;
  /** As the range was typed; null: there is none. */
  @Column({ type: 'char', name: 'temperature_unit', length: 1, nullable: true })
  temperatureUnit!: TemperatureUnit | null;
  @ManyToOne('User', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'probes_user_id_fkey',
  })
  user?: User;
  @ManyToOne('Device', 'probes', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'device_id',
    referencedColumnName: 'deviceId',
    foreignKeyConstraintName: 'probes_device_id_fkey',
  })
  device?: Device;
}
