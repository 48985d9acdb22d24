import type { EntityManager } from 'typeorm';
import { AlertEvent } from '../entities/alert-event.js';

const SHOWN = 20;

/** The newest events of an alert by reading time, those detected late among them, as the command line prints them. */
export async function listEvents(db: EntityManager, alertId: number): Promise<Record<string, unknown>[]> {
  const order = { measuredAt: 'DESC', id: 'DESC' } as const;
  const events = await db.find(AlertEvent, { where: { alertId }, order, take: SHOWN });
  return events.map((event) => ({
    id: event.publicId,
    kind: event.kind,
    side: event.side,
    tier: event.tier,
    value: event.value,
    unit: event.unit,
    measured_at: event.measuredAt,
    duration_seconds: event.durationSeconds,
    extreme: event.extreme,
    detected_late: event.detectedLate,
  }));
}
