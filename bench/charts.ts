import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { createHomes, PROBES_PER_DEVICE } from './homes.js';
import { openServers } from './servers.js';
import { type Options, percentile, type Row } from './table.js';

const dist = (file: string) => import(join(import.meta.dirname, '../dist', file));
const { chartPoints }: typeof import('../src/buckets/chart-points.js') =
  await dist('buckets/chart-points.js');
const { rollUpBuckets }: typeof import('../src/buckets/roll-up-buckets.js') = await dist(
  'buckets/roll-up-buckets.js',
);
const { createDatabase }: typeof import('../src/database.js') = await dist('database.js');
const { loadConfig }: typeof import('../src/config.js') = await dist('config.js');

const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;
const DEVICES = 10;
/** By name all probes have a year of readings, else those of the chart alone. */
const SIZES = {
  small: { probes: PROBES_PER_DEVICE, everySeconds: 300, runs: 30 },
  full: { probes: DEVICES * PROBES_PER_DEVICE, everySeconds: 12.6, runs: 200 },
};
const SESSION_EVERY_SECONDS = 10;
/** With its index, and what a load leaves in the write-ahead log. */
const BYTES_PER_READING = 120;
const SPARE_BYTES = 6e9;

/** The chart of a cook of 24 h and that of the year before, of four probes. */
export async function benchCharts({ isSmall, say }: Options): Promise<Row[]> {
  const size = SIZES[isSmall ? 'small' : 'full'];
  const readings = Math.round((size.probes * YEAR_MS) / 1000 / size.everySeconds);
  await checkDisk(readings);
  const servers = await openServers();
  const { pool } = loadConfig(servers.env);
  const { dataSource } = createDatabase({ url: servers.env.DATABASE_URL, pool });
  try {
    await dataSource.initialize();
    const { devices, nextMs } = await createHomes(servers.db, DEVICES);
    const all = devices.flatMap(({ probes }) => probes).slice(0, size.probes);
    const shown = all.slice(0, PROBES_PER_DEVICE);
    const bounds = { fromMs: nextMs - YEAR_MS, toMs: nextMs };
    await fill(servers.db, all, { ...bounds, everySeconds: size.everySeconds });
    await fill(servers.db, shown, {
      fromMs: nextMs,
      toMs: nextMs + DAY_MS,
      everySeconds: SESSION_EVERY_SECONDS,
    });
    await servers.db.query('UPDATE probes SET last_measured_at = $2 WHERE id = ANY($1)', [
      shown,
      new Date(nextMs + DAY_MS),
    ]);
    say(`charts: ${readings} readings of a year`);
    await rollUpBuckets({ dataSource });
    await servers.db.query('VACUUM ANALYZE readings, reading_buckets');
    const rows: Row[] = [];
    for (const [what, fromMs, toMs, sql, beside, anchorRuns] of [
      ['a 24-h session', nextMs, nextMs + DAY_MS, SELECT_READINGS, 'one SELECT of its readings', size.runs],
      ['a year', nextMs - YEAR_MS, nextMs, SELECT_DAYS, 'its days from the readings, by SQL', 3],
    ] as const) {
      let points = 0;
      const ask = { probeIds: shown, fromMs, toMs, unit: 'F' } as const;
      const measured = await times(size.runs, async () => {
        points = (await chartPoints(dataSource.manager, ask)).points.length;
      });
      if (points === 0 || points > 2_000) throw new Error(`a chart of ${points} points`);
      const bound = [shown, new Date(fromMs), new Date(toMs)];
      const anchors = await times(anchorRuns, () => servers.db.query(sql, bound));
      for (const share of [0.5, 0.95]) {
        const [value, least] = [percentile(measured, share), percentile(anchors, share)];
        const name = `chart of ${what}, p${share * 100}`;
        const note = `${points} points, ${size.runs} times, among ${readings.toLocaleString('en')} readings of a year`;
        const anchor = { what: beside, value: least, unit: 'ms' };
        rows.push({ figure: 'charts', what: name, value, unit: 'ms', anchor, ratio: value / least, note });
        say(`charts, ${name}: ${value.toFixed(1)} ms, ${beside}: ${least.toFixed(1)} ms`);
      }
    }
    return rows;
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
    await servers.close();
  }
}

const SELECT_READINGS = `SELECT probe_id, measured_at, value, unit, flags FROM readings
  WHERE probe_id = ANY($1) AND measured_at >= $2 AND measured_at < $3 ORDER BY probe_id, measured_at`;
const SELECT_DAYS = `SELECT probe_id, floor(date_part('epoch', measured_at) / 86400) AS day, min(value), max(value), avg(value), count(*)
  FROM readings WHERE probe_id = ANY($1) AND measured_at >= $2 AND measured_at < $3 AND flags & 7 = 0 GROUP BY 1, 2`;

/** @throws an error that says how much is needed, and where */
async function checkDisk(readings: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  const [needed, free] = [readings * BYTES_PER_READING + SPARE_BYTES, bavail * bsize];
  if (free >= needed) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new Error(
    `${readings.toLocaleString('en')} readings need ${gigabytes(needed)} free in ${tmpdir()}, and there are ${gigabytes(free)}: set TMPDIR to a roomier place`,
  );
}

/** A pit that swings about 245 °F, of each probe. */
async function fill(
  db: pg.Client,
  probes: readonly number[],
  { fromMs, toMs, everySeconds }: { fromMs: number; toMs: number; everySeconds: number },
): Promise<void> {
  const bounds = [new Date(fromMs), new Date(toMs)];
  await db.query('SELECT ensure_readings_partitions($1, $2)', bounds);
  for (const probe of probes)
    await db.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
       SELECT $1, $2::timestamptz + n * make_interval(secs => $4), round((245 + 15 * sin(n / 30.0))::numeric, 1), 'F', 0
       FROM generate_series(0, floor(extract(epoch FROM $3::timestamptz - $2::timestamptz) / $4)::integer - 1) n`,
      [probe, ...bounds, everySeconds],
    );
}

async function times(runs: number, work: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startMs = performance.now();
    await work();
    taken.push(performance.now() - startMs);
  }
  return taken;
}
