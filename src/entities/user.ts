import { Check, Column, Entity, Index, JoinColumn, ManyToOne, OneToMany, OneToOne, Unique } from 'typeorm';
import { Published } from './base.js';
import type { Device } from './device.js';
import type { GrillingSession } from './grilling-session.js';
import type { Organisation } from './organisation.js';
import type { TemperatureAlert } from './temperature-alert.js';
import type { ThermoworksCredential } from './thermoworks-credential.js';

/** A person: owns devices, sessions, alerts and channels, and is linked to at most one cloud account. */
@Entity('users')
@Unique('users_public_id_key', ['publicId'])
@Unique('users_google_id_key', ['googleId'])
// Unique among the living: an address may sign up again after its deletion.
@Index('users_email_key', { synchronize: false })
@Index('users_organisation_id_idx', ['organisationId'])
@Check('users_temperature_unit_check', "temperature_unit IN ('F', 'C')")
export class User extends Published {
  @Column({ type: 'integer', name: 'organisation_id', nullable: true }) organisationId!: number | null;
  @Column({ type: 'varchar', name: 'email', length: 255 }) email!: string;
  @Column({ type: 'varchar', name: 'google_id', length: 255, nullable: true }) googleId!: string | null;
  @Column({ type: 'varchar', name: 'password_hash', length: 255, default: '!' }) passwordHash!: string;
  @Column({ type: 'varchar', name: 'name', length: 100, nullable: true }) name!: string | null;
  @Column({ type: 'char', name: 'temperature_unit', length: 1, nullable: true })
  temperatureUnit!: 'F' | 'C' | null;
  @Column({ type: 'varchar', name: 'time_zone', length: 64, nullable: true }) timeZone!: string | null;
  @Column({ type: 'boolean', name: 'is_active', default: true }) isActive!: boolean;
  @Column({ type: 'integer', name: 'failed_login_attempts', default: 0 }) failedLoginAttempts!: number;
  @Column({ type: 'timestamptz', name: 'last_failed_login', precision: 3, nullable: true })
  lastFailedLogin!: Date | null;
  @Column({ type: 'boolean', name: 'is_locked', default: false }) isLocked!: boolean;
  @Column({ type: 'timestamptz', name: 'last_login_at', precision: 3, nullable: true })
  lastLoginAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true }) deletedAt!: Date | null;
  @ManyToOne('Organisation', 'users', { onDelete: 'SET NULL' })
  @JoinColumn({
    name: 'organisation_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'users_organisation_id_fkey',
  })
  organisation?: Organisation;
  @OneToMany('Device', 'user') devices?: Device[];
  @OneToMany('TemperatureAlert', 'user') temperatureAlerts?: TemperatureAlert[];
  @OneToMany('GrillingSession', 'user') grillingSessions?: GrillingSession[];
  @OneToOne('ThermoworksCredential', 'user') thermoworksCredential?: ThermoworksCredential;
}
