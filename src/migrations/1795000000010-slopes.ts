import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Slopes1795000000010 implements MigrationInterface {
  name = 'Slopes1795000000010';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE temperature_alerts
        ADD CONSTRAINT temperature_alerts_threshold_value_check CHECK (threshold_value > 0),
        ADD CONSTRAINT temperature_alerts_window_seconds_check CHECK (window_seconds > 0);
      ALTER TABLE alert_states ADD COLUMN recent jsonb;
      ALTER TABLE alert_events ADD COLUMN change double precision;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_events DROP COLUMN change;
      ALTER TABLE alert_states DROP COLUMN recent;
      ALTER TABLE temperature_alerts
        DROP CONSTRAINT temperature_alerts_window_seconds_check,
        DROP CONSTRAINT temperature_alerts_threshold_value_check;
    `);
  }
}
