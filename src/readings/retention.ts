import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';
import { sqlStateOf } from '../errors.js';

export const DAY_MS = 24 * 3_600_000;

/** A month of readings, and whether it goes: all of it is old, and no session that counts has readings in it. */
export interface Month {
  partition: string;
  fromMs: number;
  toMs: number;
  /** As PostgreSQL last counted, else counted now. */
  rows: number;
  /** With indexes. */
  bytes: number;
  fate: 'drop' | 'keep';
  why: 'older than the retention' | 'younger than the retention' | 'readings of a session';
}

const monthRows = z.array(
  z.object({
    partition: z.string(),
    fromMs: z.number(),
    toMs: z.number(),
    rows: z.number(),
    bytes: z.number(),
    isHeld: z.boolean().nullable(),
  }),
);

/** The months there are, by time. @param keptFrom what was measured before may go */
export async function listMonths(db: EntityManager, keptFrom: Date): Promise<Month[]> {
  const rows: unknown = await db.query(
    `SELECT partition, ${epochMs('from_at')} AS "fromMs", ${epochMs('to_at')} AS "toMs", bytes,
       CASE WHEN estimate >= 0 THEN estimate ELSE
         (SELECT count(*) FROM readings WHERE measured_at >= from_at AND measured_at < to_at) END::float8 AS rows,
       CASE WHEN to_at <= $1 THEN holds_session_readings(from_at, to_at) END AS "isHeld"
     FROM (
       SELECT relname AS partition, reltuples AS estimate, pg_total_relation_size(c.oid)::float8 AS bytes,
         month AT TIME ZONE 'UTC' AS from_at, (month + interval '1 month') AT TIME ZONE 'UTC' AS to_at
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
         LATERAL (SELECT to_timestamp(substr(relname, 10), 'YYYY_MM')::timestamp AS month) m
       WHERE i.inhparent = 'readings'::regclass AND relname ~ '^readings_\\d{4}_\\d{2}$'
     ) months ORDER BY 1`,
    [keptFrom],
  );
  return monthRows.parse(rows).map(({ isHeld, ...month }): Month => {
    if (isHeld === null) return { ...month, fate: 'keep', why: 'younger than the retention' };
    return isHeld
      ? { ...month, fate: 'keep', why: 'readings of a session' }
      : { ...month, fate: 'drop', why: 'older than the retention' };
  });
}

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Drops the months that may go, each in a transaction of its own; one that is too busy is left for the next time.
 * @returns those that are gone
 */
export async function dropOldMonths(dataSource: DataSource, keptFrom: Date): Promise<Month[]> {
  const gone: Month[] = [];
  for (const month of await listMonths(dataSource.manager, keptFrom)) {
    if (month.fate === 'drop' && (await dropMonth(dataSource, month, keptFrom))) gone.push(month);
  }
  return gone;
}

async function dropMonth(dataSource: DataSource, { fromMs }: Month, keptFrom: Date): Promise<boolean> {
  try {
    return await dataSource.transaction(async (tx) => {
      await tx.query('SET LOCAL statement_timeout = 0');
      const [row] = await tx.query<{ is_gone: boolean }[]>(
        'SELECT drop_readings_partition($1, $2) AS is_gone',
        [new Date(fromMs), keptFrom],
      );
      return row?.is_gone === true;
    });
  } catch (error) {
    if (sqlStateOf(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

/** From when on readings are kept at least. */
export const keptSince = (now: Date, retentionDays: number): Date =>
  new Date(now.getTime() - retentionDays * DAY_MS);
