import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { gatherGroup, type Waiting } from './gather-group.js';

const recipient = z.array(z.object({ channel: z.number(), receives: z.boolean() }));
const idRows = z.array(z.object({ id: z.string() }));
/** If more are pending for one person, those of the alert that is asked for count, and then the oldest. */
const MOST_PENDING = 1_000;
/** Of the advisory locks by which one process at a time makes up its mind about a channel. */
const LOCKS = 0x67726f75;

/**
 * Takes a due notification to a person, with all that goes out in the same message, for 15 s: together they are tried
 * until they are delivered, as one. What is over, superseded or too late is ended here. One process at a time decides
 * for a channel, so that nothing is in two messages.
 * @returns the ids of what is to be sent, in the order of the events; none: nothing, for now
 */
export async function claimGroup(db: EntityManager, id: string): Promise<string[]> {
  const found: unknown = await db.query(
    `SELECT c.id AS channel, u.is_active AND u.deleted_at IS NULL AND c.is_active AS receives
     FROM notifications n JOIN notification_channels c ON c.id = n.channel_id JOIN users u ON u.id = c.user_id
     WHERE n.id = $1 AND n.group_key IS NOT NULL AND n.replayed_after IS NULL`,
    [id],
  );
  const [to] = recipient.parse(found);
  if (!to) return [];
  return db.transaction(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1, $2)', [LOCKS, to.channel]);
    const rows = await pendingOf(tx, to.channel, id);
    if (!to.receives) {
      const asked = rows.filter((row) => row.id === id && row.isDue && row.isFree);
      await end(tx, asked, 'failed', 'the channel or its owner is switched off');
      return [];
    }
    const { send, over, superseded, late } = gatherGroup(id, rows);
    await end(tx, over, 'expired', 'it was over before it was sent');
    await end(tx, superseded, 'expired', 'what came after it was told instead');
    await end(tx, late, null, null);
    return take(tx, send);
  });
}

async function pendingOf(tx: EntityManager, channel: number, id: string): Promise<Waiting[]> {
  const rows = await tx.query<Waiting[]>(
    `SELECT n.id, n.alert_id AS "alertId", n.alert_event_id AS "eventId", e.kind, e.side, e.tier,
       n.group_key AS "groupKey", n.group_id AS "groupId", n.next_attempt_at <= now() + interval '500 ms' AS "isDue",
       coalesce(n.lease_until < now(), true) AS "isFree", n.attempts = 0 AND n.lease_until IS NULL AS "isFresh",
       n.expires_at <= now() AS "isLate", e.kind <> 'resolved' AND (e.tier = 'critical' OR a.alert_type = 'target') AS "isUrgent",
       a.deleted_at IS NOT NULL OR EXISTS (SELECT FROM alert_states s WHERE s.alert_id = e.alert_id AND s.side = e.side
         AND s.tier = e.tier AND s.phase NOT IN ('firing', 'recovering')) AS "isClosed"
     FROM notifications n JOIN alert_events e ON e.id = n.alert_event_id JOIN temperature_alerts a ON a.id = e.alert_id
     WHERE n.channel_id = $1 AND n.status = 'pending' AND n.replayed_after IS NULL
     ORDER BY n.alert_id <> (SELECT alert_id FROM notifications WHERE id = $2), n.alert_event_id LIMIT ${MOST_PENDING}`,
    [channel, id],
  );
  return rows.sort((a, b) => a.eventId - b.eventId);
}

/** @param status null: what is worthless on a phone by now expires, anything else has failed after its day */
async function end(
  tx: EntityManager,
  rows: readonly Waiting[],
  status: 'expired' | 'failed' | null,
  reason: string | null,
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `UPDATE notifications SET updated_at = now(), lease_until = NULL, last_error = coalesce($3, last_error),
       status = coalesce($2, ${TOO_LATE})
     WHERE id = ANY($1) AND status = 'pending'`,
    [rows.map(({ id }) => id), status, reason],
  );
}

/** The status of what is too late: expired if it had half an hour, failed if it had its day. */
export const TOO_LATE =
  "CASE WHEN expires_at - created_at <= interval '30 minutes' THEN 'expired' ELSE 'failed' END";

async function take(tx: EntityManager, rows: readonly Waiting[]): Promise<string[]> {
  const [first] = rows;
  if (!first) return [];
  const groupId = first.groupId ?? (rows.length > 1 ? first.id : null);
  const taken: unknown = await tx.query(
    `WITH taken AS (
       UPDATE notifications SET lease_until = now() + interval '15 seconds', updated_at = now(), group_id = $2
       WHERE id = ANY($1) AND status = 'pending' AND coalesce(lease_until < now(), true)
       RETURNING id, alert_event_id
     )
     SELECT id FROM taken ORDER BY alert_event_id`,
    [rows.map(({ id }) => id), groupId],
  );
  return idRows.parse(taken).map(({ id }) => id);
}
