import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { toHundredths } from './sample.js';
import { convertHundredths, type TemperatureUnit } from './temperature.js';

/** Where a probe's values should be, limits included, in hundredths of `unit`; null: that side is open. */
export interface TemperatureRange {
  min: number | null;
  max: number | null;
  unit: TemperatureUnit;
}

/** Of a value in its own unit: it is converted, the limit never. */
export function sideOf(range: TemperatureRange, hundredths: number, unit: TemperatureUnit): Side {
  const value = convertHundredths(hundredths, unit, range.unit);
  if (range.min !== null && value < range.min) return 'below';
  return range.max !== null && value > range.max ? 'above' : 'in';
}
export type Side = 'below' | 'in' | 'above';

const rangeRows = z.array(
  z.object({
    id: z.number(),
    min_temperature: z.number().nullable(),
    max_temperature: z.number().nullable(),
    temperature_unit: z.enum(['F', 'C']),
  }),
);

/** Those that users set, by `probes.id`. */
export async function loadRanges(
  db: EntityManager,
  probeIds: readonly number[],
): Promise<Map<number, TemperatureRange>> {
  const rows: unknown = await db.query(
    `SELECT id, min_temperature, max_temperature, temperature_unit FROM probes
     WHERE id = ANY($1) AND temperature_unit IS NOT NULL`,
    [probeIds],
  );
  const limit = (value: number | null) => (value === null ? null : toHundredths(value));
  return new Map(
    rangeRows.parse(rows).map((row) => {
      const range = { min: limit(row.min_temperature), max: limit(row.max_temperature) };
      return [row.id, { ...range, unit: row.temperature_unit }];
    }),
  );
}
