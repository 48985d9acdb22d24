import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { createIngest } from '../../src/ingest/ingest.js';
import { addAlert, addHome, job, MINUTE, openDatabase, T0 } from './household.js';

const RANGE = { type: 'range', temperatureUnit: 'C', minTemperature: 0, maxTemperature: 10 } as const;
const TARGET = { type: 'target', temperatureUnit: 'C', targetTemperature: 12 } as const;

describe('the states of alerts that rest', () => {
  let db: DataSource;
  let close: () => Promise<void>;

  before(async () => {
    ({ db, close } = await openDatabase());
  });
  after(() => close());

  async function watched() {
    const home = await addHome(db, { device: { transmitIntervalSeconds: 60 }, probes: [{ role: 'food' }] });
    const range = await addAlert(db, home, { ...RANGE, holdSeconds: 120, recoverySeconds: 120 });
    const target = await addAlert(db, home, { ...TARGET });
    const ingest = createIngest({ dataSource: db });
    const values = (from: number, list: readonly number[]) =>
      ingest([
        job(
          home,
          list.map((value, i): [number, number, 'C'] => [T0 + (from + i) * MINUTE, value, 'C']),
        ),
      ]);
    const rows = () =>
      db.query<{ xmin: string; phase: string; evaluated: number }[]>(
        `SELECT xmin::text, phase, extract(epoch FROM evaluated_at)::integer AS evaluated
         FROM alert_states WHERE alert_id = ANY($1) ORDER BY alert_id, side`,
        [[range, target]],
      );
    const events = () =>
      db.query<unknown[]>(
        `SELECT alert_id = $2 AS target, kind, side, version, value, measured_at, duration_seconds, extreme
         FROM alert_events WHERE alert_id = ANY($1) ORDER BY alert_id, side, version`,
        [[range, target], target],
      );
    return { values, rows, events };
  }

  it('are written when they are seen first, and then only when there is news of them', async () => {
    const { values, rows } = await watched();
    await values(0, [5]);
    const first = await rows();
    expect(first.map(({ evaluated }) => evaluated)).to.deep.equal(Array(3).fill(T0 / 1000));
    await values(1, [6, 7, 8]);
    expect(await rows()).to.deep.equal(first);
    await values(4, [11]);
    const [high, low, up] = await rows();
    expect([high?.phase, high?.evaluated]).to.deep.equal(['pending', (T0 + 4 * MINUTE) / 1000]);
    expect([low, up]).to.deep.equal(first.slice(1));
  });

  it('are not written while they fire, but for what is worse', async () => {
    const { values, rows } = await watched();
    await values(0, [5, 11, 11, 11]);
    const first = await rows();
    expect(first[0]?.phase).to.equal('firing');
    await values(4, [10.5, 11, 9.9]);
    expect(await rows()).to.deep.equal(first);
    await values(7, [11.5]);
    const [worse, ...others] = await rows();
    expect(worse?.xmin).to.not.equal(first[0]?.xmin);
    expect(others).to.deep.equal(first.slice(1));
    await values(8, [1]);
    expect((await rows())[0]).to.include({ phase: 'recovering', evaluated: (T0 + 8 * MINUTE) / 1000 });
  });

  it('are written no more when a target that fired is far from being armed again, nor when it was', async () => {
    const { values, rows } = await watched();
    const target = async () => (await rows()).at(-1);
    await values(0, [11, 12, 12, 11, 10, 10, 10, 10]);
    const fired = await target();
    expect(fired?.phase).to.equal('inactive');
    await values(8, [11, 10, 9]);
    expect(await target()).to.deep.equal(fired);
    await values(11, Array(11).fill(5));
    const armed = await target();
    expect(armed?.xmin).to.not.equal(fired?.xmin);
    await values(22, [5, 6, 5]);
    expect(await target()).to.deep.equal(armed);
    await values(25, [12, 12]);
    expect((await target())?.phase).to.equal('firing');
  });

  it('tell the same, however the readings are cut into batches', async () => {
    const value = fc.constantFrom(-3, 1, 5, 9.5, 11, 13);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(value, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
        async (batches) => {
          const [whole, cut] = [await watched(), await watched()];
          await whole.values(0, batches.flat());
          let from = 0;
          for (const batch of batches) {
            await cut.values(from, batch);
            from += batch.length;
          }
          expect(await cut.events()).to.deep.equal(await whole.events());
        },
      ),
      { numRuns: 25 },
    );
  });
});
