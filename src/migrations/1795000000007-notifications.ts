import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Notifications1795000000007 implements MigrationInterface {
  name = 'Notifications1795000000007';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE notification_channels (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT notification_channels_pkey PRIMARY KEY,
        public_id uuid NOT NULL CONSTRAINT notification_channels_public_id_key UNIQUE,
        user_id integer NOT NULL CONSTRAINT notification_channels_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        kind varchar(20) NOT NULL CONSTRAINT notification_channels_kind_check
          CHECK (kind IN ('webhook', 'ntfy', 'email', 'mqtt', 'slack', 'discord', 'telegram')),
        config jsonb NOT NULL,
        is_active boolean NOT NULL DEFAULT true,
        last_delivered_at timestamptz(3),
        last_proven_at timestamptz(3),
        last_error varchar(500),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX notification_channels_user_id_idx ON notification_channels (user_id);
      CREATE TABLE notifications (
        id uuid CONSTRAINT notifications_pkey PRIMARY KEY,
        alert_event_id integer CONSTRAINT notifications_alert_event_id_fkey REFERENCES alert_events (id) ON DELETE CASCADE,
        subject varchar(40) CONSTRAINT notifications_subject_check CHECK (subject IN ('account.needs_reauth', 'channel.test')),
        subject_id uuid,
        channel_id integer NOT NULL CONSTRAINT notifications_channel_id_fkey
          REFERENCES notification_channels (id) ON DELETE CASCADE,
        status varchar(20) NOT NULL DEFAULT 'pending' CONSTRAINT notifications_status_check
          CHECK (status IN ('pending', 'delivered', 'failed', 'expired')),
        attempts integer NOT NULL DEFAULT 0,
        last_error varchar(500),
        next_attempt_at timestamptz(3) NOT NULL DEFAULT now(),
        lease_until timestamptz(3),
        expires_at timestamptz(3) NOT NULL,
        delivered_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT notifications_alert_event_id_channel_id_key UNIQUE (alert_event_id, channel_id),
        CONSTRAINT notifications_about_check
          CHECK (num_nonnulls(subject, subject_id) = CASE WHEN alert_event_id IS NULL THEN 2 ELSE 0 END)
      );
      CREATE INDEX notifications_channel_id_idx ON notifications (channel_id);
      CREATE INDEX notifications_next_attempt_at_idx ON notifications (next_attempt_at) WHERE status = 'pending';
      CREATE TABLE notification_attempts (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT notification_attempts_pkey PRIMARY KEY,
        notification_id uuid NOT NULL CONSTRAINT notification_attempts_notification_id_fkey
          REFERENCES notifications (id) ON DELETE CASCADE,
        attempt integer NOT NULL,
        started_at timestamptz(3) NOT NULL,
        outcome varchar(20) NOT NULL CONSTRAINT notification_attempts_outcome_check
          CHECK (outcome IN ('delivered', 'failed', 'refused')),
        status_code smallint,
        latency_ms integer NOT NULL,
        receipt varchar(500),
        error varchar(500),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX notification_attempts_notification_id_idx ON notification_attempts (notification_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE notification_attempts;
      DROP TABLE notifications;
      DROP TABLE notification_channels;
    `);
  }
}
