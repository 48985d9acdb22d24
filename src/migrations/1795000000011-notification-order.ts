import type { MigrationInterface, QueryRunner } from 'typeorm';

export class NotificationOrder1795000000011 implements MigrationInterface {
  name = 'NotificationOrder1795000000011';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE notifications ADD COLUMN alert_id integer;
      UPDATE notifications n SET alert_id = e.alert_id FROM alert_events e WHERE e.id = n.alert_event_id;
      CREATE INDEX notifications_channel_id_alert_id_alert_event_id_idx
        ON notifications (channel_id, alert_id, alert_event_id) WHERE status = 'pending';
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX notifications_channel_id_alert_id_alert_event_id_idx;
      ALTER TABLE notifications DROP COLUMN alert_id;
    `);
  }
}
