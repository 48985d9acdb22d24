import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest, type IngestOutcome } from '../../src/ingest/ingest.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  HOUR,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from './household.js';

/** A late reading may add to its past. */
const RANGE = { type: 'range', maxTemperature: 110 };
const BATCH_END = T0 + 60 * MINUTE;

/**
 * What the worst batch meets: readings repeated and in conflict, gaps, a month not seen before, an absent probe, running
 * and starting sessions, events of both alert types for two channels.
 */
describe('the statements of a batch', () => {
  let db: DataSource;
  let close: () => Promise<void>;

  before(async () => {
    ({ db, close } = await openDatabase());
    await db.query('CREATE EXTENSION pg_stat_statements');
  });
  after(() => close());

  /** Homes with a pit and a meat probe, an alert on each; every second one has a session by hand already. */
  async function addHomes(count: number, pit: Record<string, unknown> = RANGE): Promise<Home[]> {
    const homes: Home[] = [];
    for (let i = 0; i < count; i++) {
      const home = await addHome(db, {
        device: { transmitIntervalSeconds: 60 },
        probes: [{ label: 'Pit' }, { label: 'Meat' }],
        ...(homes[0] && { userId: homes[0].userId }),
      });
      await addAlert(db, home, { probeId: '1', temperatureUnit: 'C', holdSeconds: 0, ...pit });
      await addAlert(db, home, { probeId: '2', type: 'target', targetTemperature: 20, temperatureUnit: 'C' });
      if (i % 2 === 0) await addSession(db, home);
      homes.push(home);
    }
    const [first] = homes;
    if (first) for (const kind of ['webhook', 'ntfy'] as const) await addChannel(db, first.userId, kind);
    return homes;
  }

  const cold = (home: Home) => job(home, [[T0, 20, 'C']], [[T0, 5, 'C']]);

  /** `perHome` samples of one home (at least 14): heated up, with a gap of ten minutes, one reading of long ago. */
  function hot(home: Home, perHome: number): ReadingsJob {
    const minutes = Array.from({ length: perHome - 6 }, (_, i) => i);
    const pit = minutes.map((i): [number, number, 'C'] => [BATCH_END + i * 30_000, i < 2 ? 60 : 120, 'C']);
    return job(
      home,
      [[Date.UTC(2019, 3, 1), 19, 'C'], [T0, 20, 'C'], ...pit],
      [
        [T0, 6, 'C'],
        [BATCH_END, 15, 'C'],
        [BATCH_END + 60_000, 25, 'C'],
        [BATCH_END + 90_000, 'absent'],
      ],
    );
  }

  async function statementsOf(work: () => Promise<IngestOutcome>) {
    await db.query('SELECT pg_stat_statements_reset()');
    const outcome = await work();
    const rows = await db.query<{ query: string; calls: number }[]>(
      `SELECT s.query, s.calls::integer FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
       WHERE d.datname = current_database() AND s.query !~* '^(BEGIN|START|COMMIT|SET|SELECT pg_stat_statements_reset)'`,
    );
    return { outcome, rows, calls: rows.reduce((sum, { calls }) => sum + calls, 0) };
  }

  async function worstBatch(homeCount: number, perHome: number, pit: Record<string, unknown> = RANGE) {
    const homes = await addHomes(homeCount, pit);
    await createIngest({ dataSource: db })(homes.map(cold));
    // A process that has just started, so that it asks for every month.
    const ingest = createIngest({ dataSource: db });
    const jobs = homes.map((home) => hot(home, perHome));
    const samples = jobs
      .flatMap(({ probes }) => probes)
      .reduce((sum, probe) => sum + probe.samples.length, 0);
    return { samples, ...(await statementsOf(() => ingest(jobs))) };
  }

  it('are at most 18 with late readings of probes with range alerts, as many for 1,000 samples as for 100', async () => {
    const small = await worstBatch(2, 50);
    const large = await worstBatch(20, 50);
    expect([small.samples, large.samples]).to.deep.equal([100, 1_000]);
    for (const { outcome } of [small, large]) {
      expect(outcome.conflicts).to.be.greaterThan(0);
      expect(new Set(outcome.sessionEvents.map(({ kind }) => kind))).to.include('started');
      expect(new Set(outcome.transitions.map(({ type, kind }) => `${type} ${kind}`))).to.include.keys(
        'range fired',
        'target fired',
      );
      expect(outcome.notificationIds).to.have.length.greaterThan(3);
    }
    const [{ gaps } = { gaps: 0 }] = await db.query<{ gaps: number }[]>(
      'SELECT count(*)::integer AS gaps FROM reading_gaps',
    );
    expect(gaps).to.equal(2 * 22);
    expect(large.rows, large.rows.map(({ query }) => query.slice(0, 60)).join('\n')).to.have.lengthOf(
      small.rows.length,
    );
    expect(large.calls).to.equal(small.calls);
    expect(large.calls).to.be.at.most(18);
  });

  it('are at most 16 where no late reading is of a probe with such an alert, and one more where that changes its past', async () => {
    const rising = { type: 'rising', thresholdValue: 15, windowSeconds: 600 };
    const { outcome, calls } = await worstBatch(4, 50, rising);
    expect(outcome.transitions.map(({ type }) => type)).to.include('rising');
    expect(calls).to.be.at.most(16);
    const homes = await addHomes(2);
    const ingest = createIngest({ dataSource: db });
    const inTime = await statementsOf(() => ingest(homes.map((home) => job(home, [[T0 + HOUR, 20, 'C']]))));
    expect(inTime.rows.filter(({ query }) => query.includes('judged_after'))).to.deep.equal([]);
    const lateOnes = (celsius: number, minute: number) => () =>
      ingest(homes.map((home) => job(home, [[T0 + minute * MINUTE, celsius, 'C']])));
    const [calm, hot] = [await statementsOf(lateOnes(20, 1)), await statementsOf(lateOnes(120, 2))];
    expect(hot.calls).to.equal(calm.calls + 1);
  });

  it('are fewer for a batch that brings nothing new', async () => {
    const homes = await addHomes(3);
    const ingest = createIngest({ dataSource: db });
    await ingest(homes.map((home) => hot(home, 20)));
    const again = async () => (await statementsOf(() => ingest(homes.map((home) => hot(home, 20))))).calls;
    const [first, second] = [await again(), await again()];
    // One of them asks for the month of long ago, which may have gone meanwhile.
    expect(second).to.be.at.most(7);
    expect(first, 'with the rules, whose rows were written when they fired').to.equal(second + 1);
  });
});
