import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import type { GrillingSession } from './grilling-session.js';

/** What a person changed of a session, who and when: never changed itself. */
@Entity('session_log')
@Index('session_log_session_id_idx', ['sessionId'])
@Check('session_log_action_check', "action IN ('edited', 'split', 'restored', 'imported')")
export class SessionLogEntry {
  @PrimaryGeneratedColumn('identity', {
    name: 'id',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'session_log_pkey',
  })
  id!: number;
  @Column({ type: 'integer', name: 'session_id' }) sessionId!: number;
  /** A user's public id, or `operator`. */
  @Column({ type: 'varchar', name: 'actor', length: 50 }) actor!: string;
  @Column({ type: 'varchar', name: 'action', length: 20 })
  action!: 'edited' | 'split' | 'restored' | 'imported';
  /** Those of the session's columns and members that are different after it; null: there was no session. */
  @Column({ type: 'jsonb', name: 'before', nullable: true }) before!: object | null;
  @Column({ type: 'jsonb', name: 'after' }) after!: object;
  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' }) createdAt!: Date;
  @ManyToOne('GrillingSession', { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'session_id',
    referencedColumnName: 'id',
    foreignKeyConstraintName: 'session_log_session_id_fkey',
  })
  session?: GrillingSession;
}
