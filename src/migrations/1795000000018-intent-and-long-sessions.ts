import type { MigrationInterface, QueryRunner } from 'typeorm';

export class IntentAndLongSessions1795000000018 implements MigrationInterface {
  name = 'IntentAndLongSessions1795000000018';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE probes ADD COLUMN high_alarm_celsius real;
      ALTER TABLE notifications
        DROP CONSTRAINT notifications_subject_check,
        ADD CONSTRAINT notifications_subject_check
          CHECK (subject IN ('account.needs_reauth', 'channel.test', 'channel.disabled', 'session.long'));
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DELETE FROM notifications WHERE subject = 'session.long';
      ALTER TABLE notifications
        DROP CONSTRAINT notifications_subject_check,
        ADD CONSTRAINT notifications_subject_check
          CHECK (subject IN ('account.needs_reauth', 'channel.test', 'channel.disabled'));
      ALTER TABLE probes DROP COLUMN high_alarm_celsius;
    `);
  }
}
