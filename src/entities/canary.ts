import { Column, Entity, PrimaryColumn } from 'typeorm';
import { Audited } from './base.js';

/** What became of the canaries of one process that works: the only rows of a canary that are ever committed. */
@Entity('canaries')
export class Canary extends Audited {
  /** Drawn anew whenever the process starts. */
  @PrimaryColumn({ type: 'uuid', name: 'replica', primaryKeyConstraintName: 'canaries_pkey' })
  replica!: string;
  /** Of the newest one. */
  @Column({ type: 'timestamptz', name: 'sent_at', precision: 3 }) sentAt!: Date;
  /** When the newest one was sent that a worker has ingested and passed on. */
  @Column({ type: 'timestamptz', name: 'ingested_sent_at', precision: 3, nullable: true })
  ingestedSentAt!: Date | null;
  /** When the newest one that came through did. */
  @Column({ type: 'timestamptz', name: 'proven_at', precision: 3, nullable: true }) provenAt!: Date | null;
  /** When that one was sent. */
  @Column({ type: 'timestamptz', name: 'proven_sent_at', precision: 3, nullable: true })
  provenSentAt!: Date | null;
}
