import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Devices1795000000003 implements MigrationInterface {
  name = 'Devices1795000000003';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE devices (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT devices_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT devices_public_id_key UNIQUE,
        user_id integer NOT NULL CONSTRAINT devices_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_id varchar(50) NOT NULL CONSTRAINT devices_device_id_key UNIQUE,
        nickname varchar(100),
        label varchar(100),
        type varchar(50),
        model varchar(50),
        status varchar(20) NOT NULL DEFAULT 'offline' CONSTRAINT devices_status_check
          CHECK (status IN ('online', 'offline', 'error')),
        is_active boolean NOT NULL DEFAULT true,
        battery_percent smallint,
        signal_dbm smallint,
        last_seen_at timestamptz(3),
        last_telemetry_at timestamptz(3),
        transmit_interval_seconds integer,
        recording_interval_seconds integer,
        cloud_update_time varchar(40),
        channels_checked_at timestamptz(3),
        missed_polls integer NOT NULL DEFAULT 0,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );
      CREATE INDEX devices_user_id_idx ON devices (user_id);
      CREATE TABLE probes (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT probes_pkey PRIMARY KEY,
        user_id integer NOT NULL CONSTRAINT probes_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_id varchar(50) NOT NULL CONSTRAINT probes_device_id_fkey REFERENCES devices (device_id) ON DELETE CASCADE,
        probe_id varchar(50) NOT NULL,
        label varchar(100),
        label_set_by_user boolean NOT NULL DEFAULT false,
        kind varchar(20) NOT NULL DEFAULT 'temperature' CONSTRAINT probes_kind_check
          CHECK (kind IN ('temperature', 'humidity')),
        role varchar(20) CONSTRAINT probes_role_check CHECK (role IN ('pit', 'food', 'storage', 'other')),
        state varchar(20) NOT NULL DEFAULT 'ok' CONSTRAINT probes_state_check
          CHECK (state IN ('ok', 'absent', 'disabled', 'fault', 'stale')),
        state_at timestamptz(3),
        unknown_unit varchar(50),
        last_value real,
        last_unit char(1) CONSTRAINT probes_last_unit_check CHECK (last_unit IN ('F', 'C', 'H')),
        last_measured_at timestamptz(3),
        shown_at timestamptz(3),
        learned_interval_seconds real,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT probes_user_id_device_id_probe_id_key UNIQUE (user_id, device_id, probe_id)
      );
      CREATE INDEX probes_device_id_idx ON probes (device_id);
      CREATE TABLE detection_states (
        device_id integer CONSTRAINT detection_states_pkey PRIMARY KEY
          CONSTRAINT detection_states_device_id_fkey REFERENCES devices (id) ON DELETE CASCADE,
        state jsonb NOT NULL,
        due_at timestamptz(3)
      );
      CREATE INDEX detection_states_due_at_idx ON detection_states (due_at) WHERE due_at IS NOT NULL;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE detection_states;
      DROP TABLE probes;
      DROP TABLE devices;
    `);
  }
}
