import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { arrayOf, epochMs } from '../array-literal.js';
import { groupBy } from '../group-by.js';
import type { LateAlert, LateChange, Recorded, Stretch } from './past.js';

/** An alert, with one of its firings where it has any. */
interface FiringRow extends Omit<Recorded, 'first' | 'last' | 'toMs'> {
  alertId: number;
  judgedAfterMs: number | null;
  /** Null: it has none. */
  fromMs: number;
  toMs: number | null;
  value: number | null;
  unit: Stretch['first']['unit'];
  lastValue: number | null;
  lastUnit: Stretch['first']['unit'];
}

/** What these alerts fired at `fromMs` or later, and since when they judge; by their ids. One statement. */
export async function loadPasts(
  tx: EntityManager,
  alertIds: readonly number[],
  fromMs: number,
): Promise<Map<number, Omit<LateAlert, 'rule'>>> {
  const rows = await tx.query<FiringRow[]>(
    `SELECT a.id AS "alertId", ${epochMs('a.judged_after')} AS "judgedAfterMs", f.*
     FROM temperature_alerts a LEFT JOIN (
       SELECT alert_id, kind, side, tier, version, value, unit, measured_at,
         ${epochMs('measured_at')} AS "fromMs", ${epochMs('lead(measured_at) OVER firings')} AS "toMs",
         lead(value) OVER firings AS "lastValue", lead(unit) OVER firings AS "lastUnit", lead(extreme) OVER firings AS extreme
       FROM alert_events WHERE alert_id = ANY($1::integer[]) AND kind IN ('fired', 'resolved')
       WINDOW firings AS (PARTITION BY alert_id, side, tier, detected_late ORDER BY abs(version))
     ) f ON f.alert_id = a.id AND f.kind = 'fired' AND (f."toMs" IS NULL OR f."toMs" >= $2)
       AND (a.judged_after IS NULL OR f.measured_at > a.judged_after)
     WHERE a.id = ANY($1::integer[]) ORDER BY a.id, f."fromMs"`,
    [arrayOf(alertIds), fromMs],
  );
  const byAlert = [...groupBy(rows, ({ alertId }) => alertId)];
  return new Map(
    byAlert.map(([id, theirs]) => [
      id,
      { judgedAfterMs: theirs[0]?.judgedAfterMs ?? 0, recorded: theirs.flatMap(toRecorded) },
    ]),
  );
}

function toRecorded(row: FiringRow): Recorded[] {
  const { side, tier, version, fromMs, toMs, extreme, value, unit, lastValue, lastUnit } = row;
  if (side === null) return [];
  const ends = { fromMs, toMs: toMs ?? Number.POSITIVE_INFINITY };
  return [
    {
      side,
      tier,
      version,
      ...ends,
      extreme,
      first: { value, unit },
      last: { value: lastValue, unit: lastUnit },
    },
  ];
}

/**
 * Stores what is detected late, as pairs of events numbered from -1 down that nobody is told of, in place of what the
 * readings bear no more. One statement, or none.
 * @param changes each with its probe (`probes.id`): its session at that time goes with the event
 */
export async function saveLate(
  tx: EntityManager,
  changes: readonly (LateChange & { probeId: number })[],
): Promise<void> {
  if (changes.length === 0) return;
  const gone = changes.flatMap((change) =>
    change.gone.map(({ side, tier, version }) => ({ alertId: change.rule.id, side, tier, version })),
  );
  const events = changes.flatMap((change) => change.found.flatMap((one) => eventsOf(change, one)));
  await tx.query(
    `WITH gone AS (
       DELETE FROM alert_events e
       USING jsonb_to_recordset($1) AS g ("alertId" integer, side text, tier text, version integer)
       WHERE e.alert_id = g."alertId" AND e.side = g.side AND e.tier = g.tier AND e.version IN (g.version, g.version - 1)
     )
     INSERT INTO alert_events (public_id, alert_id, session_id, kind, side, tier, version, value, unit, measured_at,
       duration_seconds, extreme, detected_late)
     SELECT "publicId", "alertId", (
         SELECT s.id FROM grilling_sessions s JOIN session_members m ON m.session_id = s.id
         WHERE m.probe_id = "probeId" AND s.deleted_at IS NULL AND s.start_time <= at AND coalesce(s.end_time >= at, true)
           AND coalesce(m.member_from <= at, true) AND coalesce(m.member_to >= at, true)
         ORDER BY s.id DESC LIMIT 1
       ), kind, side, tier,
       least(0, (SELECT min(version) FROM alert_events o
         WHERE o.alert_id = "alertId" AND o.side = n.side AND o.tier = n.tier))
         - row_number() OVER (PARTITION BY "alertId", side, tier ORDER BY ordinality),
       value, unit, at, "durationSeconds", extreme, true
     FROM ROWS FROM (jsonb_to_recordset($2) AS ("publicId" uuid, "alertId" integer, "probeId" integer, kind text, side text,
       tier text, value float8, unit text, "measuredAtMs" float8, "durationSeconds" integer, extreme float8))
         WITH ORDINALITY AS n, LATERAL (SELECT to_timestamp("measuredAtMs" / 1000) AS at) AS t
     ORDER BY "alertId", ordinality`,
    [JSON.stringify(gone), JSON.stringify(events)],
  );
}

function eventsOf({ rule, probeId }: LateChange & { probeId: number }, one: Stretch) {
  const { side, tier, fromMs, toMs, first, last, extreme } = one;
  const of = { alertId: rule.id, probeId, side, tier };
  const durationSeconds = Math.round((toMs - fromMs) / 1000);
  return [
    { ...of, publicId: uuidv7(), kind: 'fired', ...first, measuredAtMs: fromMs },
    { ...of, publicId: uuidv7(), kind: 'resolved', ...last, measuredAtMs: toMs, durationSeconds, extreme },
  ];
}
