import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Credentials1795000000002 implements MigrationInterface {
  name = 'Credentials1795000000002';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE thermoworks_credentials (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT thermoworks_credentials_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT thermoworks_credentials_public_id_key UNIQUE,
        user_id integer NOT NULL CONSTRAINT thermoworks_credentials_user_id_key UNIQUE
          CONSTRAINT thermoworks_credentials_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        provider varchar(20) NOT NULL CONSTRAINT thermoworks_credentials_provider_check
          CHECK (provider IN ('thermoworks', 'eti', 'simulator')),
        thermoworks_uid varchar(128) NOT NULL,
        account_id varchar(128),
        access_token text,
        refresh_token text NOT NULL,
        previous_refresh_token text,
        expires_at timestamptz(3),
        token_version integer NOT NULL DEFAULT 0,
        refresh_lease_until timestamptz(3),
        status varchar(20) NOT NULL DEFAULT 'active' CONSTRAINT thermoworks_credentials_status_check
          CHECK (status IN ('active', 'needs_reauth', 'degraded', 'paused')),
        next_poll_at timestamptz(3) NOT NULL DEFAULT now(),
        last_polled_at timestamptz(3),
        last_error varchar(500),
        failed_polls integer NOT NULL DEFAULT 0,
        lease_owner uuid,
        lease_until timestamptz(3),
        cloud_read_at timestamptz(3),
        swept_at timestamptz(3),
        user_read_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX thermoworks_credentials_next_poll_at_idx ON thermoworks_credentials (next_poll_at)
        WHERE status IN ('active', 'degraded');
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE thermoworks_credentials;
    `);
  }
}
