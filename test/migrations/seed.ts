/** Plausible rows for the tables that each migration makes, by the migration's file name without its number. */
export const SEEDS: Record<string, string> = {
  users: `
    INSERT INTO organisations (public_id, name) VALUES (gen_random_uuid(), 'Smokehouse');
    INSERT INTO users (public_id, organisation_id, email, name, temperature_unit, time_zone)
      SELECT gen_random_uuid(), id, 'Pit@example.com', 'Pit', 'F', 'America/Chicago' FROM organisations;
    INSERT INTO users (public_id, email, deleted_at) VALUES (gen_random_uuid(), 'gone@example.com', now());`,
  credentials: `
    INSERT INTO thermoworks_credentials (public_id, user_id, provider, thermoworks_uid, refresh_token)
      SELECT gen_random_uuid(), id, 'thermoworks', 'uid-1', 'v1.k1.sealed' FROM users WHERE deleted_at IS NULL;`,
  devices: `
    INSERT INTO devices (public_id, user_id, device_id, nickname, type, status)
      SELECT gen_random_uuid(), id, serial, 'Brisket', 'signals', 'online'
      FROM users, unnest(ARRAY['M100000001', '24:0A:C4:00:00:01']) AS serial WHERE deleted_at IS NULL;
    INSERT INTO probes (user_id, device_id, probe_id, label, role, last_value, last_unit, last_measured_at)
      SELECT user_id, device_id, channel, 'Point', 'food', 203.2, 'F', now()
      FROM devices, unnest(ARRAY['1', '2']) AS channel;
    INSERT INTO detection_states SELECT id, '{"phase":"idle"}', now() FROM devices;`,
  readings: `
    SELECT ensure_readings_partitions('2026-01-31T23:59:59Z', '2026-03-01T00:00:00Z');
    INSERT INTO readings (probe_id, measured_at, value, unit, flags)
      SELECT probe, measured_at, 68.25, 'F', 0 FROM generate_series(1, 4) AS probe, unnest(ARRAY[
        '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00Z', '2026-02-28T23:59:59.999Z', '2026-03-01T00:00:00Z'
      ]::timestamptz[]) AS measured_at;
    INSERT INTO readings (probe_id, measured_at, value, unit) VALUES (1, now(), 20.5, 'C'), (2, now(), 55, 'H');`,
  sessions: `
    INSERT INTO grilling_sessions (public_id, user_id, device_id, session_type, status, phase, start_time)
      SELECT gen_random_uuid(), user_id, device_id, 'auto', 'active', 'active', '2026-01-31T20:00Z' FROM devices;
    INSERT INTO grilling_sessions (public_id, user_id, device_id, session_type, status, phase, start_time, end_time)
      SELECT gen_random_uuid(), user_id, device_id, 'manual', 'completed', 'ended', '2026-01-30T20:00Z', '2026-01-30T23:00Z'
      FROM devices;
    INSERT INTO session_members (session_id, probe_id, role)
      SELECT s.id, p.id, 'food' FROM grilling_sessions s JOIN probes p USING (device_id);
    INSERT INTO session_probe_stats
      SELECT session_id, probe_id, 2, 13650, 68.25, now(), 68.25, now(), 68.25, now(), now() FROM session_members;`,
  alerts: `
    INSERT INTO temperature_alerts (public_id, user_id, device_id, probe_id, alert_type, target_temperature, direction,
        min_temperature, threshold_value, window_seconds, silence_minutes, battery_percent)
      SELECT gen_random_uuid(), user_id, device_id, CASE WHEN alert_type = 'battery' THEN NULL ELSE '1' END, alert_type,
        203, 'up', 32, 5, 600, 10, 20
      FROM devices, unnest(ARRAY['target', 'range', 'rising', 'falling', 'no_data', 'battery', 'probe_removed']) AS alert_type;
    INSERT INTO alert_states (alert_id, side, tier, phase) SELECT id, 'up', 'warning', 'firing' FROM temperature_alerts;
    INSERT INTO alert_events (public_id, alert_id, session_id, kind, side, tier, version, value, unit, measured_at)
      SELECT gen_random_uuid(), a.id, (SELECT min(id) FROM grilling_sessions), 'fired', 'up', 'warning', 1, 203.2, 'F', now()
      FROM temperature_alerts a;`,
  notifications: `
    INSERT INTO notification_channels (public_id, user_id, kind, config)
      SELECT gen_random_uuid(), id, kind, '{"url":"https://example.com/hook"}'
      FROM users, unnest(ARRAY['webhook', 'ntfy']) AS kind WHERE deleted_at IS NULL;
    INSERT INTO notifications (id, alert_event_id, channel_id, expires_at)
      SELECT gen_random_uuid(), e.id, c.id, now() FROM alert_events e, notification_channels c;
    INSERT INTO notifications (id, subject, subject_id, channel_id, status, expires_at)
      SELECT gen_random_uuid(), 'channel.test', public_id, id, 'delivered', now() FROM notification_channels;
    INSERT INTO notification_attempts (notification_id, attempt, started_at, outcome, status_code, latency_ms)
      SELECT id, 1, now(), 'failed', 503, 12 FROM notifications;`,
  'dead-letters': `
    INSERT INTO dead_letters (queue, job_id, data, reason, attempts) VALUES ('readings', 'poll-1', '{"v":1}', 'no unit', 3);`,
  'reading-gaps': `
    INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause)
      SELECT id, '2026-01-31T23:00Z', '2026-02-01T01:00Z', 'offline' FROM probes;`,
  slopes: `
    UPDATE alert_states s SET recent = '[[1769900399999, 20300, 0], [1769900459999, 20320, 60000]]'
      FROM temperature_alerts a WHERE a.id = s.alert_id AND a.alert_type IN ('rising', 'falling');
    UPDATE alert_events e SET change = 5.2
      FROM temperature_alerts a WHERE a.id = e.alert_id AND a.alert_type IN ('rising', 'falling');`,
  'notification-order': `
    UPDATE notifications n SET alert_id = e.alert_id FROM alert_events e WHERE e.id = n.alert_event_id;`,
  'room-for-updates': `
    UPDATE probes SET last_value = last_value + 1;`,
  'alert-flags': `
    UPDATE alert_states SET acknowledged_at = now(), snoozed_until = now(), told_at = now(), is_muted = true;
    UPDATE alert_events SET is_muted = true;`,
  'inhibition-and-groups': `
    UPDATE alert_states SET is_inhibited = true;
    UPDATE alert_events SET silent_probes = 2;
    UPDATE notifications SET group_key = 'session 1', held_until = now(), group_id = id WHERE alert_id IS NOT NULL;`,
  gateways: `
    UPDATE devices SET iot_device_id = 'TAABBCC001122', gateway_id = 'TAABBCC001133';
    UPDATE alert_events SET silent_devices = 2;`,
  'canary-stages': `
    UPDATE canaries SET ingested_sent_at = now();`,
  'late-and-lid': `
    UPDATE temperature_alerts SET judged_after = now();
    INSERT INTO session_tags (session_id, probe_id, tag, tag_from, tag_to)
      SELECT session_id, probe_id, 'lid_open', '2026-01-31T21:00Z', '2026-01-31T21:05Z' FROM session_members;
    INSERT INTO alert_events (public_id, alert_id, kind, side, tier, version, value, unit, measured_at, detected_late)
      SELECT gen_random_uuid(), id, kind, 'up', 'warning', version, 203.2, 'F', now(), true
      FROM temperature_alerts, (VALUES ('fired', -1), ('resolved', -2)) AS late (kind, version);`,
  archives: `
    UPDATE devices SET last_archive_at = now(), archives_due_at = now();
    INSERT INTO archive_copies (user_id, device_id, archive_id, cloud_update_time, scope)
      SELECT user_id, id, 'arc01', '2026-11-19T03:00:00.100000Z', 'all 1970-01-01T00:00:00.000Z' FROM devices;`,
  canaries: `
    INSERT INTO canaries (replica, sent_at, proven_at, proven_sent_at) VALUES (gen_random_uuid(), now(), now(), now());`,
  'plain-detection-state': `
    UPDATE detection_states SET state = '{"phase":"idle","probes":{}}';`,
  'intent-and-long-sessions': `
    UPDATE probes SET high_alarm_celsius = 95;
    INSERT INTO notifications (id, subject, subject_id, channel_id, expires_at)
      SELECT gen_random_uuid(), 'session.long', s.public_id, c.id, now()
      FROM grilling_sessions s JOIN notification_channels c USING (user_id) WHERE s.status = 'active';`,
  'buckets-and-retention': `
    UPDATE probes SET min_temperature = 33, max_temperature = 41, temperature_unit = 'F' WHERE id % 2 = 0;
    INSERT INTO reading_buckets
      SELECT id, seconds, '2026-02-01T00:00Z', 'F', 1, 6825, 6825, 409500000, 60000, 0 FROM probes, unnest(ARRAY[900, 3600]) AS seconds;
    INSERT INTO reading_bucket_progress SELECT id, now(), now() FROM probes;
    INSERT INTO reading_bucket_marks (probe_id, hour_start) SELECT id, '2026-02-01T00:00Z' FROM probes;`,
  'session-edits': `
    UPDATE grilling_sessions SET edited_at = now() WHERE status = 'completed';
    INSERT INTO session_log (session_id, actor, action, before, after)
      SELECT id, 'operator', 'edited', '{"name":null}', '{"name":"Brisket"}' FROM grilling_sessions;`,
  'plain-windows': `
    UPDATE alert_states SET recent = '[[1769900399999, 20300, 0]]' WHERE recent IS NOT NULL;`,
  'channel-disabled-and-replays': `
    UPDATE notifications SET replayed_after = 1 WHERE status = 'delivered';
    INSERT INTO notifications (id, subject, subject_id, channel_id, expires_at)
      SELECT gen_random_uuid(), 'channel.disabled', public_id, id, now() FROM notification_channels;`,
};

/** `devices` of `Devices1795000000003`, as in the file's name. */
export function topicOf(migration: string): string {
  const word = migration.replace(/\d+$/, '');
  return word.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
