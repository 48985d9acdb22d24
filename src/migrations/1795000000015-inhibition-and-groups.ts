import type { MigrationInterface, QueryRunner } from 'typeorm';

export class InhibitionAndGroups1795000000015 implements MigrationInterface {
  name = 'InhibitionAndGroups1795000000015';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_states ADD COLUMN is_inhibited boolean NOT NULL DEFAULT false;
      ALTER TABLE alert_events ADD COLUMN silent_probes integer;
      ALTER TABLE notifications
        ADD COLUMN group_key varchar(80),
        ADD COLUMN held_until timestamptz(3),
        ADD COLUMN group_id uuid;
      CREATE INDEX notifications_channel_id_group_key_created_at_idx
        ON notifications (channel_id, group_key, created_at) WHERE group_key IS NOT NULL;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX notifications_channel_id_group_key_created_at_idx;
      ALTER TABLE notifications DROP COLUMN group_id, DROP COLUMN held_until, DROP COLUMN group_key;
      ALTER TABLE alert_events DROP COLUMN silent_probes;
      ALTER TABLE alert_states DROP COLUMN is_inhibited;
    `);
  }
}
