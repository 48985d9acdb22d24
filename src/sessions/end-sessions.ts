import type { EntityManager } from 'typeorm';

/**
 * A user's devices are gone: to another owner, or out of sight. What runs on them ends at its last reading, what fires is
 * over without a word, and detection begins anew with whoever shows them next. Under the devices' locks.
 */
export async function endSessionsOf(
  tx: EntityManager,
  userId: number,
  deviceIds: readonly string[],
): Promise<void> {
  await tx.query(
    `UPDATE grilling_sessions SET status = 'completed', phase = 'ended', end_reason = 'device_gone',
       end_time = coalesce(last_reading_at, start_time), updated_at = now()
     WHERE user_id = $1 AND device_id = ANY($2) AND status = 'active'`,
    [userId, deviceIds],
  );
  await tx.query(
    `UPDATE alert_states s SET phase = 'inactive', is_announced = false, is_muted = false, is_inhibited = false, held_ms = 0, held_readings = 0,
       acknowledged_at = NULL, told_at = NULL
     FROM temperature_alerts a
     WHERE a.id = s.alert_id AND a.user_id = $1 AND a.device_id = ANY($2) AND s.phase <> 'inactive'`,
    [userId, deviceIds],
  );
  await tx.query(
    'DELETE FROM detection_states s USING devices d WHERE d.id = s.device_id AND d.device_id = ANY($1)',
    [deviceIds],
  );
}
