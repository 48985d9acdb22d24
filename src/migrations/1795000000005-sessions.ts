import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Sessions1795000000005 implements MigrationInterface {
  name = 'Sessions1795000000005';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE grilling_sessions (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT grilling_sessions_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT grilling_sessions_public_id_key UNIQUE,
        user_id integer NOT NULL CONSTRAINT grilling_sessions_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_id varchar(50) NOT NULL CONSTRAINT grilling_sessions_device_id_fkey
          REFERENCES devices (device_id) ON DELETE CASCADE,
        name varchar(100),
        session_type varchar(20) NOT NULL DEFAULT 'auto' CONSTRAINT grilling_sessions_session_type_check
          CHECK (session_type IN ('auto', 'manual')),
        status varchar(20) NOT NULL DEFAULT 'active' CONSTRAINT grilling_sessions_status_check
          CHECK (status IN ('active', 'completed', 'cancelled')),
        phase varchar(20) NOT NULL DEFAULT 'active' CONSTRAINT grilling_sessions_phase_check
          CHECK (phase IN ('active', 'paused', 'ended')),
        end_reason varchar(20) CONSTRAINT grilling_sessions_end_reason_check
          CHECK (end_reason IN ('cooled', 'unplugged', 'lost_contact', 'manual', 'device_gone', 'too_long')),
        start_time timestamptz(3) NOT NULL DEFAULT now(),
        end_time timestamptz(3),
        last_reading_at timestamptz(3),
        max_temperature double precision,
        min_temperature double precision,
        avg_temperature double precision,
        temperature_unit char(1) NOT NULL DEFAULT 'F' CONSTRAINT grilling_sessions_temperature_unit_check
          CHECK (temperature_unit IN ('F', 'C')),
        reading_count integer NOT NULL DEFAULT 0,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3),
        CONSTRAINT grilling_sessions_end_time_check CHECK (end_time >= start_time),
        CONSTRAINT grilling_sessions_phase_status_check CHECK ((phase = 'ended') = (status <> 'active'))
      );
      CREATE INDEX grilling_sessions_user_id_start_time_idx ON grilling_sessions (user_id, start_time);
      CREATE INDEX grilling_sessions_device_id_start_time_idx ON grilling_sessions (device_id, start_time);
      CREATE UNIQUE INDEX grilling_sessions_device_id_key ON grilling_sessions (device_id)
        WHERE session_type = 'auto' AND status = 'active';
      CREATE TABLE session_members (
        session_id integer NOT NULL CONSTRAINT session_members_session_id_fkey
          REFERENCES grilling_sessions (id) ON DELETE CASCADE,
        probe_id integer NOT NULL CONSTRAINT session_members_probe_id_fkey REFERENCES probes (id) ON DELETE CASCADE,
        role varchar(20) NOT NULL CONSTRAINT session_members_role_check CHECK (role IN ('pit', 'food', 'storage', 'other')),
        member_from timestamptz(3),
        member_to timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT session_members_pkey PRIMARY KEY (session_id, probe_id)
      );
      CREATE INDEX session_members_probe_id_idx ON session_members (probe_id);
      CREATE TABLE session_probe_stats (
        session_id integer NOT NULL CONSTRAINT session_probe_stats_session_id_fkey
          REFERENCES grilling_sessions (id) ON DELETE CASCADE,
        probe_id integer NOT NULL CONSTRAINT session_probe_stats_probe_id_fkey REFERENCES probes (id) ON DELETE CASCADE,
        reading_count integer NOT NULL,
        temperature_sum_hundredths bigint NOT NULL,
        min_temperature double precision NOT NULL,
        min_at timestamptz(3) NOT NULL,
        max_temperature double precision NOT NULL,
        max_at timestamptz(3) NOT NULL,
        avg_temperature double precision NOT NULL,
        first_measured_at timestamptz(3) NOT NULL,
        last_measured_at timestamptz(3) NOT NULL,
        CONSTRAINT session_probe_stats_pkey PRIMARY KEY (session_id, probe_id)
      );
      CREATE INDEX session_probe_stats_probe_id_idx ON session_probe_stats (probe_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE session_probe_stats;
      DROP TABLE session_members;
      DROP TABLE grilling_sessions;
    `);
  }
}
