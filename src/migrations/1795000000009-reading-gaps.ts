import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ReadingGaps1795000000009 implements MigrationInterface {
  name = 'ReadingGaps1795000000009';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE reading_gaps (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT reading_gaps_pkey PRIMARY KEY,
        probe_id integer NOT NULL CONSTRAINT reading_gaps_probe_id_fkey REFERENCES probes (id) ON DELETE CASCADE,
        gap_start timestamptz(3) NOT NULL,
        gap_end timestamptz(3) NOT NULL,
        cause varchar(20) NOT NULL CONSTRAINT reading_gaps_cause_check
          CHECK (cause IN ('offline', 'queue', 'overwritten', 'account', 'service')),
        status varchar(20) NOT NULL DEFAULT 'open' CONSTRAINT reading_gaps_status_check
          CHECK (status IN ('open', 'filled', 'lost')),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT reading_gaps_probe_id_gap_start_key UNIQUE (probe_id, gap_start),
        CONSTRAINT reading_gaps_gap_end_check CHECK (gap_end > gap_start)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE reading_gaps;
    `);
  }
}
