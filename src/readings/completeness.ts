import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { epochMs } from '../array-literal.js';

const DAY_MS = 24 * 3_600_000;

/** One probe on one day, as far as the day lies in the range and after the probe's first reading. */
export interface Completeness {
  /** `probes.id`. */
  probeId: number;
  /** UTC midnight. */
  dayMs: number;
  /** Null: nobody knows how often it measures. */
  expected: number | null;
  stored: number;
  /** Down to a tenth, so that 100 means that none is missing; null where nothing is expected. */
  percent: number | null;
}

const countRow = z.object({
  probe_id: z.number(),
  first_ms: z.number().nullable(),
  day: z.number().nullable(),
  stored: z.number().nullable(),
});

/**
 * How much of what each probe should have measured is stored, by probe and day. A probe without readings has no days.
 * One statement.
 * @param probes `intervalSeconds` null: not known
 */
export async function completeness(
  db: EntityManager,
  probes: readonly { id: number; intervalSeconds: number | null }[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<Completeness[]> {
  const rows: unknown = await db.query(
    `SELECT probe.id AS probe_id, first.ms AS first_ms, counted.day, counted.stored
     FROM unnest($1::integer[]) AS probe (id)
     CROSS JOIN LATERAL (SELECT ${epochMs('min(measured_at)')} AS ms FROM readings WHERE probe_id = probe.id) AS first
     LEFT JOIN LATERAL (
       SELECT floor(date_part('epoch', measured_at) / 86400)::integer AS day, count(*)::integer AS stored
       FROM readings WHERE probe_id = probe.id AND measured_at >= $2 AND measured_at < $3 GROUP BY 1
     ) AS counted ON true`,
    [probes.map(({ id }) => id), new Date(fromMs), new Date(toMs)],
  );
  const counted = z.array(countRow).parse(rows);
  return probes.flatMap(({ id, intervalSeconds }) => {
    const theirs = counted.filter(({ probe_id }) => probe_id === id);
    const stored = new Map(theirs.map((row) => [row.day, row.stored ?? 0]));
    const sinceMs = Math.max(fromMs, theirs[0]?.first_ms ?? toMs);
    return daysOf(sinceMs, toMs).map((dayMs): Completeness => {
      const lengthMs = Math.min(dayMs + DAY_MS, toMs) - Math.max(dayMs, sinceMs);
      return { probeId: id, dayMs, ...shareOf(stored.get(dayMs / DAY_MS) ?? 0, lengthMs, intervalSeconds) };
    });
  });
}

function daysOf(fromMs: number, toMs: number): number[] {
  const days: number[] = [];
  for (let ms = Math.floor(fromMs / DAY_MS) * DAY_MS; ms < toMs && fromMs < toMs; ms += DAY_MS) days.push(ms);
  return days;
}

function shareOf(stored: number, lengthMs: number, intervalSeconds: number | null) {
  if (intervalSeconds === null) return { expected: null, stored, percent: null };
  const expected = Math.round(lengthMs / (intervalSeconds * 1000));
  const percent = expected === 0 ? null : Math.min(100, Math.floor((1000 * stored) / expected) / 10);
  return { expected, stored, percent };
}
