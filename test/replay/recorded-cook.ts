import fc from 'fast-check';
import { dropout, meat, pit, T0, unplugged } from '../support/traces.js';

/** What a probe showed, as it is written down: `value` empty for an absent probe. */
export interface Shown {
  probe: '1' | '2';
  ms: number;
  value: string;
  unit: 'F' | 'C';
}

const HEADER = 'device_id,probe_id,measured_at,value,unit,role,battery';
export const ROLES = { 1: 'pit', 2: 'food' } as const;

/** What the device says of its battery with a row: a percent less every six minutes, charged at once when it is at 10. */
export function batteryAt(ms: number): number {
  return 100 - (Math.floor((ms - T0) / 360_000) % 91);
}

/** @param roles by probe; by default those that the user set */
export function csvOf(rows: readonly Shown[], roles: { 1: string; 2: string } = ROLES): string {
  const lines = rows.map(({ probe, ms, value, unit }) =>
    ['D1', probe, new Date(ms).toISOString(), value, unit, roles[probe], batteryAt(ms)].join(),
  );
  return `${[HEADER, ...lines].join('\n')}\n`;
}

const MINUTES = { min: 0, max: 700 };

/** Some hours of a pit and of meat in it: lit twice at most, out of reach and unplugged now and then. */
export const cooks: fc.Arbitrary<Shown[]> = fc
  .record({
    everyMinutes: fc.constantFrom(2, 4, 7),
    minutes: fc.integer({ min: 60, max: 900 }),
    on: fc.integer({ min: 5, max: 60 }),
    length: fc.integer({ min: 10, max: 300 }),
    again: fc.integer({ min: 60, max: 400 }),
    level: fc.integer({ min: 60, max: 140 }),
    wobble: fc.constantFrom(1, 4, 12),
    done: fc.integer({ min: 30, max: 99 }),
    units: fc.tuple(fc.constantFrom<'F' | 'C'>('F', 'C'), fc.constantFrom<'F' | 'C'>('F', 'C')),
    lost: fc.tuple(fc.integer(MINUTES), fc.constantFrom(0, 8, 15, 45, 130, 200, 380)),
    pulled: fc.tuple(fc.integer(MINUTES), fc.constantFrom(0, 4, 12, 45)),
  })
  .map(({ everyMinutes, minutes, on, length, again, level, wobble, done, units, lost, pulled }) => {
    const first = pit({ on, off: on + length, level, wobble });
    const second = pit({ on: on + length + again, off: on + 2 * length + again, level });
    const fire = (minute: number) => Math.max(first(minute), second(minute));
    const food = meat([0, 4], [on, 4], [on + length, done], [on + length + 200, 20]);
    const [from, until] = [lost[0], lost[0] + lost[1]];
    const curves = {
      1: dropout(fire, from, until),
      2: dropout(unplugged(food, pulled[0], pulled[0] + pulled[1]), from, until),
    };
    const rows: Shown[] = [];
    for (let minute = 0; minute <= minutes; minute += everyMinutes) {
      for (const probe of ['1', '2'] as const) {
        const celsius = curves[probe](minute);
        if (celsius === undefined) continue;
        const unit = units[probe === '1' ? 0 : 1];
        const shown = celsius === null ? '' : (unit === 'C' ? celsius : celsius * 1.8 + 32).toFixed(2);
        rows.push({ probe, ms: T0 + minute * 60_000, value: shown, unit });
      }
    }
    return rows;
  })
  .filter((rows) => rows.length > 0);

const MOST_BATCHES = 12;

/** Cut into batches, each of some rows that arrive together; about a dozen at most. */
function inBatches(rows: readonly Shown[], sizes: readonly number[]): Shown[][] {
  const together = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const factor = Math.max(1, Math.floor(rows.length / (MOST_BATCHES * together)));
  const batches: Shown[][] = [];
  for (let from = 0, i = 0; from < rows.length; i++) {
    const size = factor * (sizes[i % sizes.length] ?? 1);
    batches.push(rows.slice(from, from + size));
    from += size;
  }
  return batches;
}

const sizes = fc.array(fc.constantFrom(1, 2, 5, 20, 100), { minLength: 1, maxLength: 6 });

/** A cook in order of time, in batches of any size. */
export const inOrder = fc.tuple(cooks, sizes).map(([rows, cuts]) => inBatches(rows, cuts));

/** The same with rows that come late, twice, or again with another value. */
export const outOfOrder = fc
  .tuple(
    cooks,
    sizes,
    fc.array(
      fc.record({
        at: fc.nat(),
        by: fc.integer({ min: 1, max: 40 }),
        change: fc.constantFrom('late', 'again', 'other'),
      }),
      { minLength: 10, maxLength: 40 },
    ),
  )
  .map(([cook, cuts, changes]) => {
    const rows = [...cook];
    for (const { at, by, change } of changes) {
      const from = at % rows.length;
      const row = rows[from];
      if (!row) continue;
      if (change === 'late') rows.splice(from, 1);
      const value = change === 'other' && row.value !== '' ? '55.55' : row.value;
      rows.splice(Math.min(from + by, rows.length), 0, { ...row, value });
    }
    return inBatches(rows, cuts);
  });
