import { join } from 'node:path';
import type { IngestWorld, Input } from '../src/ingest/types.js';
import { createHomes } from './homes.js';
import { openServers, type Servers } from './servers.js';
import { median, type Options, type Row } from './table.js';

const dist = (file: string) => import(join(import.meta.dirname, '../dist', file));
const { fold }: typeof import('../src/ingest/fold.js') = await dist('ingest/fold.js');
const { NO_POLL }: typeof import('../src/ingest/gather.js') = await dist('ingest/gather.js');
const { unseenProbe }: typeof import('../src/replay/unseen.js') = await dist('replay/unseen.js');
const { emptyDetection }: typeof import('../src/sessions/detection-state.js') = await dist(
  'sessions/detection-state.js',
);
const { HeldValues }: typeof import('../src/sessions/known-time.js') = await dist('sessions/known-time.js');
const { bucketsOf }: typeof import('../src/buckets/bucket.js') = await dist('buckets/bucket.js');

const PROBES = [1, 2, 3, 4];
const EVERY_MS = 10_000;
const HOUR_MS = 3_600_000;
const HOURS = 24;
const READINGS = (PROBES.length * HOURS * HOUR_MS) / EVERY_MS;
/** As many as a busy worker finds of one device in a batch. */
const INPUTS_PER_FOLD = 40;
const RUNS = { small: 3, full: 9 };
const SELECT = `SELECT probe_id, measured_at, value, unit, flags FROM readings WHERE probe_id = ANY($1)
  ORDER BY measured_at, probe_id`;

/** What a cook of 24 h costs, of four probes that send every 10 s: each reading of it, and all its figures anew. */
export async function benchCook({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  try {
    const { session, probes } = await createCook(servers);
    const runs = RUNS[isSmall ? 'small' : 'full'];
    const [selects, recomputes]: [number[], number[]] = [[], []];
    const costs = new Map(Object.keys(WORK).map((name): [string, number[]] => [name, []]));
    for (let run = 0; run <= runs; run++) {
      const select = await seconds(() => servers.db.query(SELECT, [probes]));
      const recompute = await seconds(() => recomputed(servers, session));
      for (const [name, work] of Object.entries(WORK)) {
        const taken = await seconds(work);
        // The first turn compiles.
        if (run > 0) costs.get(name)?.push(taken);
      }
      if (run > 0) selects.push(select);
      if (run > 0) recomputes.push(recompute);
    }
    const least = median(selects);
    const rows = [...costs].map(([what, taken]): Row => {
      const [value, ofSelect] = [(median(taken) / READINGS) * 1e6, (least / READINGS) * 1e6];
      const anchor = { what: 'a row of one SELECT of them all', value: ofSelect, unit: 'µs' };
      return {
        figure: 'cook',
        what: `${what}, each reading`,
        value,
        unit: 'µs',
        anchor,
        ratio: value / ofSelect,
      };
    });
    const value = median(recomputes);
    const anchor = { what: 'one SELECT of the same rows', value: least, unit: 's' };
    const what = `session recompute, ${READINGS.toLocaleString('en')} readings`;
    rows.push({ figure: 'cook', what, value, unit: 's', anchor, ratio: value / least });
    for (const row of rows) say(`${row.what}: ${row.value.toPrecision(3)} ${row.unit}`);
    return rows;
  } finally {
    await servers.close();
  }
}

/** A pit that swings about 120 °C for 20 h and cools, and three foods that climb to 95 °C. In hundredths. */
function valueAt(probe: number, ms: number): number {
  const hours = ms / HOUR_MS;
  const wobble = 300 * Math.sin(ms / 97_000);
  if (probe > 1) return Math.round(500 + 9000 * (1 - Math.exp(-hours / (3 + probe))) + wobble / 50);
  const heat = hours < 1 ? 0 : hours < 20 ? 1 - Math.exp(1 - hours) ** 6 : Math.exp(20 - hours);
  return Math.round(2000 + 10_000 * heat + heat * wobble);
}

const INPUTS: Input[] = Array.from({ length: READINGS }, (_, index) => {
  const probeId = (index % PROBES.length) + 1;
  const ms = Math.floor(index / PROBES.length) * EVERY_MS;
  const seen = { probeId, measuredAtMs: Date.UTC(2026, 0, 1) + ms, hundredths: valueAt(probeId, ms) };
  return { ...seen, unit: 'C', flags: 0, condition: 'ok', poll: NO_POLL };
});
const READ = INPUTS.flatMap((input) => ('poll' in input && input.hundredths !== null ? [input] : []));

function worldOf(type: string): IngestWorld {
  const probes = PROBES.map((id) => ({
    id,
    kind: 'temperature' as const,
    label: id === 1 ? 'Pit' : null,
    role: null,
  }));
  const device = {
    id: 1,
    deviceId: 'M100000001',
    userId: 1,
    type,
    model: null,
    temperatureUnit: 'C' as const,
  };
  return {
    sessions: { device: { ...device, probes }, detection: emptyDetection(), sessions: [] },
    statedIntervalSeconds: EVERY_MS / 1000,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map(PROBES.map((id) => [id, unseenProbe(id)])),
    alerts: new Map(),
  };
}

/** As live ingest does, but that a session which asks for it is not rebuilt: there is nothing stored. */
function folded(type: string): IngestWorld {
  let world = worldOf(type);
  for (let first = 0; first < INPUTS.length; first += INPUTS_PER_FOLD) {
    ({ world } = fold(world, INPUTS.slice(first, first + INPUTS_PER_FOLD), () => 'session'));
    const { sessions } = world.sessions;
    if (sessions.some(({ rebuild }) => rebuild)) {
      const rebuilt = sessions.map((session) => (session.rebuild ? { ...session, rebuild: false } : session));
      world = { ...world, sessions: { ...world.sessions, sessions: rebuilt } };
    }
  }
  return world;
}

const WORK: Record<string, () => void> = {
  'detection and statistics (the fold of a cook)': () => {
    const { sessions } = folded('signals').sessions;
    if (sessions.length !== 1) throw new Error(`${sessions.length} sessions were found`);
  },
  'the fold of a logger, which has neither': () => void folded('datalogger'),
  'time-weighted figures of a session': () => {
    for (const probe of PROBES) {
      const held = new HeldValues();
      for (const { probeId, measuredAtMs, hundredths } of READ)
        if (probeId === probe && hundredths !== null) held.add({ measuredAtMs, hundredths });
      held.known({ fromMs: READ[0]?.measuredAtMs ?? 0, toMs: READ.at(-1)?.measuredAtMs ?? 0 });
    }
  },
  buckets: () => {
    const fromMs = Date.UTC(2026, 0, 1);
    for (const probe of PROBES)
      bucketsOf(
        READ.filter(({ probeId }) => probeId === probe),
        { fromMs, toMs: fromMs + HOURS * HOUR_MS },
        undefined,
      );
  },
};

async function seconds(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

/** By the program as built, in this process. */
async function recomputed({ env }: Servers, session: string): Promise<void> {
  const { runCli }: typeof import('../src/cli/index.js') = await dist('cli/index.js');
  let [stdout, stderr] = ['', ''];
  const code = await runCli(['session', 'recompute', session, '--json'], env, {
    stdin: process.stdin,
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  });
  const isWhole = stdout.includes(`"reading_count":${READINGS},`);
  if (code !== 0 || !isWhole)
    throw new Error(stderr || `not all readings were found: ${stdout.slice(0, 200)}`);
}

/** A session of that day, stored with its readings. */
async function createCook({ db }: Servers): Promise<{ session: string; probes: number[] }> {
  const { devices, nextMs } = await createHomes(db, 10);
  const probes = devices[0]?.probes ?? [];
  const end = new Date(nextMs + HOURS * HOUR_MS);
  await db.query('SELECT ensure_readings_partitions($1, $2)', [new Date(nextMs), end]);
  await db.query(
    `INSERT INTO readings (probe_id, measured_at, value, unit)
     SELECT probe, to_timestamp(ms / 1000), value / 100, 'C'
     FROM unnest($1::integer[], $2::float8[], $3::float8[]) AS r (probe, ms, value)`,
    [
      READ.map(({ probeId }) => probes[probeId - 1]),
      READ.map(({ measuredAtMs }) => nextMs + measuredAtMs - Date.UTC(2026, 0, 1)),
      READ.map(({ hundredths }) => hundredths),
    ],
  );
  await db.query('VACUUM ANALYZE readings');
  const { rows } = await db.query(
    `UPDATE grilling_sessions s SET status = 'completed', phase = 'ended', end_reason = 'cooled', end_time = $2
     FROM devices d WHERE d.device_id = s.device_id AND d.id = $1 RETURNING s.public_id AS session`,
    [devices[0]?.device, end],
  );
  return { session: rows[0]?.session, probes };
}
