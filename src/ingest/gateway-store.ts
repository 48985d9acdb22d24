import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import type { SharedGateway } from './gateway.js';

/** Where a gateway states no interval. */
const UNKNOWN_SECONDS = 60;

const behindRows = z.array(z.object({ device: z.number(), gateway: z.number() }));
const gatewayRows = z.array(
  z.object({
    gateway: z.number(),
    last_ms: z.number().nullable(),
    seconds: z.number().nullable(),
    devices: z.number(),
    told: z.array(z.tuple([z.number(), z.enum(['info', 'warning', 'critical'])])).nullable(),
  }),
);

/** That `m` is heard by the gateway `g`. */
const IS_BEHIND = `m.user_id = g.user_id AND m.gateway_id = g.iot_device_id AND m.id <> g.id
  AND m.is_active AND m.deleted_at IS NULL`;

/**
 * The gateways (`devices.id`) of these devices, by device: the one that each is heard by, or itself if others are heard by it.
 * Whoever takes them with `lockDevices` is the only one to decide who tells that one of them is silent.
 */
export async function findGateways(
  tx: EntityManager,
  deviceRows: readonly number[],
): Promise<Map<number, number>> {
  if (deviceRows.length === 0) return new Map();
  const rows: unknown = await tx.query(
    `SELECT d.id AS device, min(g.id) AS gateway
     FROM devices d JOIN devices g ON g.user_id = d.user_id AND g.iot_device_id = coalesce(d.gateway_id, d.iot_device_id)
     WHERE d.id = ANY($1) AND g.is_active AND g.deleted_at IS NULL AND EXISTS (SELECT FROM devices m WHERE ${IS_BEHIND})
     GROUP BY d.id`,
    [deviceRows],
  );
  return new Map(behindRows.parse(rows).map(({ device, gateway }) => [device, gateway]));
}

/**
 * What is known of these gateways, by the devices asked for. A tier is told while the alert that spoke for the gateway
 * fires. The alerts of other devices are read without a lock: what ends at that moment is seen at the next look.
 */
export async function loadGateways(
  tx: EntityManager,
  gatewayOf: ReadonlyMap<number, number>,
): Promise<Map<number, SharedGateway>> {
  if (gatewayOf.size === 0) return new Map();
  const rows: unknown = await tx.query(
    `SELECT g.id AS gateway, g.transmit_interval_seconds AS seconds,
       ${epochMs(`greatest(g.last_seen_at, (SELECT max(p.last_measured_at) FROM probes p
         WHERE p.user_id = g.user_id AND p.device_id = g.device_id))`)} AS last_ms,
       (SELECT count(*)::integer FROM devices m WHERE ${IS_BEHIND}) AS devices,
       (SELECT json_agg(json_build_array(m.id, s.tier) ORDER BY s.tier DESC) FROM devices m
        JOIN temperature_alerts a ON a.user_id = m.user_id AND a.device_id = m.device_id
        JOIN alert_states s ON s.alert_id = a.id
        WHERE (m.id = g.id OR (${IS_BEHIND})) AND a.alert_type = 'no_data' AND a.is_active AND a.deleted_at IS NULL
          AND s.phase = 'firing' AND s.is_announced AND NOT s.is_muted AND NOT s.is_unknown
          AND (SELECT e.silent_devices FROM alert_events e WHERE e.alert_id = s.alert_id AND e.side = s.side
            AND e.tier = s.tier AND e.version > 0 AND e.kind = 'fired' ORDER BY e.version DESC LIMIT 1) IS NOT NULL
       ) AS told
     FROM devices g WHERE g.id = ANY($1)`,
    [[...new Set(gatewayOf.values())]],
  );
  const gateways = new Map(
    gatewayRows.parse(rows).map((row): [number, SharedGateway] => {
      // 'warning' comes before 'critical' here: of two tiers of a device the worse one stays.
      const { gateway: device, last_ms: lastMs, seconds, devices, told } = row;
      const intervalMs = 1000 * (seconds ?? UNKNOWN_SECONDS);
      return [device, { device, lastMs, intervalMs, devices, told: new Map(told ?? []) }];
    }),
  );
  return new Map(
    [...gatewayOf].flatMap(([device, row]): [number, SharedGateway][] => {
      const gateway = gateways.get(row);
      return gateway ? [[device, gateway]] : [];
    }),
  );
}
