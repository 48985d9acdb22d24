import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SessionEdits1795000000021 implements MigrationInterface {
  name = 'SessionEdits1795000000021';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE grilling_sessions ADD COLUMN edited_at timestamptz(3);
      CREATE TABLE session_log (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT session_log_pkey PRIMARY KEY,
        session_id integer NOT NULL CONSTRAINT session_log_session_id_fkey
          REFERENCES grilling_sessions (id) ON DELETE CASCADE,
        actor varchar(50) NOT NULL,
        action varchar(20) NOT NULL CONSTRAINT session_log_action_check
          CHECK (action IN ('edited', 'split', 'restored', 'imported')),
        before jsonb,
        after jsonb NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX session_log_session_id_idx ON session_log (session_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE session_log;
      ALTER TABLE grilling_sessions DROP COLUMN edited_at;
    `);
  }
}
