import { Check, Column, Entity, Index, JoinColumn, OneToOne, Unique } from 'typeorm';
import type { ProviderName } from '../thermoworks/types.js';
import { Published } from './base.js';
import type { User } from './user.js';

export type AccountStatus = 'active' | 'needs_reauth' | 'degraded' | 'paused';

/** A linked cloud account: its encrypted tokens, the lease of the poll that is under way and when the next one is due. */
@Entity('thermoworks_credentials')
@Unique('thermoworks_credentials_public_id_key', ['publicId'])
@Unique('thermoworks_credentials_user_id_key', ['userId'])
@Index('thermoworks_credentials_next_poll_at_idx', { synchronize: false })
@Check('thermoworks_credentials_provider_check', "provider IN ('thermoworks', 'eti', 'simulator')")
@Check('thermoworks_credentials_status_check', "status IN ('active', 'needs_reauth', 'degraded', 'paused')")
export class ThermoworksCredential extends Published {
  @Column({ type: 'integer', name: 'user_id' }) userId!: number;
  @Column({ type: 'varchar', name: 'provider', length: 20 }) provider!: ProviderName;
  @Column({ type: 'varchar', name: 'thermoworks_uid', length: 128 }) thermoworksUid!: string;
  @Column({ type: 'varchar', name: 'account_id', length: 128, nullable: true }) accountId!: string | null;
  @Column({ type: 'text', name: 'access_token', nullable: true }) accessToken!: string | null;
  @Column({ type: 'text', name: 'refresh_token' }) refreshToken!: string;
  @Column({ type: 'text', name: 'previous_refresh_token', nullable: true })
  previousRefreshToken!: string | null;
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3, nullable: true }) expiresAt!: Date | null;
  @Column({ type: 'integer', name: 'token_version', default: 0 }) tokenVersion!: number;
  @Column({ type: 'timestamptz', name: 'refresh_lease_until', precision: 3, nullable: true })
  refreshLeaseUntil!: Date | null;
  @Column({ type: 'varchar', name: 'status', length: 20, default: 'active' }) status!: AccountStatus;
  @Column({ type: 'timestamptz', name: 'next_poll_at', precision: 3, default: () => 'now()' })
  nextPollAt!: Date;
  @Column({ type: 'timestamptz', name: 'last_polled_at', precision: 3, nullable: true })
  lastPolledAt!: Date | null;
  @Column({ type: 'varchar', name: 'last_error', length: 500, nullable: true }) lastError!: string | null;
  @Column({ type: 'integer', name: 'failed_polls', default: 0 }) failedPolls!: number;
  @Column({ type: 'uuid', name: 'lease_owner', nullable: true }) leaseOwner!: string | null;
  @Column({ type: 'timestamptz', name: 'lease_until', precision: 3, nullable: true })
  leaseUntil!: Date | null;
  @Column({ type: 'timestamptz', name: 'cloud_read_at', precision: 3, nullable: true })
  cloudReadAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'swept_at', precision: 3, nullable: true }) sweptAt!: Date | null;
  @Column({ type: 'timestamptz', name: 'user_read_at', precision: 3, nullable: true })
  userReadAt!: Date | null;
  @OneToOne('User', 'thermoworksCredential', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'user_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'thermoworks_credentials_user_id_fkey',
  })
  user?: User;
}
