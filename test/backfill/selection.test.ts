import { expect } from 'chai';
import fc from 'fast-check';
import { inChunks, select, unknownOf } from '../../src/backfill/selection.js';
import type { JobSample } from '../../src/queues/jobs.js';
import type { Observation } from '../../src/readings/observation.js';
import type { ArchivedSamples, ArchiveRows } from '../../src/thermoworks/types.js';

const stored = (ms: number, hundredths: number, flags = 0): Observation => {
  return { probeId: 1, measuredAtMs: ms, hundredths, unit: 'F', flags };
};
const row = (ms: number, value: number, unit: 'F' | 'C' = 'F'): JobSample => [ms, value, unit, 48];
const samplesAt = (times: number[]): ArchivedSamples => ({
  times,
  values: times.map((ms) => ms / 10),
  units: times.map(() => 'F' as const),
  flags: times.map(() => 1),
});
const rowsOf = (probes: Record<string, number[]>): ArchiveRows => ({
  probes: new Map(Object.entries(probes).map(([channel, times]) => [channel, samplesAt(times)])),
  total: 0,
  bad: 0,
  isWhole: true,
});

describe('rows of an archive', () => {
  it('are those inside the windows of probes that are known, both ends included', () => {
    const rows = rowsOf({ '2': [1, 2, 3], '1': [1, 2, 3, 4, 5], '9': [2] });
    const parts = select(
      rows,
      new Map([
        ['1', 11],
        ['2', 12],
      ]),
      [
        { probe: 11, fromMs: 2, toMs: 3 },
        { probe: 11, fromMs: 5, toMs: 9 },
        { probe: 12, fromMs: 4, toMs: 9 },
        { probe: 13, fromMs: 0, toMs: 9 },
      ],
    );
    expect(parts.map(({ probe, from, to }) => [probe, from, to])).to.deep.equal([
      [11, 1, 3],
      [11, 4, 5],
    ]);
    const [chunk] = inChunks(parts, { done: 0, size: 9 });
    expect(chunk?.rows[0]?.samples).to.deep.equal([
      [2, 0.2, 'F', 49],
      [3, 0.3, 'F', 49],
    ]);
  });

  it('come in chunks of one size, each row once and in order, wherever it begins', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 7 }), fc.nat(30), (lengths, size, done) => {
        const parts = lengths.map((length, probe) => {
          return { probe, samples: samplesAt([0, ...Array(length).keys()]), from: 1, to: length + 1 };
        });
        const all = parts.flatMap(({ probe, samples }) =>
          samples.times.slice(1).map((ms) => `${probe} ${ms}`),
        );
        const chunks = [...inChunks(parts, { done, size })];
        const told = chunks.flatMap(({ rows }) =>
          rows.flatMap(({ probe, samples }) => samples.map(([ms]) => `${probe} ${ms}`)),
        );
        expect(told).to.deep.equal(all.slice(done));
        const sizes = chunks.map(({ rows }) => rows.reduce((sum, { samples }) => sum + samples.length, 0));
        expect(sizes.slice(0, -1).every((n) => n === size)).to.equal(true);
        expect(chunks.at(-1)?.done ?? all.length).to.equal(all.length);
      }),
    );
  });

  it('are known where a reading of that value was seen within a second', () => {
    const known = [stored(10_470, 7240), stored(20_000, 7240)];
    for (const [ms, value, unit, isKnown] of [
      [10_000, 72.4, 'F', true],
      [11_470, 72.4, 'F', true],
      [9_470, 72.4, 'F', true],
      [11_471, 72.4, 'F', false],
      [9_469, 72.4, 'F', false],
      [10_000, 72.41, 'F', false],
      [10_000, 72.4, 'C', false],
      [20_000, 72.4, 'F', true],
      // Of one time the first is kept.
      [20_000, 80, 'F', true],
    ] as const)
      expect(unknownOf([row(ms, value, unit)], known), `${ms} ${value} ${unit}`).to.have.length(
        isKnown ? 0 : 1,
      );
  });

  it('each need a reading of their own to be known, and none that an archive brought', () => {
    const same = [row(1000, 70), row(2000, 70), row(3000, 70)];
    expect(unknownOf(same, [stored(2000, 7000)])).to.deep.equal([row(1000, 70), row(3000, 70)]);
    expect(unknownOf(same, [stored(2500, 7000)])).to.have.length(2);
    expect(unknownOf(same, [stored(1500, 7000, 48)])).to.deep.equal(same);
    expect(
      unknownOf(
        same,
        same.map(([ms]) => stored(ms, 7000, 48)),
      ),
    ).to.deep.equal([]);
  });

  it('that are all unknown are none the second time', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { maxLength: 30 });
    fc.assert(
      fc.property(times, times, fc.integer({ min: 0, max: 2 }), (archived, live, spread) => {
        const degreesAt = (ms: number) => 70 + (ms % (spread + 1));
        const samples = archived.sort((a, b) => a - b).map((ms) => row(ms, degreesAt(ms)));
        const before = live.sort((a, b) => a - b).map((ms) => stored(ms, degreesAt(ms) * 100));
        const fresh = unknownOf(samples, before).filter(([ms]) => !live.includes(ms));
        const after = [...before, ...fresh.map(([ms, value]) => stored(ms, Number(value) * 100, 48))];
        after.sort((a, b) => a.measuredAtMs - b.measuredAtMs);
        expect(unknownOf(samples, after)).to.deep.equal([]);
      }),
    );
  });
});
