import type { MigrationInterface, QueryRunner } from 'typeorm';

export class DeadLetters1795000000008 implements MigrationInterface {
  name = 'DeadLetters1795000000008';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE dead_letters (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT dead_letters_pkey PRIMARY KEY,
        queue varchar(50) NOT NULL,
        job_id varchar(200) NOT NULL,
        data jsonb NOT NULL,
        reason text NOT NULL,
        attempts integer NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT dead_letters_queue_job_id_key UNIQUE (queue, job_id)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE dead_letters;
    `);
  }
}
