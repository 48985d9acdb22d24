import { expect } from 'chai';
import fc from 'fast-check';
import {
  isPlainReadingsJob,
  JOB_SCHEMAS,
  type JobBattery,
  notificationJobId,
  readingsJobId,
} from '../../src/queues/jobs.js';
import { job, T0 } from '../ingest/household.js';

const HOME = { userId: 1, device: 10, deviceId: 'M1', probes: [100, 101] };
const JOB = job(
  HOME,
  [
    [T0, 203.2],
    [T0 + 1, 'absent'],
  ],
  [[T0 + 2, 45, 'H', 1]],
);

describe('job data', () => {
  const fits = (change: object) => {
    const data: unknown = { ...JOB, ...change };
    const { success, data: parsed } = JOB_SCHEMAS.readings.safeParse(data);
    if (isPlainReadingsJob(data)) expect(parsed, 'taken without the schema').to.deep.equal(data);
    return success;
  };
  const sampleFits = (...sample: unknown[]) => fits({ probes: [{ device: 1, probe: 1, samples: [sample] }] });

  it('of readings come through JSON as they are', () => {
    expect(JOB_SCHEMAS.readings.parse(JSON.parse(JSON.stringify(JOB)))).to.deep.equal(JOB);
  });

  it('of readings are refused where they are not as agreed', () => {
    expect(fits({})).to.equal(true);
    expect([fits({ version: 2 }), fits({ account: 0 }), fits({ probes: [] })]).to.deep.equal([
      false,
      false,
      false,
    ]);
    expect(fits({ probes: [{ device: 1, probe: 1, samples: [] }] })).to.equal(false);
    expect(sampleFits(T0, 1, 'F', 0)).to.equal(true);
    for (const sample of [
      [T0 + 0.5, 1, 'F', 0],
      [new Date(T0).toISOString(), 1, 'F', 0],
      [-1, 1, 'F', 0],
      [T0, Number.NaN, 'F', 0],
      [T0, Number.POSITIVE_INFINITY, 'F', 0],
      [T0, 1e39, 'F', 0],
      [T0, '1', 'F', 0],
      [T0, 'ok', 'F', 0],
      [T0, null, 'F', 0],
      [T0, 1, 'K', 0],
      [T0, 1, 'F', 40_000],
      [T0, 1, 'F'],
    ])
      expect(sampleFits(...sample), JSON.stringify(sample)).to.equal(false);
  });

  it('of readings are taken without the schema only where it takes them as they are', () => {
    expect(
      isPlainReadingsJob({ ...JOB, probes: [{ device: 1, probe: 2, samples: [[T0, 1.5, 'C', 32]] }] }),
    ).to.equal(true);
    const odd = fc.oneof(
      fc.anything(),
      fc.double(),
      fc.integer(),
      fc.constantFrom(0, -0, 2 ** 53, 8.64e15, 3.5e38, 'F'),
    );
    const sample = fc.tuple(
      fc.oneof(fc.nat(), odd),
      fc.oneof(fc.double(), odd),
      fc.constantFrom('F', 'C', 'K', 7),
      fc.nat(40_000),
    );
    const part = fc.record({
      device: fc.oneof(fc.nat(), odd),
      probe: fc.nat(),
      samples: fc.array(fc.oneof(sample, odd)),
    });
    const change = fc.record(
      {
        version: fc.constantFrom(1, 2, '1'),
        account: fc.oneof(fc.nat(), odd),
        previousPollMs: fc.oneof(fc.constant(null), fc.integer(), odd),
        failedBetween: fc.oneof(fc.boolean(), odd),
        probes: fc.oneof(fc.array(part), odd),
        batteries: fc.oneof(
          fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(120), fc.option(fc.boolean()))),
          odd,
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(change, (one) => void fits(one)),
      { numRuns: 2_000 },
    );
  });

  it('of the other queues are an id and a time', () => {
    const id = '0199a1c2-0000-7000-8000-000000000000';
    expect(JOB_SCHEMAS.notifications.safeParse({ notificationId: id }).success).to.equal(true);
    expect(JOB_SCHEMAS.notifications.safeParse({ notificationId: '1' }).success).to.equal(false);
    expect(JOB_SCHEMAS.maintenance.safeParse({ tick: '2026-11-21T12:00:00.000Z' }).success).to.equal(true);
    expect(JOB_SCHEMAS.maintenance.safeParse({ tick: 'now' }).success).to.equal(false);
  });
});

describe('job ids', () => {
  it('name the cause: the same news have the same id, any others another', () => {
    const id = readingsJobId(JOB);
    expect(id).to.equal(readingsJobId(structuredClone(JOB)));
    expect(id).to.match(new RegExp(`^ing-1-${T0 + 2}-[0-9a-f]{16}$`));
    const others = [
      { ...JOB, account: 2 },
      job(
        HOME,
        [
          [T0, 203.3],
          [T0 + 1, 'absent'],
        ],
        [[T0 + 2, 45, 'H', 1]],
      ),
      job(
        HOME,
        [
          [T0, 203.2],
          [T0 + 1, 'fault'],
        ],
        [[T0 + 2, 45, 'H', 1]],
      ),
    ].map(readingsJobId);
    expect(new Set([id, ...others]).size).to.equal(4);
  });

  it('name a battery too, and leave those of readings as they were', () => {
    const low = { ...JOB, probes: [], batteries: [[1, T0, 20, null] satisfies JobBattery] };
    const ids = [low, { ...low, batteries: [[1, T0, 19, null] satisfies JobBattery] }, JOB].map(
      readingsJobId,
    );
    expect(ids[0]).to.match(new RegExp(`^ing-1-${T0}-[0-9a-f]{16}$`));
    expect(new Set(ids).size).to.equal(3);
    expect(readingsJobId({ ...JOB, batteries: [] })).to.equal(readingsJobId(JOB));
  });

  it('have no colon and are not only digits, which BullMQ refuses', () => {
    for (const id of [readingsJobId(JOB), notificationJobId('0199a1c2-0000-7000-8000-000000000000', T0)])
      expect(id).to.match(/^[a-z]+-[^:]+$/);
  });
});
