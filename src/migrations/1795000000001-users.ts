import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Users1795000000001 implements MigrationInterface {
  name = 'Users1795000000001';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE organisations (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT organisations_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT organisations_public_id_key UNIQUE,
        name varchar(255) NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE TABLE users (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT users_public_id_key UNIQUE,
        organisation_id integer CONSTRAINT users_organisation_id_fkey REFERENCES organisations (id) ON DELETE SET NULL,
        email varchar(255) NOT NULL,
        google_id varchar(255) CONSTRAINT users_google_id_key UNIQUE,
        password_hash varchar(255) NOT NULL DEFAULT '!',
        name varchar(100),
        temperature_unit char(1) CONSTRAINT users_temperature_unit_check CHECK (temperature_unit IN ('F', 'C')),
        time_zone varchar(64),
        is_active boolean NOT NULL DEFAULT true,
        failed_login_attempts integer NOT NULL DEFAULT 0,
        last_failed_login timestamptz(3),
        is_locked boolean NOT NULL DEFAULT false,
        last_login_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );
      CREATE UNIQUE INDEX users_email_key ON users (lower(email)) WHERE deleted_at IS NULL;
      CREATE INDEX users_organisation_id_idx ON users (organisation_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE users;
      DROP TABLE organisations;
    `);
  }
}
