import { expect } from 'chai';
import fc from 'fast-check';
import type { Observation } from '../../src/readings/observation.js';
import { FLAG } from '../../src/readings/sample.js';
import { convertHundredths } from '../../src/readings/temperature.js';
import {
  addReading,
  addToStats,
  countsIn,
  rebuildRollUps,
  sessionFigures,
} from '../../src/sessions/roll-up.js';
import type { ProbeStats, Session, SessionMember } from '../../src/sessions/types.js';

const member = (probeId: number, more: Partial<SessionMember> = {}): SessionMember => ({
  probeId,
  role: 'food',
  fromMs: null,
  toMs: null,
  ...more,
});

const session = (more: Partial<Session> = {}): Session => ({
  publicId: 's',
  id: 1,
  userId: 1,
  deviceId: 'D1',
  sessionType: 'manual',
  status: 'active',
  phase: 'active',
  endReason: null,
  startMs: 1000,
  endMs: null,
  lastReadingMs: null,
  temperatureUnit: 'F',
  members: [member(1), member(2)],
  stats: new Map(),
  rebuild: false,
  ...more,
});

const seen = (
  measuredAtMs: number,
  hundredths: number | null,
  more: Partial<Observation> = {},
): Observation => ({
  probeId: 1,
  measuredAtMs,
  hundredths,
  unit: 'F',
  flags: 0,
  ...more,
});

describe('addToStats', () => {
  it('keeps the earliest time of the least and the greatest value, in either order', () => {
    const readings = [5, 3, 9].map((measuredAtMs) => ({ measuredAtMs, hundredths: 700 }));
    const one = readings.reduce<ProbeStats | undefined>(addToStats, undefined);
    const other = readings.toReversed().reduce<ProbeStats | undefined>(addToStats, undefined);
    expect(one).to.deep.equal(other);
    expect(one).to.include({ count: 3, sumHundredths: 2100, minAtMs: 3, maxAtMs: 3, firstMs: 3, lastMs: 9 });
  });
});

describe('countsIn', () => {
  const closed = session({ endMs: 2000 });

  it('counts from the start to the end, both included', () => {
    expect([999, 1000, 2000, 2001].map((t) => countsIn(closed, seen(t, 1)))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    expect(countsIn(session(), seen(9e12, 1))).to.equal(true);
  });

  it("counts a member's readings while it is one, both bounds included", () => {
    const handedOver = session({ members: [member(1, { fromMs: 1200, toMs: 1500 })] });
    const counted = [1199, 1200, 1500, 1501].map((t) => countsIn(handedOver, seen(t, 1)));
    expect(counted).to.deep.equal([false, true, true, false]);
    expect(countsIn(handedOver, seen(1300, 1, { probeId: 2 }))).to.equal(false);
  });

  it('leaves out what is no temperature and what is not trusted', () => {
    expect(countsIn(closed, seen(1500, null))).to.equal(false);
    expect(countsIn(closed, seen(1500, 4000, { unit: 'H' }))).to.equal(false);
    const { suspect, stuck, skewed, estimatedTime, late, backfilled } = FLAG;
    const counts = (flags: number) => countsIn(closed, seen(1500, 4000, { flags }));
    expect([suspect, stuck, skewed, suspect | late].map(counts)).to.not.include(true);
    expect([estimatedTime, late, backfilled, late | backfilled].map(counts)).to.not.include(false);
  });
});

describe('addReading', () => {
  it("adds in the session's unit and remembers the newest reading", () => {
    const added = [seen(1500, 10_000, { unit: 'C' }), seen(1200, 21_300)].reduce(addReading, session());
    expect(added.stats.get(1)).to.include({ count: 2, sumHundredths: 21_200 + 21_300, firstMs: 1200 });
    expect(added.lastReadingMs).to.equal(1500);
  });

  it('adds a late reading to a session that ended', () => {
    const ended = session({ status: 'completed', phase: 'ended', endMs: 2000, lastReadingMs: 1900 });
    const added = addReading(ended, seen(1500, 100, { flags: FLAG.late }));
    expect(added.stats.get(1)?.count).to.equal(1);
    expect(added.lastReadingMs).to.equal(1900);
  });

  it('leaves alone what does not count, what waits to be rebuilt, and its argument', () => {
    const open = session();
    expect(addReading(open, seen(999, 100))).to.equal(open);
    const waiting = session({ rebuild: true });
    expect(addReading(waiting, seen(1500, 100))).to.equal(waiting);
    addReading(open, seen(1500, 100));
    expect(open.stats.size).to.equal(0);
  });
});

describe('rebuildRollUps', () => {
  const rows = [seen(1100, 500), seen(1300, 700, { probeId: 2 }), seen(1200, 600, { probeId: 2 })];
  const members = [member(1), member(2, { role: 'pit' })];

  it('forgets what was, and computes the same as adding one by one', () => {
    const stale = rows.reduce(addReading, session());
    const rebuilt = rebuildRollUps({ ...stale, rebuild: true, lastReadingMs: 9999 }, rows);
    expect(rebuilt).to.deep.equal({ ...stale, rebuild: false });
  });

  it('moves the start of an automatic session up to the first reading of what began it', () => {
    const begun = session({ sessionType: 'auto', startedBy: 2, members, rebuild: true });
    const rebuilt = rebuildRollUps(begun, rows);
    expect(rebuilt.startMs).to.equal(1200);
    expect([...rebuilt.stats.keys()]).to.deep.equal([2]);
    expect(rebuildRollUps(rebuilt, rows)).to.deep.equal(rebuilt);
  });

  it('without one of that takes the first of any member; a manual session keeps its start', () => {
    const foodOnly = rebuildRollUps(session({ sessionType: 'auto', rebuild: true }), rows);
    expect(foodOnly.startMs).to.equal(1100);
    expect(rebuildRollUps(session({ sessionType: 'auto', rebuild: true }), []).startMs).to.equal(1000);
    expect(rebuildRollUps(session({ members, rebuild: true }), rows).startMs).to.equal(1000);
  });
});

describe('sessionFigures', () => {
  it('covers the readings of all members, and is null without any', () => {
    const figures = sessionFigures(
      [seen(1100, 101), seen(1200, 102, { probeId: 2 })].reduce(addReading, session()),
    );
    expect(figures).to.deep.equal({ readingCount: 2, min: 1.01, max: 1.02, avg: 1.015 });
    expect(sessionFigures(session())).to.deep.equal({ readingCount: 0, min: null, max: null, avg: null });
  });

  it('is the plain computation to the last bit, in any order and batching, repeats left out', () => {
    const reading = fc.record({
      probeId: fc.integer({ min: 1, max: 3 }),
      measuredAtMs: fc.integer({ min: 900, max: 2100 }),
      hundredths: fc.integer({ min: -10_000, max: 60_000 }),
      unit: fc.constantFrom('F' as const, 'C' as const, 'H' as const),
      flags: fc.constantFrom(0, FLAG.late, FLAG.suspect),
    });
    const key = ({ probeId, measuredAtMs }: Observation) => `${probeId} ${measuredAtMs}`;
    const rows = fc.uniqueArray(reading, { selector: key, maxLength: 60 });
    const arrival = rows.chain((stored) =>
      fc.tuple(
        fc.constant(stored),
        fc.shuffledSubarray(stored, { minLength: stored.length }),
        fc.array(fc.nat(stored.length), { maxLength: 20 }),
        fc.nat(stored.length),
      ),
    );
    const cook = session({ endMs: 2000, temperatureUnit: 'C' });
    fc.assert(
      fc.property(arrival, ([stored, shuffled, repeats, rebuiltAfter]) => {
        const delivered = [...shuffled];
        for (const index of repeats) delivered.splice(index, 0, ...shuffled.slice(index, index + 1));
        const known = new Map(delivered.map((row) => [key(row), row]));
        const fresh = [...known.values()];
        // A rebuild from what is stored so far is one more way to batch.
        const half = rebuildRollUps({ ...cook, rebuild: true }, fresh.slice(0, rebuiltAfter));
        const rolled = fresh.slice(rebuiltAfter).reduce(addReading, half);
        expect(sessionFigures(rolled)).to.deep.equal(plainFigures(stored));
        const whole = rebuildRollUps(cook, stored.toReversed());
        expect([...whole.stats].sort()).to.deep.equal([...rolled.stats].sort());
      }),
      { numRuns: 200 },
    );
  });
});

/** As a person would write it, for members 1 and 2 from 1000 to 2000 ms, in °C. */
function plainFigures(rows: Observation[]) {
  const values: number[] = [];
  for (const { probeId, measuredAtMs, hundredths, unit, flags } of rows) {
    if (probeId > 2 || measuredAtMs < 1000 || measuredAtMs > 2000) continue;
    if (hundredths === null || unit === 'H' || flags === FLAG.suspect) continue;
    values.push(convertHundredths(hundredths, unit, 'C'));
  }
  const readingCount = values.length;
  if (readingCount === 0) return { readingCount, min: null, max: null, avg: null };
  const sum = values.reduce((total, value) => total + value, 0);
  const [min, max] = [Math.min(...values) / 100, Math.max(...values) / 100];
  return { readingCount, min, max, avg: sum / (readingCount * 100) };
}
