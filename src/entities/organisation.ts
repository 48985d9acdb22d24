import { Column, Entity, OneToMany, Unique } from 'typeorm';
import { Published } from './base.js';
import type { User } from './user.js';

/** People who share a kitchen, a store or a household. */
@Entity('organisations')
@Unique('organisations_public_id_key', ['publicId'])
export class Organisation extends Published {
  @Column({ type: 'varchar', name: 'name', length: 255 }) name!: string;
  @OneToMany('User', 'organisation') users?: User[];
}
