import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Gateways1795000000022 implements MigrationInterface {
  name = 'Gateways1795000000022';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE devices
        ADD COLUMN iot_device_id varchar(50),
        ADD COLUMN gateway_id varchar(50);
      ALTER TABLE alert_events ADD COLUMN silent_devices integer;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE alert_events DROP COLUMN silent_devices;
      ALTER TABLE devices DROP COLUMN gateway_id, DROP COLUMN iot_device_id;
    `);
  }
}
