import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest } from '../../src/ingest/ingest.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { createBatcher } from '../../src/worker/batcher.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from './household.js';

const HOMES = 5;
const ROUNDS = 20;

describe('two workers on the same devices', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let workers: DataSource[];
  let homes: Home[];

  before(async () => {
    const opened = await openDatabase();
    ({ db, close } = opened);
    workers = [await opened.connect(), await opened.connect()];
    homes = [];
    for (let i = 0; i < HOMES; i++) {
      const home = await addHome(db, {
        device: { transmitIntervalSeconds: 60 },
        probes: [{ role: 'food' }, { role: 'food' }],
        ...(homes[0] && { userId: homes[0].userId }),
      });
      for (const probeId of ['1', '2'])
        await addAlert(db, home, {
          probeId,
          type: 'range',
          maxTemperature: 100,
          holdSeconds: 0,
          recoverySeconds: 0,
        });
      await addSession(db, home);
      homes.push(home);
    }
    await addChannel(db, homes[0]?.userId ?? 0, 'webhook');
  });
  after(() => close());

  /** Over the limit and back, with every minute. */
  const valueAt = (round: number, probe: number) => (round % 2 === 0 ? 150.25 : 50.5) + probe;
  const jobOf = (home: Home, round: number): ReadingsJob => {
    const sample = (probe: number): [number, number] => [T0 + round * MINUTE, valueAt(round, probe)];
    return job(home, [sample(0)], [sample(1)]);
  };

  it('do not deadlock, tell nothing twice, number without holes and count exactly', async () => {
    const seen = workers.map((dataSource, worker) => {
      const ingest = createIngest({ dataSource });
      return async (round: number) => {
        // Both get every job, in opposite order; each in two batches at once.
        const jobs = homes.map((home) => jobOf(home, round));
        if (worker === 1) jobs.reverse();
        const halves = [jobs.slice(0, 3), jobs.slice(2)];
        const outcomes = await Promise.all(halves.map((half) => ingest(half)));
        return outcomes.reduce((sum, { stored }) => sum + stored.length, 0);
      };
    });
    for (let round = 0; round < ROUNDS; round++) {
      const stored = await Promise.all(seen.map((work) => work(round)));
      expect(stored.reduce((a, b) => a + b)).to.equal(2 * HOMES);
    }
    await expectExact();
  });

  it('do so also in any order, through their batchers', async () => {
    const batchers = workers.map((dataSource) =>
      createBatcher({ ingest: createIngest({ dataSource }), onCommit: () => undefined }),
    );
    await db.query('TRUNCATE readings, alert_events, session_probe_stats CASCADE');
    await db.query(`UPDATE alert_states SET phase = 'inactive', is_announced = false, version = 0, evaluated_at = NULL,
      fired_at = NULL, resolved_at = NULL`);
    await db.query('UPDATE probes SET last_measured_at = NULL, last_value = NULL');
    const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
    await Promise.all(
      batchers.flatMap((batcher, worker) =>
        homes.map(async (home) => {
          // One job after the other, as polls are; both workers get all, and one of them starts from the middle.
          const from = worker * Math.floor(ROUNDS / 2);
          for (const round of [...rounds.slice(from), ...rounds.slice(0, from)])
            await batcher.add(jobOf(home, round));
        }),
      ),
    );
    const [counts] = await db.query<unknown[]>(
      `SELECT (SELECT count(*)::integer FROM readings) AS readings,
         (SELECT sum(reading_count)::integer FROM session_probe_stats) AS counted`,
    );
    expect(counts).to.deep.equal({ readings: 2 * HOMES * ROUNDS, counted: 2 * HOMES * ROUNDS });
    expect(await holes()).to.deep.equal([]);
    await expectExactStats();
  });

  /** Sides whose events, but for those detected late, do not count from 1 to their state's version, fired and resolved in turns. */
  const holes = () =>
    db.query<unknown[]>(
      `SELECT s.alert_id FROM alert_states s
       LEFT JOIN (SELECT * FROM alert_events WHERE version > 0) e USING (alert_id, side, tier)
       GROUP BY s.alert_id, s.side, s.tier, s.version
       HAVING s.version <> count(e.id) OR s.version <> coalesce(max(e.version), 0)
         OR bool_or((e.kind = 'fired') <> (e.version % 2 = 1))`,
    );

  async function expectExact() {
    const events = await db.query<unknown[]>(
      `SELECT DISTINCT count(*)::integer AS events, max(version) AS newest FROM alert_events GROUP BY alert_id`,
    );
    expect(events).to.deep.equal([{ events: ROUNDS, newest: ROUNDS }]);
    expect(await holes()).to.deep.equal([]);
    const [notifications] = await db.query<unknown[]>('SELECT count(*)::integer FROM notifications');
    expect(notifications).to.deep.equal({ count: 2 * HOMES * ROUNDS });
    await expectExactStats();
  }

  async function expectExactStats() {
    for (const [probe, column] of [0, 1].entries()) {
      const sum = Array.from({ length: ROUNDS }, (_, round) => Math.round(valueAt(round, probe) * 100));
      const ids = homes.map(({ probes }) => probes[column]);
      const stats = await db.query<unknown[]>(
        `SELECT DISTINCT reading_count, temperature_sum_hundredths::integer AS sum, min_temperature, max_temperature
         FROM session_probe_stats WHERE probe_id = ANY($1)`,
        [ids],
      );
      expect(stats).to.deep.equal([
        {
          reading_count: ROUNDS,
          sum: sum.reduce((a, b) => a + b),
          min_temperature: valueAt(1, probe),
          max_temperature: valueAt(0, probe),
        },
      ]);
    }
  }
});
