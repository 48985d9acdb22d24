import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { createDatabase } from '../src/database.js';
import { Reading } from '../src/entities/reading.js';
import { createLogger } from '../src/logger.js';
import { openQueues, type Queues } from '../src/queues/backend.js';
import { createEnqueue } from '../src/queues/enqueue.js';
import type { ReadingsJob } from '../src/queues/jobs.js';
import { TEST_POOL } from '../test/support/pool-settings.js';
import { waitFor } from '../test/support/wait-for.js';
import { createHomes, nextJobs, PROBES_PER_DEVICE } from './homes.js';
import { openServers, type Servers, startRoles } from './servers.js';
import { median, type Options, type Row } from './table.js';

const PROBES = 4_000;
const ROUNDS = { small: 60, full: 100 };
/** Before anything is measured every table has been written and every path compiled: a worker runs for weeks. */
const WARM_UP_ROUNDS = 50;
const TURNS = { small: 3, full: 5 };
const USUAL_READINGS = 300;
const AT_LEAST = { 8: 0.1, 40: 0.2 };
const SIZES = [40, 8] as const;
const ENQUEUED_AT_ONCE = 200;

/** Readings a second. */
interface Turn {
  ours: number;
  copy: number;
  usual: number;
  /** Microseconds of the worker's processor time for a reading: hardly changed by whatever else runs here. */
  cpu: number;
}

/** A backlog of jobs through one worker process, beside COPY of the same rows and a job and a `save` for each reading. */
export async function benchIngest({ isSmall, profileTo, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  try {
    const rounds = ROUNDS[isSmall ? 'small' : 'full'];
    const bench = await prepare(servers, { profileTo, rounds });
    const turns: Record<8 | 40, Turn[]> = { 8: [], 40: [] };
    for (let turn = 0; turn < TURNS[isSmall ? 'small' : 'full']; turn++)
      for (const perJob of SIZES) {
        const figures = await bench.takeTurn(perJob);
        turns[perJob].push(figures);
        say(`ingest, ${perJob} a job: ${JSON.stringify(figures)}`);
      }
    return SIZES.flatMap((perJob) => toRows(perJob, turns[perJob], rounds));
  } finally {
    await servers.close();
  }
}

function toRows(perJob: 8 | 40, turns: readonly Turn[], rounds: number): Row[] {
  const middle = (pick: (turn: Turn) => number) => median(turns.map(pick));
  const unit = 'readings/s';
  const value = middle((turn) => turn.ours);
  const ours = { figure: 'ingest', what: `${perJob} readings a job`, value, unit };
  const ratios = turns.map((turn) => (turn.ours / turn.copy).toFixed(3)).join(' ');
  const note = `${PROBES * rounds} readings of ${PROBES} probes a turn, medians of the turns; ÷ COPY in each: ${ratios}; ${middle(({ cpu }) => cpu).toFixed(1)} µs of the worker's processor for each`;
  return [
    {
      ...ours,
      anchor: { what: 'COPY', value: middle(({ copy }) => copy), unit },
      ratio: middle((turn) => turn.ours / turn.copy),
      atLeast: AT_LEAST[perJob],
      note,
    },
    {
      ...ours,
      anchor: { what: 'a job and a save each', value: middle(({ usual }) => usual), unit },
      ratio: middle((turn) => turn.ours / turn.usual),
      atLeast: 20,
    },
  ];
}

/** The queues of these servers, as a poller has them. */
export async function openBenchQueues({ env, onClose }: Servers) {
  const logger = createLogger({ level: 'warn', format: 'pretty' });
  const { queues, close } = await openQueues({
    kind: 'redis',
    url: env.REDIS_URL,
    queuePrefix: env.QUEUE_PREFIX ?? '',
    logger,
  });
  onClose('queues', close);
  return { queues, logger };
}

/** The queues of these servers, to be filled and drained. */
export async function openDrain(servers: Servers) {
  const { queues } = await openBenchQueues(servers);
  return (jobs: readonly ReadingsJob[]) => drainBacklog(queues, jobs);
}

async function prepare(servers: Servers, { profileTo, rounds }: { profileTo?: string; rounds: number }) {
  const { db } = servers;
  const homes = await createHomes(db, PROBES / PROBES_PER_DEVICE);
  const drain = await openDrain(servers);
  const worker = startRoles(servers, 'worker', { profileTo });
  const usual = await openUsual(servers);
  await db.query('CREATE TABLE copied (LIKE readings INCLUDING INDEXES)');
  const warmUp = nextJobs(homes, { rounds: WARM_UP_ROUNDS, perJob: 40 });
  await drain(warmUp);
  let drained = countOf(warmUp);

  async function takeTurn(perJob: 8 | 40): Promise<Turn> {
    const jobs = nextJobs(homes, { rounds, perJob });
    await tidy(servers);
    const copyBefore = await copy(servers, jobs);
    const cpuBefore = cpuSeconds(worker);
    const ours = await drain(jobs);
    const cpu = (1e6 * (cpuSeconds(worker) - cpuBefore)) / countOf(jobs);
    drained += countOf(jobs);
    await checkRows(servers, drained);
    await tidy(servers);
    const copyAfter = await copy(servers, jobs);
    return { ours, cpu, copy: (copyBefore + copyAfter) / 2, usual: await usual(jobs) };
  }
  return { takeTurn };
}

/** The same start for each. */
async function tidy({ db }: Servers): Promise<void> {
  await db.query('TRUNCATE readings, copied');
  await db.query('VACUUM (ANALYZE)');
  await db.query('CHECKPOINT');
}

/** Of the process, as the system counts it in hundredths. */
function cpuSeconds(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) / 100;
}

const countOf = (jobs: readonly ReadingsJob[]): number =>
  jobs.reduce((sum, { probes }) => sum + probes.reduce((count, { samples }) => count + samples.length, 0), 0);

/** Enqueues as the poller does, lets the worker take the jobs, and waits until all are done. @returns readings a second */
async function drainBacklog(
  { readings: queue, ...others }: Queues,
  jobs: readonly ReadingsJob[],
): Promise<number> {
  const enqueue = createEnqueue({
    queues: { readings: queue, ...others },
    logger: createLogger({ level: 'warn', format: 'pretty' }),
  });
  const isLost = () => Promise.reject(new Error('a job could not be enqueued'));
  await queue.pause();
  for (let first = 0; first < jobs.length; first += ENQUEUED_AT_ONCE)
    await Promise.all(
      jobs.slice(first, first + ENQUEUED_AT_ONCE).map((job) => enqueue.readings(job, isLost)),
    );
  const startMs = performance.now();
  await queue.resume();
  await waitFor(async () => (await queue.getJobCountByTypes('waiting', 'active', 'delayed')) === 0, {
    timeoutMs: 300_000,
    everyMs: 10,
    what: 'the end of the backlog',
  });
  const seconds = (performance.now() - startMs) / 1000;
  const failed = await queue.getFailedCount();
  if (failed > 0) throw new Error(`${failed} jobs failed`);
  return countOf(jobs) / seconds;
}

/** All rows are there, each that was ever drained was counted in its session, and every alert has seen its last reading. */
async function checkRows({ db }: Servers, drained: number): Promise<void> {
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM (TABLE readings EXCEPT TABLE copied) x)::integer AS wrong,
       (SELECT count(*) FROM readings)::integer AS stored, (SELECT count(*) FROM copied)::integer AS given,
       $1 - (SELECT coalesce(sum(reading_count), 0) FROM session_probe_stats)::integer AS uncounted,
       (SELECT count(*) FROM probes p JOIN temperature_alerts a USING (device_id, probe_id)
        JOIN alert_states s ON s.alert_id = a.id WHERE s.evaluated_at IS NULL
          OR (s.phase IN ('pending', 'recovering') AND s.evaluated_at <> p.last_measured_at))::integer AS unseen`,
    [drained],
  );
  const { wrong, stored, given, uncounted, unseen } = rows[0];
  if (wrong > 0 || uncounted !== 0 || unseen > 0 || stored !== given)
    throw new Error(`not exact: ${JSON.stringify(rows[0])}`);
}

/** One statement, text, from a file: nothing but the server itself takes time. @returns readings a second */
async function copy({ db, folder }: Servers, jobs: readonly ReadingsJob[]): Promise<number> {
  const file = join(folder, 'readings.txt');
  const lines = jobs.flatMap(({ probes }) =>
    probes.flatMap(({ probe, samples }) =>
      samples.map(
        ([ms, value, unit, flags]) =>
          `${probe}\t${new Date(ms).toISOString()}\t${value}\t${unit}\t${flags}\n`,
      ),
    ),
  );
  writeFileSync(file, lines.join(''), { mode: 0o644 });
  await db.query('TRUNCATE copied');
  const startMs = performance.now();
  await db.query(`COPY copied FROM '${file}'`);
  return lines.length / ((performance.now() - startMs) / 1000);
}

/** What most programs do: a job for each reading, stored by an entity's `save`, everything else at its default. */
async function openUsual(servers: Servers): Promise<(jobs: readonly ReadingsJob[]) => Promise<number>> {
  const { dataSource } = createDatabase({ url: servers.env.DATABASE_URL, pool: TEST_POOL });
  await dataSource.initialize();
  servers.onClose('data source of the usual pipeline', () => dataSource.destroy());
  const options = { connection: { url: servers.env.REDIS_URL } };
  const queue = new Queue('usual', options);
  servers.onClose('the usual queue', () => queue.close());
  const save = async ({ data }: { data: Record<string, unknown> }) => {
    const measuredAt = new Date(Number(data.measuredAtMs));
    await dataSource.manager.save(Object.assign(new Reading(), data, { measuredAt }));
  };
  return async (jobs) => {
    const rows = jobs.flatMap(({ probes }) =>
      probes.flatMap(({ probe, samples }) =>
        samples.map(([measuredAtMs, value, unit, flags]) => ({
          probeId: probe,
          measuredAtMs,
          value,
          unit,
          flags,
        })),
      ),
    );
    await queue.addBulk(rows.slice(0, USUAL_READINGS).map((data) => ({ name: 'reading', data })));
    const startMs = performance.now();
    const worker = new Worker('usual', save, options);
    await waitFor(async () => (await queue.getJobCountByTypes('waiting', 'active')) === 0, {
      timeoutMs: 120_000,
      everyMs: 10,
    });
    const seconds = (performance.now() - startMs) / 1000;
    await worker.close();
    return USUAL_READINGS / seconds;
  };
}
