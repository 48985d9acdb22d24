import { expect } from 'chai';
import fc from 'fast-check';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import { cooks, csvOf, type Shown } from './recorded-cook.js';

const HOUR = 3_600_000;

/** The same rows in an order of arrival that goes wrong here and there, or everywhere. */
const disordered = fc
  .tuple(
    cooks,
    fc.oneof(
      fc.record({
        far: fc.constantFrom(1, 5, 50, 400),
        moves: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
      }),
      fc.constant('by probe' as const),
      fc.infiniteStream(fc.nat()),
    ),
  )
  .map(([rows, how]) => ({ rows, arrived: arrange(rows, how) }));

function arrange(
  rows: readonly Shown[],
  how: 'by probe' | { far: number; moves: number[] } | Iterable<number>,
): Shown[] {
  if (how === 'by probe') return rows.toSorted((a, b) => b.probe.localeCompare(a.probe) || a.ms - b.ms);
  if ('moves' in how) {
    const arrived = [...rows];
    for (const move of how.moves) {
      const [row] = arrived.splice(move % arrived.length, 1);
      if (row) arrived.splice((move % arrived.length) + how.far, 0, row);
    }
    return arrived;
  }
  const keys = how[Symbol.iterator]();
  const keyed = rows.map((row) => ({ row, key: Number(keys.next().value) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ row }) => row);
}

const roles = fc.constantFrom({ 1: 'pit', 2: 'food' }, { 1: '', 2: '' }, { 1: 'other', 2: 'food' });
type Roles = { 1: string; 2: string };

function sessionsOf(rows: readonly Shown[], given: Roles, untilMs: number) {
  const { sessions } = replay(parseTrace(Buffer.from(csvOf(rows, given))), { untilMs });
  return sessions.filter(({ status }) => status !== 'cancelled');
}

describe('the sessions of a device', () => {
  it('are the same in whatever order its readings arrive', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(disordered, roles, ({ rows, arrived }, given) => {
        const untilMs = Math.max(...rows.map(({ ms }) => ms)) + 12 * HOUR;
        expect(sessionsOf(arrived, given, untilMs)).to.deep.equal(sessionsOf(rows, given, untilMs));
      }),
      { numRuns: 6, seed: 3, endOnFailure: true },
    );
  });
});
