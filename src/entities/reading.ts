import { Check, Column, Entity, PrimaryColumn } from 'typeorm';
import type { Unit } from '../readings/sample.js';

/** One stored sample of one probe. Append-only: rows are never updated. */
@Entity('readings')
@Check('readings_value_check', "value > '-Infinity' AND value < 'Infinity'")
@Check('readings_unit_check', "unit IN ('F', 'C', 'H')")
export class Reading {
  @PrimaryColumn({ type: 'integer', name: 'probe_id', primaryKeyConstraintName: 'readings_pkey' })
  probeId!: number;
  @PrimaryColumn({
    type: 'timestamptz',
    name: 'measured_at',
    precision: 3,
    primaryKeyConstraintName: 'readings_pkey',
  })
  measuredAt!: Date;
  @Column({ type: 'real', name: 'value' }) value!: number;
  @Column({ type: 'char', name: 'unit', length: 1 }) unit!: Unit;
  @Column({ type: 'smallint', name: 'flags', default: 0 }) flags!: number;
}
