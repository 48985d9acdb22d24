import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Half of each page is left free in tables of which most rows change with every batch of readings: then a new version
 * fits beside the old one and no index has to be told.
 */
export class RoomForUpdates1795000000012 implements MigrationInterface {
  name = 'RoomForUpdates1795000000012';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES) await queryRunner.query(`ALTER TABLE ${table} SET (fillfactor = 50)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES) await queryRunner.query(`ALTER TABLE ${table} RESET (fillfactor)`);
  }
}

const TABLES = ['probes', 'alert_states', 'session_probe_stats', 'grilling_sessions'];
