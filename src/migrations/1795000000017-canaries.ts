import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Canaries1795000000017 implements MigrationInterface {
  name = 'Canaries1795000000017';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE canaries (
        replica uuid CONSTRAINT canaries_pkey PRIMARY KEY,
        sent_at timestamptz(3) NOT NULL,
        proven_at timestamptz(3),
        proven_sent_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE canaries;
    `);
  }
}
