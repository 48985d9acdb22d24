import { expect } from 'chai';
import { z } from 'zod';
import type { Received } from '../notifications/receiver.js';
import type { World } from './world.js';

/** What a webhook says of an alert's event. */
const told = z.object({
  id: z.uuid(),
  sequence: z.number().int().positive(),
  alert: z.object({ id: z.uuid() }),
});

/** All copies of one notification about an event, in the order of their arrival. */
interface Delivery {
  sequence: number;
  /** A channel and an alert: of those one after the other is told. */
  line: string;
  copies: Received[];
}

/**
 * Of each alert and channel the events were told by their numbers, from 1 on without a hole, and none before the one in
 * front of it had succeeded: its first copy arrived when a whole 2xx answer to a copy of that had been sent. And all copies
 * of a notification are about the same event, which a row of ours knows.
 */
export async function eventsArrivedInOrder({ db, receiver }: Pick<World, 'db' | 'receiver'>): Promise<void> {
  const rows: { id: string; channel: number; isOfEvent: boolean }[] = await db.query(
    'SELECT id, channel_id AS channel, alert_event_id IS NOT NULL AS "isOfEvent" FROM notifications',
  );
  const known = new Map(rows.map((row) => [row.id, row]));
  const lines = new Map<string, Delivery[]>();
  for (const [id, copies] of copiesOf(receiver.received)) {
    const row = known.get(id);
    expect(row, `a row for ${id}, which came to ${copies[0]?.path}`).to.not.equal(undefined);
    if (!row?.isOfEvent) continue;
    const delivery = deliveryOf(id, row.channel, copies);
    lines.set(delivery.line, [...(lines.get(delivery.line) ?? []), delivery]);
  }
  for (const deliveries of lines.values()) oneAfterTheOther(deliveries);
}

/** By notification, each in the order of arrival. */
export function copiesOf(received: readonly Received[]): Map<string, Received[]> {
  const copies = new Map<string, Received[]>();
  for (const one of received.toSorted((a, b) => a.arrivedAtMs - b.arrivedAtMs)) {
    const id = one.headers['webhook-id'] ?? '';
    copies.set(id, [...(copies.get(id) ?? []), one]);
  }
  return copies;
}

/** When the first 2xx answer to one of them had been sent; infinite: no copy was accepted. */
export function acceptedAtMs(copies: readonly Received[]): number {
  const accepted = copies.flatMap(({ statusCode = 0, answeredAtMs }) =>
    statusCode >= 200 && statusCode < 300 ? (answeredAtMs ?? []) : [],
  );
  return Math.min(Number.POSITIVE_INFINITY, ...accepted);
}

function deliveryOf(id: string, channel: number, copies: Received[]): Delivery {
  const [first, ...others] = copies.map(({ body }) => told.parse(JSON.parse(body)));
  if (!first) throw new Error(`no copy of ${id}`);
  for (const other of others)
    expect([other.id, other.sequence, other.alert.id], `copies of ${id}`).to.deep.equal([
      first.id,
      first.sequence,
      first.alert.id,
    ]);
  const line = `channel ${channel}, alert ${first.alert.id}`;
  return { sequence: first.sequence, line, copies };
}

/** @param deliveries of one alert and channel, by the arrival of their first copies */
function oneAfterTheOther(deliveries: readonly Delivery[]): void {
  for (const [index, { sequence, line, copies }] of deliveries.entries()) {
    expect(sequence, `${line}: place ${index + 1}`).to.equal(index + 1);
    const before = deliveries[index - 1];
    const arrivedAtMs = copies[0]?.arrivedAtMs ?? 0;
    if (before)
      expect(arrivedAtMs, `${line}: ${sequence} came before ${sequence - 1} was accepted`).to.be.at.least(
        acceptedAtMs(before.copies),
      );
  }
}
