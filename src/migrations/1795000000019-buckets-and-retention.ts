import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Buckets of readings, the range that a user set for a probe, and the end of old months. Buckets and marks grow without
 * bound and have no foreign key, as readings.
 */
export class BucketsAndRetention1795000000019 implements MigrationInterface {
  name = 'BucketsAndRetention1795000000019';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE probes ADD COLUMN min_temperature double precision, ADD COLUMN max_temperature double precision,
        ADD COLUMN temperature_unit char(1) CONSTRAINT probes_temperature_unit_check CHECK (temperature_unit IN ('F', 'C')),
        ADD CONSTRAINT probes_range_check CHECK ((min_temperature < max_temperature) IS NOT FALSE
          AND (temperature_unit IS NULL) = (min_temperature IS NULL AND max_temperature IS NULL));
      CREATE TABLE reading_buckets (
        probe_id integer NOT NULL,
        seconds smallint NOT NULL CONSTRAINT reading_buckets_seconds_check CHECK (seconds IN (900, 3600)),
        bucket_start timestamptz(3) NOT NULL,
        unit char(1) NOT NULL CONSTRAINT reading_buckets_unit_check CHECK (unit IN ('F', 'C', 'H')),
        reading_count integer NOT NULL,
        min_hundredths integer NOT NULL,
        max_hundredths integer NOT NULL,
        weighted_sum bigint NOT NULL,
        covered_ms integer NOT NULL,
        out_of_range_ms integer,
        CONSTRAINT reading_buckets_pkey PRIMARY KEY (probe_id, seconds, bucket_start)
      );
      CREATE TABLE reading_bucket_progress (
        probe_id integer CONSTRAINT reading_bucket_progress_pkey PRIMARY KEY
          CONSTRAINT reading_bucket_progress_probe_id_fkey REFERENCES probes (id) ON DELETE CASCADE,
        done_until timestamptz(3),
        valid_until timestamptz(3)
      ) WITH (fillfactor = 50);
      CREATE TABLE reading_bucket_marks (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT reading_bucket_marks_pkey PRIMARY KEY,
        probe_id integer NOT NULL,
        hour_start timestamptz(3) NOT NULL
      );
      CREATE INDEX reading_bucket_marks_probe_id_hour_start_idx ON reading_bucket_marks (probe_id, hour_start);

      -- Whether a session that counts has a reading within these bounds.
      CREATE FUNCTION holds_session_readings(from_at timestamptz, to_at timestamptz) RETURNS boolean
      LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
        SELECT EXISTS (
          SELECT FROM public.grilling_sessions s JOIN public.session_members m ON m.session_id = s.id
          WHERE s.deleted_at IS NULL AND s.status <> 'cancelled'
            AND s.start_time < to_at AND coalesce(s.end_time, 'infinity') >= from_at
            AND EXISTS (SELECT FROM public.readings r WHERE r.probe_id = m.probe_id
              AND r.measured_at >= greatest(from_at, s.start_time, m.member_from) AND r.measured_at < to_at
              AND r.measured_at <= least(coalesce(s.end_time, 'infinity'), m.member_to)))
      $$;

      -- Runs with its owner's rights, for whoever may delete readings. It waits for nobody for long: readings come all the
      -- time, and what waits for this would wait for them. Looked at again under the lock: a session may have grown.
      CREATE FUNCTION drop_readings_partition(month_at timestamptz, kept_from timestamptz) RETURNS boolean
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
      DECLARE
        home text := 'public';
        month_start timestamp := date_trunc('month', month_at AT TIME ZONE 'UTC');
        from_at timestamptz := month_start AT TIME ZONE 'UTC';
        to_at timestamptz := (month_start + interval '1 month') AT TIME ZONE 'UTC';
        partition_name text := 'readings_' || to_char(month_start, 'YYYY_MM');
      BEGIN
        IF NOT has_table_privilege(session_user, format('%I.readings', home), 'DELETE') THEN
          RAISE insufficient_privilege USING MESSAGE = 'permission denied: only who may delete readings';
        END IF;
        IF to_at > kept_from OR to_at > now() THEN RETURN false; END IF;
        PERFORM pg_advisory_xact_lock(hashtext('grill_stats_readings_partitions'));
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = home::regnamespace) THEN
          RETURN false;
        END IF;
        EXECUTE format('LOCK TABLE %I.readings IN ACCESS EXCLUSIVE MODE', home);
        IF public.holds_session_readings(from_at, to_at) THEN RETURN false; END IF;
        EXECUTE format('DROP TABLE %I.%I', home, partition_name);
        RETURN true;
      END $$;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP FUNCTION drop_readings_partition(timestamptz, timestamptz);
      DROP FUNCTION holds_session_readings(timestamptz, timestamptz);
      DROP TABLE reading_bucket_marks, reading_bucket_progress, reading_buckets;
      ALTER TABLE probes DROP COLUMN min_temperature, DROP COLUMN max_temperature, DROP COLUMN temperature_unit;
    `);
  }
}
