import { join } from 'node:path';
import { z } from 'zod';
import { createHomes } from './homes.js';
import { openServers, type Servers } from './servers.js';
import { median, type Options, type Row } from './table.js';

const DAYS = 30;
const EVERY_SECONDS = 10;
const READINGS = (DAYS * 24 * 3600) / EVERY_SECONDS;
const RUNS = { small: 3, full: 7 };
const PER_DAY = READINGS / DAYS;

/** A pit that is lit for ten hours of each day, swings about 247 °F and is too hot for a quarter of an hour. */
const VALUE = `(n * 7919 % 100) / 25.0 + CASE
  WHEN n % ${PER_DAY} > 6600 THEN 70
  WHEN n % ${PER_DAY} < 3000 THEN 70 + 175 * exp((n % ${PER_DAY} - 3000) / 300.0)
  ELSE 245 + 15 * sin(n / 30.0) + CASE WHEN n % ${PER_DAY} BETWEEN 4000 AND 4090 THEN 40 ELSE 0 END END`;

const SELECT =
  'SELECT measured_at, value, unit, flags FROM readings WHERE probe_id = $1 ORDER BY measured_at';

const answer = z.object({
  reading_count: z.literal(READINGS),
  firings: z.array(z.unknown()).min(DAYS),
  variations: z.array(z.unknown()),
});

/** The command in a process that runs already, on thirty days of a probe that sends every ten seconds. */
export async function benchRehearse({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  try {
    const { probe, alert } = await createHistory(servers);
    const [seconds, anchors]: [number[], number[]] = [[], []];
    const busy: number[] = [];
    let note = '';
    for (let run = 0; run < RUNS[isSmall ? 'small' : 'full']; run++) {
      anchors.push(await timed(async () => void (await servers.db.query(SELECT, [probe]))));
      const before = process.cpuUsage();
      seconds.push(
        await timed(async () => {
          const { firings, variations } = answer.parse(JSON.parse(await rehearse(servers, alert)));
          note = `range alert with ${variations.length - 1} variations, ${firings.length} firings`;
        }),
      );
      const { user, system } = process.cpuUsage(before);
      busy.push((user + system) / 1e6);
    }
    note += `; ${median(busy).toFixed(1)} s of a processor, PostgreSQL aside`;
    say(`rehearse: ${seconds.map((one) => one.toFixed(2)).join(' ')} s`);
    const [value, least] = [median(seconds), median(anchors)];
    const anchor = { what: 'one SELECT of the same rows', value: least, unit: 's' };
    const what = `alert rehearse, ${READINGS.toLocaleString('en')} readings`;
    return [
      { figure: 'rehearse', what, value, unit: 's', anchor, ratio: value / least, valueAtMost: 2, note },
    ];
  } finally {
    await servers.close();
  }
}

/** By the program as built. @returns what it printed */
async function rehearse({ env }: Servers, alert: string): Promise<string> {
  const built = join(import.meta.dirname, '../dist/cli/index.js');
  const { runCli }: typeof import('../src/cli/index.js') = await import(built);
  let [stdout, stderr] = ['', ''];
  const code = await runCli(['alert', 'rehearse', alert, '--json'], env, {
    stdin: process.stdin,
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  });
  if (code !== 0 || stderr !== '') throw new Error(stderr);
  return stdout;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

/** The pit of a home, with its alert (200 to 275 °F). */
async function createHistory({ db }: Servers): Promise<{ probe: number; alert: string }> {
  const { devices, nextMs } = await createHomes(db, 10);
  const probe = devices[0]?.probes[0] ?? 0;
  const bounds = [new Date(nextMs - DAYS * 86_400_000), new Date(nextMs)];
  await db.query('SELECT ensure_readings_partitions($1, $2)', bounds);
  await db.query(
    `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
     SELECT $1, $2::timestamptz - n * interval '${EVERY_SECONDS} s', round((${VALUE})::numeric, 1), 'F', 0
     FROM generate_series(0, ${READINGS - 1}) n`,
    [probe, bounds[1]],
  );
  await db.query('UPDATE probes SET last_measured_at = $2 WHERE id = $1', [probe, bounds[1]]);
  await db.query('UPDATE devices SET transmit_interval_seconds = $1', [EVERY_SECONDS]);
  await db.query('VACUUM ANALYZE readings');
  const { rows } = await db.query(
    'SELECT public_id AS alert FROM temperature_alerts JOIN probes p USING (user_id, device_id, probe_id) WHERE p.id = $1',
    [probe],
  );
  return { probe, alert: rows[0]?.alert };
}
