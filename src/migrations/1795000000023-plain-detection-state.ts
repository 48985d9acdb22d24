import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The state is only ever read and written whole. As `jsonb` it is twice as long and was compressed at every write.
 * Programs of the version before go on: what they write is converted by the assignment.
 */
export class PlainDetectionState1795000000023 implements MigrationInterface {
  name = 'PlainDetectionState1795000000023';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE detection_states ALTER COLUMN state TYPE json USING state::json;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE detection_states ALTER COLUMN state TYPE jsonb USING state::jsonb;
    `);
  }
}
