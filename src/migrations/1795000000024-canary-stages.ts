import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CanaryStages1795000000024 implements MigrationInterface {
  name = 'CanaryStages1795000000024';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE canaries ADD COLUMN ingested_sent_at timestamptz(3)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE canaries DROP COLUMN ingested_sent_at');
  }
}
