import { Column, CreateDateColumn, PrimaryGeneratedColumn, UpdateDateColumn } from 'typeorm';

/** When the row was made and last changed, by our clock; set-based updates set `updated_at` themselves. */
export abstract class Audited {
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at', precision: 3, default: () => 'now()' })
  updatedAt!: Date;
}

/** A row of our own making, addressed by an integer inside the service. */
export abstract class Identified extends Audited {
  @PrimaryGeneratedColumn('identity', { name: 'id', generatedIdentity: 'ALWAYS' })
  id!: number;
}

/** A row that leaves the service: people and other systems know it by its UUID (version 7). */
export abstract class Published extends Identified {
  @Column({ type: 'uuid', name: 'public_id' })
  publicId!: string;
}
