import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Archives1795000000020 implements MigrationInterface {
  name = 'Archives1795000000020';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE devices ADD COLUMN last_archive_at timestamptz(3), ADD COLUMN archives_due_at timestamptz(3);
      CREATE INDEX devices_archives_due_at_idx ON devices (archives_due_at) WHERE archives_due_at IS NOT NULL;
      UPDATE devices SET archives_due_at = now() WHERE device_id IN (
        SELECT p.device_id FROM probes p JOIN reading_gaps g ON g.probe_id = p.id WHERE g.status = 'open');
      CREATE TABLE archive_copies (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT archive_copies_pkey PRIMARY KEY,
        user_id integer NOT NULL CONSTRAINT archive_copies_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_id integer NOT NULL CONSTRAINT archive_copies_device_id_fkey REFERENCES devices (id) ON DELETE CASCADE,
        archive_id varchar(50) NOT NULL,
        cloud_update_time varchar(40) NOT NULL,
        scope varchar(60) NOT NULL,
        tries integer NOT NULL DEFAULT 1,
        rows_done integer NOT NULL DEFAULT 0,
        applied_at timestamptz(3),
        last_error varchar(100),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT archive_copies_user_id_device_id_archive_id_key UNIQUE (user_id, device_id, archive_id)
      );
      CREATE INDEX archive_copies_device_id_idx ON archive_copies (device_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE archive_copies;
      DROP INDEX devices_archives_due_at_idx;
      ALTER TABLE devices DROP COLUMN archives_due_at, DROP COLUMN last_archive_at;
    `);
  }
}
