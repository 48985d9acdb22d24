import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Readings1795000000004 implements MigrationInterface {
  name = 'Readings1795000000004';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE readings (
        probe_id integer NOT NULL,
        measured_at timestamptz(3) NOT NULL,
        value real NOT NULL CONSTRAINT readings_value_check CHECK (value > '-Infinity' AND value < 'Infinity'),
        unit char(1) NOT NULL CONSTRAINT readings_unit_check CHECK (unit IN ('F', 'C', 'H')),
        flags smallint NOT NULL DEFAULT 0,
        CONSTRAINT readings_pkey PRIMARY KEY (probe_id, measured_at)
      ) PARTITION BY RANGE (measured_at);
      CREATE TABLE readings_default PARTITION OF readings DEFAULT;

      -- Runs with its owner's rights: the service's own role needs none to create tables.
      CREATE FUNCTION ensure_readings_partitions(first_at timestamptz, last_at timestamptz) RETURNS integer
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
      DECLARE
        home text := 'public';
        month_start timestamp := date_trunc('month', first_at AT TIME ZONE 'UTC');
        partition_name text;
        made integer := 0;
      BEGIN
        WHILE month_start <= last_at AT TIME ZONE 'UTC' LOOP
          partition_name := 'readings_' || to_char(month_start, 'YYYY_MM');
          IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = home::regnamespace) THEN
            -- Two callers at once: the second waits here and then finds the partition there. (Not by to_regclass: what it
            -- did not find before, it does not look for again.)
            PERFORM pg_advisory_xact_lock(hashtext('grill_stats_readings_partitions'));
            IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = home::regnamespace) THEN
              EXECUTE format(
                'CREATE TABLE %I.%I PARTITION OF %I.readings FOR VALUES FROM (%L) TO (%L)',
                home, partition_name, home,
                month_start AT TIME ZONE 'UTC', (month_start + interval '1 month') AT TIME ZONE 'UTC'
              );
              made := made + 1;
            END IF;
          END IF;
          month_start := month_start + interval '1 month';
        END LOOP;
        RETURN made;
      END $$;
      SELECT ensure_readings_partitions(now() - interval '1 month', now() + interval '2 months');
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE readings;
      DROP FUNCTION ensure_readings_partitions(timestamptz, timestamptz);
    `);
  }
}
