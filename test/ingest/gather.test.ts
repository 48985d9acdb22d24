import { expect } from 'chai';
import { gather, inputsByDevice, toReadings } from '../../src/ingest/gather.js';
import type { IngestWorld, ProbeState } from '../../src/ingest/types.js';
import { FLAG } from '../../src/readings/sample.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import { type Home, job, T0 } from './household.js';

const HOME: Home = { userId: 1, device: 10, deviceId: 'M1', probes: [100, 101] };
const OTHER: Home = { userId: 2, device: 9, deviceId: 'M2', probes: [90] };

function worldOf({ device, deviceId, userId, probes }: Home, lastMs: number | null = null): IngestWorld {
  const state = (id: number): ProbeState => ({
    id,
    lastMs,
    lastHundredths: null,
    lastUnit: null,
    condition: 'ok',
    conditionMs: null,
    learnedIntervalSeconds: null,
  });
  return {
    sessions: {
      device: { id: device, deviceId, userId, type: null, model: null, temperatureUnit: 'F', probes: [] },
      detection: emptyDetection(),
      sessions: [],
    },
    statedIntervalSeconds: null,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map(probes.map((id) => [id, state(id)])),
    alerts: new Map(),
  };
}

describe('gather', () => {
  it('takes each probe and time once, the first value, and counts another one as a conflict', () => {
    const { samples, conflicts } = gather(
      [
        job(HOME, [
          [T0, 36.9],
          [T0 + 1, 1],
        ]),
        job(HOME, [
          [T0, 36.900001525878906],
          [T0, 37],
          [T0 + 1, 1, 'C'],
        ]),
      ],
      [],
    );
    expect(samples.get(100)?.size).to.equal(2);
    expect([samples.get(100)?.get(T0)?.[1], samples.get(100)?.get(T0 + 1)?.[2]]).to.deep.equal([36.9, 'F']);
    expect(conflicts).to.equal(2);
  });

  it('prefers a value to its absence at the same time, in any order', () => {
    const [value, absence] = [job(HOME, [[T0, 50]]), job(HOME, [[T0, 'absent']])];
    for (const jobs of [
      [value, absence],
      [absence, value],
    ]) {
      const { samples, conflicts } = gather(jobs, []);
      expect([samples.get(100)?.get(T0)?.[1], conflicts]).to.deep.equal([50, 0]);
    }
  });

  it('names devices in order and the oldest time of all', () => {
    const batch = gather(
      [job(HOME, [[T0, 1]]), job(OTHER, [[T0 - 5, 'absent']])],
      [{ device: 11, nowMs: T0 - 7 }],
    );
    expect(batch.deviceRows).to.deep.equal([9, 10, 11]);
    expect(batch.fromMs).to.equal(T0 - 7);
  });

  it('marks what is not newer than the stored as late, and stores no absence', () => {
    const batch = gather(
      [
        job(
          HOME,
          [
            [T0, 1.005],
            [T0 + 1, 2, 'C', FLAG.suspect],
          ],
          [[T0, 'absent']],
        ),
      ],
      [],
    );
    expect(toReadings(batch, new Map([[10, worldOf(HOME, T0)]]))).to.deep.equal({
      readings: [
        { probeId: 100, measuredAtMs: T0, value: 1.01, unit: 'F', flags: FLAG.late },
        { probeId: 100, measuredAtMs: T0 + 1, value: 2, unit: 'C', flags: FLAG.suspect },
      ],
      unknownProbe: 0,
    });
  });

  it('stores nothing for a probe that is gone or of another device', () => {
    const batch = gather(
      [
        job(
          { ...HOME, probes: [100, 90] },
          [[T0, 1]],
          [
            [T0, 2],
            [T0 + 1, 3],
          ],
        ),
      ],
      [],
    );
    const { readings, unknownProbe } = toReadings(batch, new Map([[10, worldOf(HOME)]]));
    expect([readings.map(({ probeId }) => probeId), unknownProbe]).to.deep.equal([[100], 2]);
    expect(toReadings(batch, new Map()).unknownProbe).to.equal(3);
  });

  it('gives each device what was new by time and then by probe, absences too, a moment last', () => {
    const jobs = [
      job(
        HOME,
        [],
        [
          [T0, 3],
          [T0 - 1, 4],
        ],
      ),
      job(HOME, [
        [T0 + 1, 'absent'],
        [T0, 1],
        [T0 - 2, 2],
      ]),
    ];
    const batch = gather(jobs, [{ device: 10, nowMs: T0 }]);
    const fresh = new Set([`100 ${T0}`, `101 ${T0}`, `101 ${T0 - 1}`]);
    expect(
      inputsByDevice(batch, fresh)
        .get(10)
        ?.map((input) =>
          !('probeId' in input)
            ? Object.values(input)
            : [input.probeId, input.measuredAtMs - T0, input.hundredths],
        ),
    ).to.deep.equal([[101, -1, 400], [100, 0, 100], [101, 0, 300], [100, 1, null], [T0]]);
  });
});
