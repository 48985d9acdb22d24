import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Alerts1795000000006 implements MigrationInterface {
  name = 'Alerts1795000000006';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE temperature_alerts (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT temperature_alerts_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT temperature_alerts_public_id_key UNIQUE,
        user_id integer NOT NULL CONSTRAINT temperature_alerts_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_id varchar(50) NOT NULL CONSTRAINT temperature_alerts_device_id_fkey
          REFERENCES devices (device_id) ON DELETE CASCADE,
        probe_id varchar(50),
        name varchar(100),
        description text,
        alert_type varchar(20) NOT NULL,
        target_temperature double precision,
        direction varchar(4) CONSTRAINT temperature_alerts_direction_check CHECK (direction IN ('up', 'down')),
        min_temperature double precision,
        max_temperature double precision,
        threshold_value double precision,
        window_seconds integer,
        silence_minutes integer,
        battery_percent smallint,
        critical_min_temperature double precision,
        critical_max_temperature double precision,
        critical_silence_minutes integer,
        critical_battery_percent smallint,
        pre_alert_difference double precision,
        temperature_unit char(1) NOT NULL DEFAULT 'F' CONSTRAINT temperature_alerts_temperature_unit_check
          CHECK (temperature_unit IN ('F', 'C')),
        is_active boolean NOT NULL DEFAULT true,
        last_triggered timestamptz(3),
        hold_seconds integer NOT NULL DEFAULT 0 CONSTRAINT temperature_alerts_hold_seconds_check CHECK (hold_seconds >= 0),
        recovery_seconds integer CONSTRAINT temperature_alerts_recovery_seconds_check CHECK (recovery_seconds >= 0),
        hysteresis double precision NOT NULL DEFAULT 0 CONSTRAINT temperature_alerts_hysteresis_check CHECK (hysteresis >= 0),
        cooldown_seconds integer NOT NULL DEFAULT 0
          CONSTRAINT temperature_alerts_cooldown_seconds_check CHECK (cooldown_seconds >= 0),
        repeat_seconds integer NOT NULL DEFAULT 0
          CONSTRAINT temperature_alerts_repeat_seconds_check CHECK (repeat_seconds >= 0),
        severity varchar(20) NOT NULL DEFAULT 'warning' CONSTRAINT temperature_alerts_severity_check
          CHECK (severity IN ('info', 'warning', 'critical')),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3),
        CONSTRAINT temperature_alerts_alert_type_check CHECK (
          CASE alert_type
            WHEN 'target' THEN target_temperature IS NOT NULL AND direction IS NOT NULL AND probe_id IS NOT NULL
            WHEN 'range' THEN probe_id IS NOT NULL AND num_nonnulls(
              min_temperature, max_temperature, critical_min_temperature, critical_max_temperature) > 0
            WHEN 'rising' THEN probe_id IS NOT NULL AND num_nonnulls(threshold_value, window_seconds) = 2
            WHEN 'falling' THEN probe_id IS NOT NULL AND num_nonnulls(threshold_value, window_seconds) = 2
            WHEN 'no_data' THEN num_nonnulls(silence_minutes, critical_silence_minutes) > 0
            WHEN 'battery' THEN probe_id IS NULL AND num_nonnulls(battery_percent, critical_battery_percent) > 0
            WHEN 'probe_removed' THEN true
            ELSE false
          END)
      );
      CREATE INDEX temperature_alerts_user_id_idx ON temperature_alerts (user_id);
      CREATE INDEX temperature_alerts_device_id_probe_id_idx ON temperature_alerts (device_id, probe_id);
      CREATE TABLE alert_states (
        alert_id integer NOT NULL CONSTRAINT alert_states_alert_id_fkey
          REFERENCES temperature_alerts (id) ON DELETE CASCADE,
        side varchar(10) NOT NULL CONSTRAINT alert_states_side_check CHECK (side IN ('up', 'down', 'low', 'high')),
        tier varchar(20) NOT NULL CONSTRAINT alert_states_tier_check CHECK (tier IN ('info', 'warning', 'critical')),
        phase varchar(20) NOT NULL CONSTRAINT alert_states_phase_check
          CHECK (phase IN ('inactive', 'pending', 'firing', 'recovering')),
        is_unknown boolean NOT NULL DEFAULT false,
        is_armed boolean NOT NULL DEFAULT true,
        is_announced boolean NOT NULL DEFAULT false,
        version integer NOT NULL DEFAULT 0,
        held_ms bigint NOT NULL DEFAULT 0,
        held_readings integer NOT NULL DEFAULT 0,
        rearm_ms bigint NOT NULL DEFAULT 0,
        evaluated_at timestamptz(3),
        fired_at timestamptz(3),
        resolved_at timestamptz(3),
        extreme double precision,
        CONSTRAINT alert_states_pkey PRIMARY KEY (alert_id, side, tier)
      );
      CREATE TABLE alert_events (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT alert_events_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT alert_events_public_id_key UNIQUE,
        alert_id integer NOT NULL CONSTRAINT alert_events_alert_id_fkey
          REFERENCES temperature_alerts (id) ON DELETE CASCADE,
        session_id integer CONSTRAINT alert_events_session_id_fkey
          REFERENCES grilling_sessions (id) ON DELETE SET NULL,
        kind varchar(20) NOT NULL CONSTRAINT alert_events_kind_check
          CHECK (kind IN ('fired', 'resolved', 'repeated', 'acknowledged', 'snoozed')),
        side varchar(10) NOT NULL CONSTRAINT alert_events_side_check CHECK (side IN ('up', 'down', 'low', 'high')),
        tier varchar(20) NOT NULL CONSTRAINT alert_events_tier_check CHECK (tier IN ('info', 'warning', 'critical')),
        version integer NOT NULL,
        value double precision,
        unit char(1) CONSTRAINT alert_events_unit_check CHECK (unit IN ('F', 'C', 'H')),
        measured_at timestamptz(3) NOT NULL,
        duration_seconds integer,
        extreme double precision,
        detected_late boolean NOT NULL DEFAULT false,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT alert_events_alert_id_side_tier_version_key UNIQUE (alert_id, side, tier, version)
      );
      CREATE INDEX alert_events_session_id_idx ON alert_events (session_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE alert_events;
      DROP TABLE alert_states;
      DROP TABLE temperature_alerts;
    `);
  }
}
