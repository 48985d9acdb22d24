import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { toHundredths } from '../readings/sample.js';
import { convertDifference, convertHundredths } from '../readings/temperature.js';

const NEAR_C = 3;

const row = z.object({
  device_id: z.string(),
  target_temperature: z.number(),
  temperature_unit: z.enum(['F', 'C']),
  last_value: z.number(),
  last_unit: z.enum(['F', 'C']),
});

/** The serials of the user's devices with a probe within 3 °C of a target that has not fired: worth a closer look. */
export async function devicesNearTarget(db: EntityManager, userId: number): Promise<Set<string>> {
  const rows: unknown = await db.query(
    `SELECT a.device_id, a.target_temperature, a.temperature_unit, p.last_value, p.last_unit
     FROM temperature_alerts a
     JOIN probes p ON p.user_id = a.user_id AND p.device_id = a.device_id AND p.probe_id = a.probe_id
     JOIN alert_states s ON s.alert_id = a.id
     WHERE a.user_id = $1 AND a.alert_type = 'target' AND a.is_active AND a.deleted_at IS NULL AND s.is_armed
       AND p.state = 'ok' AND p.last_unit IN ('F', 'C')`,
    [userId],
  );
  return new Set(
    z
      .array(row)
      .parse(rows)
      .filter(isNear)
      .map(({ device_id }) => device_id),
  );
}

function isNear({
  target_temperature,
  temperature_unit,
  last_value,
  last_unit,
}: z.infer<typeof row>): boolean {
  const value = convertHundredths(toHundredths(last_value), last_unit, temperature_unit);
  return (
    Math.abs(value - toHundredths(target_temperature)) <=
    100 * convertDifference(NEAR_C, 'C', temperature_unit)
  );
}
