import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { FLAG, toHundredths, UNTRUSTED } from '../../src/readings/sample.js';
import { convertHundredths, type TemperatureUnit } from '../../src/readings/temperature.js';
import type { Received } from '../notifications/receiver.js';
import { waitFor } from '../support/wait-for.js';
import { acceptedAtMs, copiesOf } from './order.js';
import type { World } from './world.js';

/** A receiver of ours that answers only after so long does it on purpose. */
const HELD_MS = 5_000;
const DRAIN = { timeoutMs: 120_000, everyMs: 250, what: 'no pending notification' };

/**
 * Versions 1 to n without a hole, fired and resolved by turns, and the state says the same; of the world's alerts each event
 * is what the stored readings make of it, and none is missing.
 * @returns events, but late ones
 */
export async function eventsAreWhole(world: World): Promise<number> {
  const rows: { versions: number[]; kinds: string[]; version: number }[] = await world.db.query(
    `SELECT coalesce(array_agg(e.version ORDER BY e.id) FILTER (WHERE e.id IS NOT NULL), '{}') AS versions,
       coalesce(array_agg(e.kind ORDER BY e.id) FILTER (WHERE e.id IS NOT NULL), '{}') AS kinds, s.version
     FROM alert_states s LEFT JOIN alert_events e
       ON e.alert_id = s.alert_id AND e.side = s.side AND e.tier = s.tier AND e.version > 0
     GROUP BY s.alert_id, s.side, s.tier, s.version`,
  );
  for (const { versions, kinds, version } of rows) {
    expect(versions, 'versions of events').to.deep.equal(
      Array.from({ length: version }, (_, index) => index + 1),
    );
    expect(kinds).to.deep.equal(versions.map((_, index) => (index % 2 === 0 ? 'fired' : 'resolved')));
  }
  for (const { alertId } of world.users) await followFromReadings(world.db, alertId);
  return rows.reduce((sum, { versions }) => sum + versions.length, 0);
}

interface Alert {
  id: number;
  limit: number;
  limitUnit: TemperatureUnit;
  probe: number;
  judgedAfter: Date | null;
}

/** What an event says of itself, as text. */
const eventText = (kind: string, at: Date, value: number) => `${kind} ${at.toISOString()} ${value}`;

/**
 * An alert of the world holds nothing: it fires with the first reading above its limit and ends with the first below. So
 * its events follow from the readings that were believed when they came: a late one counts as little as if it had
 * never come, and so does one that was lost.
 */
async function followFromReadings(db: DataSource, publicId: string): Promise<void> {
  const [alert]: Alert[] = await db.query(
    `SELECT a.id, a.max_temperature AS "limit", a.temperature_unit AS "limitUnit", p.id AS probe, a.judged_after AS "judgedAfter"
     FROM temperature_alerts a JOIN probes p USING (user_id, device_id, probe_id)
     WHERE a.public_id = $1 AND a.hold_seconds + a.recovery_seconds + a.hysteresis + a.cooldown_seconds = 0`,
    [publicId],
  );
  if (!alert) throw new Error(`alert ${publicId} is none that holds nothing`);
  const events: { kind: string; at: Date; value: number }[] = await db.query(
    'SELECT kind, measured_at AS at, value FROM alert_events WHERE alert_id = $1 AND version > 0 ORDER BY id',
    [alert.id],
  );
  expect(
    events.map(({ kind, at, value }) => eventText(kind, at, value)),
    `events of alert ${publicId}, and what its readings make of it`,
  ).to.deep.equal(await expected(db, alert));
}

async function expected(db: DataSource, { limit, limitUnit, probe, judgedAfter }: Alert): Promise<string[]> {
  const readings: { at: Date; value: number; unit: TemperatureUnit }[] = await db.query(
    `SELECT measured_at AS at, value, unit FROM readings
     WHERE probe_id = $1 AND flags & $2 = 0 AND unit <> 'H' AND measured_at > coalesce($3::timestamptz, '-infinity')
     ORDER BY measured_at`,
    [probe, UNTRUSTED | FLAG.late, judgedAfter],
  );
  const events: string[] = [];
  let isFiring = false;
  for (const { at, value, unit } of readings) {
    const excess = convertHundredths(toHundredths(value), unit, limitUnit) - toHundredths(limit);
    if (isFiring ? excess >= 0 : excess <= 0) continue;
    isFiring = !isFiring;
    events.push(eventText(isFiring ? 'fired' : 'resolved', at, value));
  }
  return events;
}

/** @returns copies beyond the first, and how many of those came since no copy before had been accepted */
export async function eventsWereDelivered({
  db,
  receiver,
}: World): Promise<{ duplicates: number; excused: number }> {
  // Of an account that could not be polled is told at some later look: also after all else had come to rest.
  const rows = await waitFor(async () => {
    const all: { id: string; status: string; path: string }[] = await db.query(
      `SELECT n.id, n.status, u.email AS path FROM notifications n JOIN notification_channels c ON c.id = n.channel_id
       JOIN users u ON u.id = c.user_id`,
    );
    return all.some(({ status }) => status === 'pending') ? undefined : all;
  }, DRAIN);
  const got = copiesOf(receiver.received);
  for (const { id, status, path } of rows) {
    expect(status, `notification ${id}`).to.equal('delivered');
    const copies = got.get(id) ?? [];
    expect(new Set(copies.map((copy) => copy.path)), `where ${id} came to`).to.deep.equal(
      new Set([`/${path.split('@')[0]}`]),
    );
    expect(acceptedAtMs(copies), `an accepted copy of ${id}`).to.be.below(Number.POSITIVE_INFINITY);
  }
  const [{ undelivered }] = await db.query(
    `SELECT count(*)::integer AS undelivered FROM alert_events e
     WHERE NOT e.detected_late AND NOT EXISTS (SELECT FROM notifications n WHERE n.alert_event_id = e.id)`,
  );
  expect(undelivered, 'events without a notification').to.equal(0);
  const all = [...got.values()];
  const duplicates = all.reduce((sum, copies) => sum + copies.length - 1, 0);
  const ours = all.flatMap((copies) => copies.filter((_, index) => wasTaken(copies.slice(0, index))));
  return { duplicates, excused: duplicates - ours.length };
}

/**
 * Whether some copy was accepted, at whatever time, and its sender was still there to hear it: an answer that was held may
 * be written just before it is seen that nobody waits for it any more.
 */
const wasTaken = (copies: readonly Received[]): boolean =>
  copies.some((copy) => acceptedAtMs([copy]) < copy.arrivedAtMs + HELD_MS);
