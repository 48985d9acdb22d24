import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { Audited } from './base.js';
import type { GrillingSession } from './grilling-session.js';
import type { Probe } from './probe.js';

/** What happened to a probe in a session, by reading times: a pit's lid was open. */
@Entity('session_tags')
@Index('session_tags_probe_id_idx', ['probeId'])
@Check('session_tags_tag_check', "tag IN ('lid_open')")
export class SessionTag extends Audited {
  @PrimaryColumn({ type: 'integer', name: 'session_id', primaryKeyConstraintName: 'session_tags_pkey' })
  sessionId!: number;
  @PrimaryColumn({ type: 'integer', name: 'probe_id', primaryKeyConstraintName: 'session_tags_pkey' })
  probeId!: number;
  @PrimaryColumn({
    type: 'varchar',
    name: 'tag',
    length: 20,
    primaryKeyConstraintName: 'session_tags_pkey',
  })
  tag!: 'lid_open';
  @PrimaryColumn({
    type: 'timestamptz',
    name: 'tag_from',
    precision: 3,
    primaryKeyConstraintName: 'session_tags_pkey',
  })
  tagFrom!: Date;
  @Column({ type: 'timestamptz', name: 'tag_to', precision: 3 }) tagTo!: Date;
  @ManyToOne('GrillingSession', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'session_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_tags_session_id_fkey',
  })
  session?: GrillingSession;
  @ManyToOne('Probe', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'probe_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_tags_probe_id_fkey',
  })
  probe?: Probe;
}
