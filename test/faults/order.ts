import { expect } from 'chai';
import { z } from 'zod';
import type { World } from './world.js';

/** What a webhook says of an alert's event. */
const told = z.object({
  id: z.uuid(),
  sequence: z.number().int().positive(),
  alert: z.object({ id: z.uuid() }),
});

/**
 * Of each alert and channel the first copies arrived by their numbers, each after one of the event before was accepted;
 * and all copies of a notification are about the same event.
 */
export async function eventsArrivedInOrder({ db, receiver }: Pick<World, 'db' | 'receiver'>): Promise<void> {
  const rows: { id: string; channel: number }[] = await db.query(
    'SELECT id, channel_id AS channel FROM notifications WHERE alert_event_id IS NOT NULL',
  );
  const channels = new Map(rows.map(({ id, channel }) => [id, channel]));
  const newest = new Map<string, { id: string; sequence: number; isAccepted: boolean }>();
  const events = new Map<string, string>();
  for (const { headers, body, statusCode = 0 } of receiver.received) {
    const id = headers['webhook-id'] ?? '';
    const channel = channels.get(id);
    if (channel === undefined) continue;
    const { id: event, sequence, alert } = told.parse(JSON.parse(body));
    expect(`${event} ${sequence}`, `copies of ${id}`).to.equal(events.get(id) ?? `${event} ${sequence}`);
    const line = `channel ${channel}, alert ${alert.id}`;
    const last = newest.get(line);
    if (last && !events.has(id)) {
      expect(sequence, `${line}: after ${last.sequence}`).to.be.above(last.sequence);
      expect(last, `${line}: ${sequence} came before the end of`).to.include({ isAccepted: true });
    }
    events.set(id, `${event} ${sequence}`);
    const current =
      last?.id === id || (last && last.sequence > sequence) ? last : { id, sequence, isAccepted: false };
    if (current.id === id && statusCode >= 200 && statusCode < 300) current.isAccepted = true;
    newest.set(line, current);
  }
}
