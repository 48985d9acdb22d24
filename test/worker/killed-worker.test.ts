import { expect } from 'chai';
import type { DataSource, QueryRunner } from 'typeorm';
import type { Queues } from '../../src/queues/backend.js';
import { type ReadingsJob, readingsJobId } from '../../src/queues/jobs.js';
import { SCENARIOS, type Scenario } from '../alerts/scenarios.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  type Home,
  job,
  openDatabase,
  readingsOf,
  SECOND,
  T0,
} from '../ingest/household.js';
import { openTestQueues } from '../queues/queues.js';
import { testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { spawnWorker, type WorkerProcess } from './worker-process.js';

const STEPS = Math.max(...SCENARIOS.map(({ readings }) => readings.length));
/** Two processes are on their way while one works: a start takes longer than a step. */
const AHEAD = 2;

interface Staged {
  scenario: Scenario;
  home: Home;
  alert: number;
}

describe('a worker that is killed', function () {
  this.timeout(300_000);
  let db: DataSource;
  let url: string;
  let closeDatabase: () => Promise<void>;
  let queues: Queues;
  let prefix: string;
  let closeQueues: () => Promise<void>;
  let proxy: TcpProxy;
  let workers: WorkerProcess[];
  let staged: Staged[];
  /** Its transaction is held up until the worker is dead. */
  let cut: Home;
  /** Its transaction commits, but the queue never hears of it. */
  let unheard: Home;

  before(async () => {
    ({ db, url, close: closeDatabase } = await openDatabase());
    const opened = await openTestQueues();
    ({ queues, close: closeQueues } = opened);
    prefix = opened.backend.queuePrefix;
    proxy = await startTcpProxy(await testRedisUrl());
    workers = [await start(proxy.through(await testRedisUrl())), await start()];
    [cut, unheard] = [await addWatched(), await addWatched()];
    staged = [];
    for (const scenario of SCENARIOS) {
      const home = await addHome(db, {
        device: { transmitIntervalSeconds: scenario.intervalSeconds },
        probes: [{ role: 'food' }],
        userId: cut.userId,
      });
      staged.push({ scenario, home, alert: await addAlert(db, home, { ...scenario.rule }) });
    }
  });
  after(async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await closeQueues();
    await proxy.close();
    await closeDatabase();
  });

  const start = async (redisUrl?: string) =>
    spawnWorker({ databaseUrl: url, redisUrl: redisUrl ?? (await testRedisUrl()), queuePrefix: prefix });

  async function addWatched(): Promise<Home> {
    const home = await addHome(db, { probes: [{ role: 'food' }] });
    await addAlert(db, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
    await addChannel(db, home.userId, 'webhook');
    await addSession(db, home);
    return home;
  }

  const enqueue = (...jobs: ReadingsJob[]) =>
    queues.readings.addBulk(
      jobs.map((data) => ({ name: 'readings', data, opts: { jobId: readingsJobId(data) } })),
    );

  /** The n-th reading of every scenario that has one. */
  const jobsOf = (step: number) =>
    staged.flatMap(({ scenario, home }) => {
      const reading = scenario.readings[step];
      return reading ? [job(home, [[T0 + reading[0] * SECOND, reading[1] ?? 'absent']])] : [];
    });

  /** What the rows show of the first readings of every scenario, once all of them are stored. */
  function shownAfter(steps: number) {
    const done = staged.map(({ scenario }) => scenario.readings.slice(0, steps));
    const values = done.flat().filter(([, value]) => value !== null).length;
    return { values, absent: done.filter((readings) => readings.at(-1)?.[1] === null).length };
  }
  async function shown() {
    const ids = staged.map(({ home }) => home.probes[0]);
    const [row] = await db.query<{ values: number; absent: number }[]>(
      `SELECT (SELECT count(*)::integer FROM readings WHERE probe_id = ANY($1)) AS values,
         (SELECT count(*)::integer FROM probes WHERE id = ANY($1) AND state = 'absent') AS absent`,
      [ids],
    );
    return row;
  }
  async function untilStored(steps: number) {
    const { values, absent } = shownAfter(steps);
    await waitFor(
      async () => {
        const row = await shown();
        return row?.values === values && row.absent === absent;
      },
      { timeoutMs: 60_000, everyMs: 20, what: `step ${steps}` },
    );
  }

  /** Holds a device's row, as a transaction that does not end. */
  async function hold({ device }: Home): Promise<QueryRunner> {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT FROM devices WHERE id = $1 FOR UPDATE', [device]);
    return runner;
  }
  const letGo = async (runner: QueryRunner) => {
    await runner.rollbackTransaction();
    await runner.release();
  };
  /** So many of the worker's transactions stand before rows that are held. */
  const areWaiting = async (count: number) => {
    const [row] = await db.query<{ waiting: number }[]>(
      `SELECT count(*)::integer AS waiting FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%NO KEY UPDATE%'`,
    );
    return row?.waiting === count;
  };
  const isActive = async (one: ReadingsJob) => (await queues.readings.getJob(readingsJobId(one)))?.isActive();
  const storedOf = async ({ probes }: Home) =>
    (await readingsOf(db)).filter(([probe]) => probe === probes[0]).length;

  /**
   * Kills the first worker with one job before its commit and one between commit and acknowledgement. It has both in hand
   * before Redis falls silent: a job can be active there while the answer that hands it over is still on its way.
   */
  async function killAtTheWorst(worker: WorkerProcess) {
    const first = job(unheard, [[T0, 150]]);
    // Of another lane: the batcher does one account after the other in each.
    const second = { ...job(cut, [[T0, 150]]), account: first.account + 1 };
    const holds = [await hold(unheard), await hold(cut)] as const;
    await enqueue(first);
    await waitFor(() => areWaiting(1));
    await enqueue(second);
    await waitFor(() => areWaiting(2));
    await proxy.set({ kind: 'swallow' });
    await letGo(holds[0]);
    await waitFor(async () => (await storedOf(unheard)) === 1);
    await waitFor(() => areWaiting(1));
    await worker.kill();
    await letGo(holds[1]);
    expect(await storedOf(cut)).to.equal(0);
    expect([await isActive(first), await isActive(second)]).to.deep.equal([true, true]);
  }

  it('between each two readings of every alert scenario: events are as if it never was, and no job is lost', async () => {
    for (let step = 0; step < STEPS; step++) {
      const worker = workers[step];
      worker?.letIn();
      if (step + AHEAD <= STEPS) workers.push(await start());
      await enqueue(...jobsOf(step));
      await untilStored(step + 1);
      if (step === 0 && worker) await killAtTheWorst(worker);
      else await worker?.kill();
    }
    workers.at(-1)?.letIn();
    await waitFor(
      async () => {
        const counts = await queues.readings.getJobCounts('waiting', 'active', 'delayed');
        return Object.values(counts).every((count) => count === 0);
      },
      { timeoutMs: 60_000, what: 'all jobs to be done' },
    );
    expect(await queues.readings.getFailedCount()).to.equal(0);
    expect(await db.query('SELECT * FROM dead_letters')).to.deep.equal([]);
    await expectTold();
    for (const home of [cut, unheard]) await expectOnce(home);
  });

  async function expectTold() {
    const rows = await db.query<{ alert: number; line: string; version: number }[]>(
      `SELECT alert_id AS alert, version, concat_ws(' ', extract(epoch FROM measured_at - $1)::integer, kind, side, tier) AS line
       FROM alert_events ORDER BY measured_at, version`,
      [new Date(T0)],
    );
    const told = staged.map(({ scenario, alert }) => {
      const mine = rows.filter((row) => row.alert === alert);
      return [scenario.title, mine.map(({ line }) => line).sort()];
    });
    expect(told).to.deep.equal(staged.map(({ scenario }) => [scenario.title, [...scenario.told].sort()]));
    const [holes] = await db.query<unknown[]>(
      `SELECT count(*)::integer FROM (SELECT FROM alert_events GROUP BY alert_id, side, tier
         HAVING max(version) <> count(*) OR bool_or((kind = 'fired') <> (version % 2 = 1))) AS holes`,
    );
    expect(holes).to.deep.equal({ count: 0 });
    const [notifications] = await db.query<unknown[]>('SELECT count(*)::integer FROM notifications');
    const ofOwner = SCENARIOS.flatMap(({ told: lines }) => lines).length;
    expect(notifications).to.deep.equal({ count: ofOwner + 2 });
  }

  async function expectOnce({ deviceId, probes }: Home) {
    expect(await storedOf({ userId: 0, device: 0, deviceId, probes })).to.equal(1);
    const [session] = await db.query<unknown[]>(
      'SELECT reading_count, avg_temperature FROM grilling_sessions WHERE device_id = $1',
      [deviceId],
    );
    expect(session).to.deep.equal({ reading_count: 1, avg_temperature: 150 });
    const events = await db.query<unknown[]>(
      `SELECT e.kind, e.version, (SELECT count(*)::integer FROM notifications WHERE alert_event_id = e.id) AS notified
       FROM alert_events e JOIN temperature_alerts a ON a.id = e.alert_id WHERE a.device_id = $1`,
      [deviceId],
    );
    expect(events).to.deep.equal([{ kind: 'fired', version: 1, notified: 1 }]);
  }
});
