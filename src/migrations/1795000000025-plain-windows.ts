import type { MigrationInterface, QueryRunner } from 'typeorm';

/** As the detection states: a window is only ever read and written whole, and was compressed at every write. */
export class PlainWindows1795000000025 implements MigrationInterface {
  name = 'PlainWindows1795000000025';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_states ALTER COLUMN recent TYPE json USING recent::json;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_states ALTER COLUMN recent TYPE jsonb USING recent::jsonb;
    `);
  }
}
