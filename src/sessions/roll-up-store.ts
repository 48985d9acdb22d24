import type { EntityManager } from 'typeorm';
import { arrayOf } from '../array-literal.js';
import type { ProbeStats, Session } from './types.js';

/** A session, its row id, and how it was loaded in this transaction, if it was there. */
interface SavedSession {
  session: Session;
  was: Session | undefined;
  id: number;
}

/** Stores the roll-ups that changed, one statement. A probe whose readings all fell out of a session that was cut loses its row. */
export async function saveStats(tx: EntityManager, sessions: readonly SavedSession[]): Promise<void> {
  const whole = new Set(sessions.filter(({ session, was }) => !was || losesRows(session, was)));
  const rows = sessions
    .flatMap((saved) => {
      const { session, was, id } = saved;
      const all = [...session.stats].map(([probeId, stats]) => ({ id, probeId, stats }));
      return whole.has(saved) ? all : all.filter(({ probeId, stats }) => was?.stats.get(probeId) !== stats);
    })
    .sort((a, b) => a.id - b.id || a.probeId - b.probeId);
  if (rows.length === 0 && whole.size === 0) return;
  const column = (pick: (stats: ProbeStats) => number) => arrayOf(rows.map(({ stats }) => pick(stats)));
  await tx.query(
    `WITH new AS (
       SELECT session_id, probe_id, count, sum, min, to_timestamp(min_ms / 1000), max, to_timestamp(max_ms / 1000), avg,
         to_timestamp(first_ms / 1000), to_timestamp(last_ms / 1000)
       FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
         $8::float8[], $9::float8[], $10::float8[], $11::float8[])
         AS row (session_id, probe_id, count, sum, min, min_ms, max, max_ms, avg, first_ms, last_ms)
     ), gone AS (
       DELETE FROM session_probe_stats s WHERE s.session_id = ANY($12::integer[])
         AND NOT EXISTS (SELECT FROM new WHERE new.session_id = s.session_id AND new.probe_id = s.probe_id)
     )
     INSERT INTO session_probe_stats (session_id, probe_id, reading_count, temperature_sum_hundredths, min_temperature,
       min_at, max_temperature, max_at, avg_temperature, first_measured_at, last_measured_at)
     TABLE new
     ON CONFLICT (session_id, probe_id) DO UPDATE SET reading_count = excluded.reading_count,
       temperature_sum_hundredths = excluded.temperature_sum_hundredths, min_temperature = excluded.min_temperature,
       min_at = excluded.min_at, max_temperature = excluded.max_temperature, max_at = excluded.max_at,
       avg_temperature = excluded.avg_temperature, first_measured_at = excluded.first_measured_at,
       last_measured_at = excluded.last_measured_at`,
    [
      arrayOf(rows.map(({ id }) => id)),
      arrayOf(rows.map(({ probeId }) => probeId)),
      column(({ count }) => count),
      column(({ sumHundredths }) => sumHundredths),
      column(({ minHundredths }) => minHundredths / 100),
      column(({ minAtMs }) => minAtMs),
      column(({ maxHundredths }) => maxHundredths / 100),
      column(({ maxAtMs }) => maxAtMs),
      column(({ count, sumHundredths }) => sumHundredths / (count * 100)),
      column(({ firstMs }) => firstMs),
      column(({ lastMs }) => lastMs),
      arrayOf([...whole].map(({ id }) => id)),
    ],
  );
}

function losesRows({ stats }: Session, was: Session): boolean {
  for (const probeId of was.stats.keys()) if (!stats.has(probeId)) return true;
  return false;
}
