import { expect } from 'chai';
import { JOB_SCHEMAS, notificationJobId, readingsJobId } from '../../src/queues/jobs.js';
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
  const fits = (change: object) => JOB_SCHEMAS.readings.safeParse({ ...JOB, ...change }).success;
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

  it('have no colon and are not only digits, which BullMQ refuses', () => {
    for (const id of [readingsJobId(JOB), notificationJobId('0199a1c2-0000-7000-8000-000000000000', T0)])
      expect(id).to.match(/^[a-z]+-[^:]+$/);
  });
});
