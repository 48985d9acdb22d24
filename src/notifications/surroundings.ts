import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { FLAG, UNTRUSTED } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

/** Where a value is going, from the readings of the quarter of an hour before (three intervals of a slow device). */
export interface Trend {
  direction: 'rising' | 'falling' | 'steady';
  /** Degrees of `unit` in an hour, to the tenth; falling is below 0. */
  perHour: number;
  unit: TemperatureUnit;
}

/** What is stored around an alert's event. */
export interface Surroundings {
  /** When what is told again fired, by its reading; null: the event is no repetition. */
  firedAt: Date | null;
  /** Null: too little is known. */
  trend: Trend | null;
  /** The name of the gateway that the event speaks for; null: of none. */
  gateway: string | null;
}

/** By the ids of notifications; those that are about no event are left out. */
export type ReadSurroundings = (notificationIds: readonly string[]) => Promise<Map<string, Surroundings>>;

const WINDOW = "interval '15 minutes'";
/** Of a window, however often a device measures. */
const MOST_READINGS = 300;
/** With what came late, one attempt would tell another trend than the next. */
const PASSED_OVER = UNTRUSTED | FLAG.late | FLAG.backfilled;
const MIN_READINGS = 3;
const MIN_SPAN_SECONDS = 300;
/** What moves more slowly is steady, per hour. */
const STEADY = { C: 1, F: 1.8 };

const rowsOf = z.array(
  z.object({
    id: z.string(),
    fired_at: z.date().nullable(),
    unit: z.enum(['F', 'C', 'H']).nullable(),
    readings: z.number(),
    span_seconds: z.number().nullable(),
    per_hour: z.number().nullable(),
    gateway: z.string().nullable(),
  }),
);

/** One query by primary keys, whatever the number of readings. */
export function createSurroundingsReader(db: EntityManager): ReadSurroundings {
  return async (notificationIds) => {
    const answer: unknown = await db.query(
      `SELECT n.id, fired.measured_at AS fired_at, e.unit, t.readings, t.span_seconds, t.per_hour, (
         SELECT coalesce(g.nickname, g.label, g.device_id) FROM devices g
         WHERE e.silent_devices IS NOT NULL AND g.user_id = d.user_id
           AND g.iot_device_id = coalesce(d.gateway_id, d.iot_device_id) ORDER BY g.id LIMIT 1
       ) AS gateway
       FROM notifications n
       JOIN alert_events e ON e.id = n.alert_event_id
       JOIN temperature_alerts a ON a.id = e.alert_id
       JOIN devices d ON d.device_id = a.device_id
       LEFT JOIN LATERAL (
         SELECT f.measured_at FROM alert_events f
         WHERE e.kind = 'repeated' AND f.alert_id = e.alert_id AND f.side = e.side AND f.tier = e.tier
           AND f.version < e.version AND f.kind = 'fired' ORDER BY f.version DESC LIMIT 1
       ) fired ON true
       CROSS JOIN LATERAL (
         SELECT count(*)::integer AS readings, regr_slope(value, at) * 3600 AS per_hour, max(at) - min(at) AS span_seconds
         FROM (
           SELECT r.value, extract(epoch FROM r.measured_at - e.measured_at)::float8 AS at
           FROM probes p JOIN readings r ON r.probe_id = p.id
           WHERE p.user_id = a.user_id AND p.device_id = a.device_id AND p.probe_id = a.probe_id
             AND r.unit = e.unit AND r.flags & ${PASSED_OVER} = 0 AND r.measured_at <= e.measured_at
             AND r.measured_at > e.measured_at
               - greatest(${WINDOW}, least(coalesce(d.transmit_interval_seconds, 0), 86400) * interval '3 seconds')
           ORDER BY r.measured_at DESC LIMIT ${MOST_READINGS}
         ) recent
       ) t
       WHERE n.id = ANY($1::uuid[])`,
      [notificationIds],
    );
    return new Map(
      rowsOf
        .parse(answer)
        .map((row) => [row.id, { firedAt: row.fired_at, trend: trendOf(row), gateway: row.gateway }]),
    );
  };
}

function trendOf({
  unit,
  readings,
  span_seconds: span,
  per_hour: slope,
}: z.infer<typeof rowsOf>[number]): Trend | null {
  if (unit === null || unit === 'H' || slope === null || span === null) return null;
  if (readings < MIN_READINGS || span < MIN_SPAN_SECONDS) return null;
  const moves = Math.abs(slope) >= STEADY[unit];
  const direction = moves ? (slope > 0 ? 'rising' : 'falling') : 'steady';
  return { direction, perHour: Math.round(slope * 10) / 10, unit };
}
