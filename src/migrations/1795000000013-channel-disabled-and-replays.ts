import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ChannelDisabledAndReplays1795000000013 implements MigrationInterface {
  name = 'ChannelDisabledAndReplays1795000000013';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE notifications ADD COLUMN replayed_after integer,
        DROP CONSTRAINT notifications_subject_check, ADD CONSTRAINT notifications_subject_check
          CHECK (subject IN ('account.needs_reauth', 'channel.test', 'channel.disabled'));
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DELETE FROM notifications WHERE subject = 'channel.disabled';
      ALTER TABLE notifications DROP COLUMN replayed_after,
        DROP CONSTRAINT notifications_subject_check, ADD CONSTRAINT notifications_subject_check
          CHECK (subject IN ('account.needs_reauth', 'channel.test'));
    `);
  }
}
