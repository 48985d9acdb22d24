import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AlertFlags1795000000014 implements MigrationInterface {
  name = 'AlertFlags1795000000014';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_states
        ADD COLUMN acknowledged_at timestamptz(3),
        ADD COLUMN snoozed_until timestamptz(3),
        ADD COLUMN told_at timestamptz(3),
        ADD COLUMN is_muted boolean NOT NULL DEFAULT false;
      ALTER TABLE alert_events
        ADD COLUMN is_muted boolean NOT NULL DEFAULT false,
        DROP CONSTRAINT alert_events_kind_check,
        ADD CONSTRAINT alert_events_kind_check
          CHECK (kind IN ('fired', 'resolved', 'repeated', 'acknowledged', 'unacknowledged', 'snoozed'));
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DELETE FROM alert_events WHERE kind = 'unacknowledged';
      ALTER TABLE alert_events
        DROP CONSTRAINT alert_events_kind_check,
        ADD CONSTRAINT alert_events_kind_check
          CHECK (kind IN ('fired', 'resolved', 'repeated', 'acknowledged', 'snoozed')),
        DROP COLUMN is_muted;
      ALTER TABLE alert_states DROP COLUMN is_muted, DROP COLUMN told_at, DROP COLUMN snoozed_until, DROP COLUMN acknowledged_at;
    `);
  }
}
