import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import type { Unit } from '../readings/sample.js';

/** Two hours of one probe that end with an alert event's reading. */
export interface Chart {
  unit: Unit;
  min: number;
  max: number;
  /** Means of 150 s each, the oldest first; null where nothing was measured. */
  columns: (number | null)[];
}

/** What led to the event that a notification is about; undefined if that is no event, or there are no readings. */
export type ReadChart = (notificationId: string) => Promise<Chart | undefined>;

const COLUMNS = 48;
const rowsOf = z.array(
  z.object({
    age: z.number(),
    mean: z.number(),
    min: z.number(),
    max: z.number(),
    unit: z.enum(['F', 'C', 'H']),
  }),
);

/** One query by primary keys and the readings' index, whatever the number of readings. */
export function createChartReader(db: EntityManager): ReadChart {
  return async (notificationId) => {
    const answer: unknown = await db.query(
      `SELECT floor(extract(epoch FROM e.measured_at - r.measured_at) / 150)::integer AS age, r.unit,
         avg(r.value) AS mean, min(r.value) AS min, max(r.value) AS max
       FROM notifications n
       JOIN alert_events e ON e.id = n.alert_event_id
       JOIN temperature_alerts a ON a.id = e.alert_id
       JOIN probes p ON p.user_id = a.user_id AND p.device_id = a.device_id AND p.probe_id = a.probe_id
       JOIN readings r ON r.probe_id = p.id AND r.unit = coalesce(e.unit, p.last_unit)
         AND r.measured_at > e.measured_at - interval '2 hours' AND r.measured_at <= e.measured_at
       WHERE n.id = $1 GROUP BY 1, 2 ORDER BY 1 DESC`,
      [notificationId],
    );
    const rows = rowsOf.parse(answer);
    const [first] = rows;
    if (!first) return undefined;
    const means = new Map(rows.map(({ age, mean }) => [age, mean]));
    return {
      unit: first.unit,
      min: Math.min(...rows.map(({ min }) => min)),
      max: Math.max(...rows.map(({ max }) => max)),
      columns: Array.from({ length: COLUMNS }, (_, index) => means.get(COLUMNS - 1 - index) ?? null),
    };
  };
}
