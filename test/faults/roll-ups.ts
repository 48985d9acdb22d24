import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { FLAG, UNTRUSTED, type Unit } from '../../src/readings/sample.js';
import { plainStats } from '../ingest/plain-roll-up.js';

/** @returns sessions compared */
export async function rollUpsAreExact(db: DataSource): Promise<number> {
  const rows: RollUp[] = await db.query(
    `SELECT g.id AS session, g.temperature_unit AS unit, g.start_time, g.end_time, m.probe_id, m.member_from, m.member_to,
       s.reading_count AS count, s.temperature_sum_hundredths::float8 AS "sumHundredths", s.min_temperature AS min,
       s.max_temperature AS max, s.avg_temperature AS avg
     FROM grilling_sessions g JOIN session_members m ON m.session_id = g.id
     LEFT JOIN session_probe_stats s ON s.session_id = g.id AND s.probe_id = m.probe_id
     WHERE g.status <> 'cancelled'`,
  );
  for (const row of rows)
    expect(rollUpOf(row), `session ${row.session}`).to.deep.equal(await recomputed(row, db));
  return new Set(rows.map(({ session }) => session)).size;
}

interface RollUp {
  session: number;
  unit: 'F' | 'C';
  start_time: Date;
  end_time: Date | null;
  probe_id: number;
  member_from: Date | null;
  member_to: Date | null;
  count: number | null;
  sumHundredths: number;
  min: number;
  max: number;
  avg: number;
}

const rollUpOf = ({ count, sumHundredths, min, max, avg }: RollUp) =>
  count === null ? undefined : { count, sumHundredths, min, max, avg: Math.round(avg * 1e6) };

async function recomputed(row: RollUp, db: DataSource) {
  const readings: { at: Date; value: number; unit: Unit; flags: number }[] = await db.query(
    'SELECT measured_at AS at, value, unit, flags FROM readings WHERE probe_id = $1',
    [row.probe_id],
  );
  const taken = readings.map(({ at, value, unit, flags }) => ({
    probe: 0,
    ms: at.getTime(),
    hundredths: Math.round(value * 100),
    unit,
    flags: flags & (UNTRUSTED | FLAG.late),
  }));
  const fromMs = Math.max(row.start_time.getTime(), row.member_from?.getTime() ?? Number.NEGATIVE_INFINITY);
  const ends = [row.end_time, row.member_to].flatMap((end) => end?.getTime() ?? []);
  const stats = plainStats(taken, {
    unit: row.unit,
    fromMs,
    toMs: Math.min(...ends, Number.POSITIVE_INFINITY),
  });
  if (!stats) return undefined;
  const { count, sumHundredths, min, max, avg } = stats;
  return { count, sumHundredths, min, max, avg: Math.round(avg * 1e6) };
}
