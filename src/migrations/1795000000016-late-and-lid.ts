import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LateAndLid1795000000016 implements MigrationInterface {
  name = 'LateAndLid1795000000016';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE temperature_alerts ADD COLUMN judged_after timestamptz(3);
      CREATE TABLE session_tags (
        session_id integer NOT NULL CONSTRAINT session_tags_session_id_fkey
          REFERENCES grilling_sessions (id) ON DELETE CASCADE,
        probe_id integer NOT NULL CONSTRAINT session_tags_probe_id_fkey REFERENCES probes (id) ON DELETE CASCADE,
        tag varchar(20) NOT NULL CONSTRAINT session_tags_tag_check CHECK (tag IN ('lid_open')),
        tag_from timestamptz(3) NOT NULL,
        tag_to timestamptz(3) NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT session_tags_pkey PRIMARY KEY (session_id, probe_id, tag, tag_from)
      );
      CREATE INDEX session_tags_probe_id_idx ON session_tags (probe_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE session_tags;
      ALTER TABLE temperature_alerts DROP COLUMN judged_after;
      DELETE FROM alert_events WHERE version < 0;
    `);
  }
}
