import fc from 'fast-check';
import { FLAG, UNTRUSTED, type Unit } from '../../src/readings/sample.js';
import { MINUTE, T0 } from './household.js';

/** One reading of probe number `probe` (from 0). */
export interface Taken {
  probe: number;
  ms: number;
  hundredths: number;
  unit: Unit;
  flags: number;
}

/** What a session must say of a probe: all times epoch ms, temperatures in the session's unit. */
export interface PlainStats {
  count: number;
  sumHundredths: number;
  min: number;
  minAtMs: number;
  max: number;
  maxAtMs: number;
  avg: number;
  firstMs: number;
  lastMs: number;
}

/** Nearest integer of a fraction, half away from zero. */
function nearest(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * size + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}

function converted(hundredths: number, from: 'F' | 'C', to: 'F' | 'C'): bigint {
  const h = BigInt(hundredths);
  if (from === to) return h;
  return from === 'C' ? nearest(9n * h + 16_000n, 5n) : nearest(5n * (h - 3_200n), 9n);
}

/** The definition, on one list: no order, no batches, no increments. Undefined without readings. */
export function plainStats(
  readings: readonly Taken[],
  { unit, fromMs, toMs }: { unit: 'F' | 'C'; fromMs: number; toMs: number },
): PlainStats | undefined {
  const counted = readings
    .filter(({ ms, flags }) => ms >= fromMs && ms <= toMs && (flags & UNTRUSTED) === 0)
    .flatMap(({ ms, hundredths, unit: own }) =>
      own === 'H' ? [] : [{ ms, h: converted(hundredths, own, unit) }],
    )
    .sort((a, b) => a.ms - b.ms);
  const [first] = counted;
  const last = counted.at(-1);
  if (!first || !last) return undefined;
  const sum = counted.reduce((total, { h }) => total + h, 0n);
  const min = counted.reduce((least, one) => (one.h < least.h ? one : least));
  const max = counted.reduce((most, one) => (one.h > most.h ? one : most));
  return {
    count: counted.length,
    sumHundredths: Number(sum),
    min: Number(min.h) / 100,
    minAtMs: min.ms,
    max: Number(max.h) / 100,
    maxAtMs: max.ms,
    avg: Number(sum) / (counted.length * 100),
    firstMs: first.ms,
    lastMs: last.ms,
  };
}

/** Any readings of `probes` probes in the 100 minutes around an hour that begins at T0: each (probe, time) once. */
export function takenReadings(probes: number, { maxLength }: { maxLength: number }): fc.Arbitrary<Taken[]> {
  const taken: fc.Arbitrary<Taken> = fc.record({
    probe: fc.integer({ min: 0, max: probes - 1 }),
    ms: fc.oneof(
      fc.integer({ min: T0 - 20 * MINUTE, max: T0 + 80 * MINUTE }),
      fc.constantFrom(T0 - 1, T0, T0 + 1, T0 + 60 * MINUTE - 1, T0 + 60 * MINUTE, T0 + 60 * MINUTE + 1),
    ),
    hundredths: fc.integer({ min: -30_000, max: 60_000 }),
    unit: fc.constantFrom<Unit>('F', 'C', 'F', 'C', 'H'),
    flags: fc.constantFrom(0, 0, 0, 0, FLAG.estimatedTime, FLAG.suspect, FLAG.stuck, FLAG.skewed),
  });
  const selector = ({ probe, ms }: Taken) => `${probe} ${ms}`;
  return fc.uniqueArray(taken, { minLength: 1, maxLength, selector });
}

/** Readings as they may arrive: in any order, some again, cut into batches of jobs. */
export function arrivals(taken: fc.Arbitrary<Taken[]>): fc.Arbitrary<{ all: Taken[]; batches: Taken[][][] }> {
  const cuts = fc.array(
    fc.record({ jobs: fc.integer({ min: 1, max: 3 }), size: fc.integer({ min: 1, max: 7 }) }),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  return taken.chain((all) =>
    fc
      .subarray(all)
      .chain((again) => {
        const sent = [...all, ...again];
        return fc.shuffledSubarray(sent, { minLength: sent.length, maxLength: sent.length });
      })
      .chain((sent) => cuts.map((given) => ({ all, batches: cut(sent, given) }))),
  );
}

function cut(sent: Taken[], cuts: { jobs: number; size: number }[]): Taken[][][] {
  const batches: Taken[][][] = [];
  let from = 0;
  for (let i = 0; from < sent.length; i++) {
    const { jobs, size } = cuts[i % cuts.length] ?? { jobs: 1, size: 1 };
    const batch: Taken[][] = [];
    for (let j = 0; j < jobs && from < sent.length; j++, from += size)
      batch.push(sent.slice(from, from + size));
    batches.push(batch);
  }
  return batches;
}
