import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { ProbeRole } from '../readings/sample.js';
import { Audited } from './base.js';
import type { GrillingSession } from './grilling-session.js';
import type { Probe } from './probe.js';

/** A probe that takes part in a session; `member_from` and `member_to` are empty where the session's own bounds hold. */
@Entity('session_members')
@Index('session_members_probe_id_idx', ['probeId'])
@Check('session_members_role_check', "role IN ('pit', 'food', 'storage', 'other')")
export class SessionMember extends Audited {
  @PrimaryColumn({ type: 'integer', name: 'session_id', primaryKeyConstraintName: 'session_members_pkey' })
  sessionId!: number;
  @PrimaryColumn({ type: 'integer', name: 'probe_id', primaryKeyConstraintName: 'session_members_pkey' })
  probeId!: number;
  @Column({ type: 'varchar', name: 'role', length: 20 }) role!: ProbeRole;
  @Column({ type: 'timestamptz', name: 'member_from', precision: 3, nullable: true })
  memberFrom!: Date | null;
  @Column({ type: 'timestamptz', name: 'member_to', precision: 3, nullable: true }) memberTo!: Date | null;
  @ManyToOne('GrillingSession', 'members', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'session_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_members_session_id_fkey',
  })
  session?: GrillingSession;
  @ManyToOne('Probe', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'probe_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_members_probe_id_fkey',
  })
  probe?: Probe;
}
