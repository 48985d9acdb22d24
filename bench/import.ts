import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { BRISKET, type Cook, meatF, pitF } from '../src/simulator/cook.js';
import { TEST_POOL } from '../test/support/pool-settings.js';
import { openServers, type Servers } from './servers.js';
import { median, type Options, type Row } from './table.js';

const EVERY_MS = 10_000;
const DAY_MS = 24 * 3_600_000;
const DAYS = { small: 2, full: 8 };
const TURNS = { small: 2, full: 5 };
const PROBES = ['1', '2', '3', '4'];
const DEVICE = 'M100000001';
const START = Date.UTC(2026, 9, 1);
const DOCUMENTS = 'projects/bench/databases/(default)/documents';

/** A brisket a day: twelve hours of heat, three probes in the meat. */
const COOK: Cook = {
  ...{ setPointF: 250, heatSeconds: 43_200, periodSeconds: 86_400, startSeconds: 3600, phase: 0.3 },
  meat: BRISKET,
};

type Row4 = [channel: string, ms: number, value: number, unit: string];

function rowsOf(day: number): Row4[] {
  return PROBES.flatMap((channel, probe) =>
    Array.from({ length: DAY_MS / EVERY_MS }, (_, n): Row4 => {
      const ms = START + day * DAY_MS + n * EVERY_MS;
      const seconds = (ms - START) / 1000 - probe * 60;
      const value = probe === 0 ? pitF(COOK, seconds) : meatF(COOK, seconds);
      return [channel, ms, Math.round(value * 10) / 10, 'F'];
    }),
  );
}

/** `account import` of days at ten seconds and four probes, from files that are there at once, beside COPY of the same rows. */
export async function benchImport({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  try {
    const days = DAYS[isSmall ? 'small' : 'full'];
    const rows = Array.from({ length: days }, (_, day) => rowsOf(day));
    const cloud = await serve(servers, rows);
    await servers.db.query('CREATE TABLE copied (LIKE readings INCLUDING INDEXES)');
    const turns: { ours: number; copy: number; cpu: number }[] = [];
    for (let turn = 0; turn < TURNS[isSmall ? 'small' : 'full']; turn++) {
      const ids = await prepare(servers);
      const copy = await copyRows(servers, rows, ids);
      const before = process.cpuUsage();
      const ours = await importRows(servers, cloud, days);
      const { user, system } = process.cpuUsage(before);
      await checkRows(servers, days);
      turns.push({ ours, copy, cpu: (user + system) / rows.flat().length });
      say(`import: ${JSON.stringify(turns.at(-1))}`);
    }
    const middle = (pick: (turn: (typeof turns)[number]) => number) => median(turns.map(pick));
    const cpu = `${middle((turn) => turn.cpu).toFixed(1)} µs of a processor for each, PostgreSQL aside`;
    return [
      {
        figure: 'import',
        what: `archives of ${days} days, 4 probes, 10 s`,
        value: middle((turn) => turn.ours),
        unit: 'readings/s',
        anchor: { what: 'COPY', value: middle((turn) => turn.copy), unit: 'readings/s' },
        ratio: middle((turn) => turn.ours / turn.copy),
        note: `${rows.flat().length} rows a turn, downloaded, parsed, stored, one cook found in each day; ${cpu}`,
      },
    ];
  } finally {
    await servers.close();
  }
}

/** Lists and files of archives as the cloud has them, and nothing else of it. */
async function serve({ onClose }: Servers, days: readonly Row4[][]): Promise<string> {
  const files = days.map((readings) => JSON.stringify({ serial: DEVICE, readings }));
  const documents = days.map((rows, day) => {
    const at = (ms: number) => ({ timestampValue: new Date(ms).toISOString() });
    const [start, end] = [at(START + day * DAY_MS), at(START + (day + 1) * DAY_MS - EVERY_MS)];
    const count = { integerValue: String(rows.length) };
    const fields = { start, end, createdOn: end, count, filename: { stringValue: String(day) } };
    return { name: `${DOCUMENTS}/devices/${DEVICE}/archive/day${day}`, updateTime: 'u', fields };
  });
  const list = JSON.stringify({ documents: documents.toReversed() });
  const server = createServer(({ url = '' }, response) => {
    const [, day] = /\/o\/(\d+)\?/.exec(url) ?? [];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(day === undefined ? list : files[Number(day)]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onClose('cloud', () => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** A user with one device and nothing measured. @returns ids of its probes */
async function prepare({ db }: Servers): Promise<number[]> {
  await db.query('TRUNCATE users, readings, copied RESTART IDENTITY CASCADE');
  await db.query(
    `INSERT INTO users (public_id, email, password_hash) VALUES (gen_random_uuid(), 'a@example.com', '!')`,
  );
  await db.query(
    `INSERT INTO devices (public_id, user_id, device_id, type, recording_interval_seconds)
     SELECT gen_random_uuid(), id, $1, 'signals', 10 FROM users`,
    [DEVICE],
  );
  const { rows } = await db.query(
    `INSERT INTO probes (user_id, device_id, probe_id, label)
     SELECT id, $1, n::text, CASE n WHEN 1 THEN 'Pit' ELSE 'Meat ' || n END FROM users, generate_series(1, 4) n
     RETURNING id`,
    [DEVICE],
  );
  await db.query('VACUUM (ANALYZE)');
  await db.query('CHECKPOINT');
  return rows.map(({ id }) => id);
}

/** By the program as built. @returns readings a second */
async function importRows({ env }: Servers, url: string, days: number): Promise<number> {
  const built = (path: string) => join(import.meta.dirname, '../dist', path);
  const { importArchives }: typeof import('../src/backfill/import-account.js') = await import(
    built('backfill/import-account.js')
  );
  const { createDatabase }: typeof import('../src/database.js') = await import(built('database.js'));
  const { createCloudClient }: typeof import('../src/thermoworks/cloud-client.js') = await import(
    built('thermoworks/cloud-client.js')
  );
  const hosts = { firebase: url, identity: url, token: url, firestore: url, storage: url };
  const app = { apiKey: 'k', appId: 'a', referer: url, projectId: 'bench', storageBucket: 'bench' };
  const client = createCloudClient({ provider: { name: 'thermoworks', ...app, hosts } });
  const { dataSource } = createDatabase({ url: env.DATABASE_URL, pool: TEST_POOL });
  await dataSource.initialize();
  try {
    const call = <T>(request: (token: string) => Promise<T>) => request('t');
    const rest = { onProgress: () => undefined, signal: new AbortController().signal };
    const range = { since: new Date(0), keptSince: new Date(0) };
    const startMs = performance.now();
    let stored = 0;
    for await (const one of importArchives({ dataSource, client, call, ...rest }, 1, range))
      stored += one.stored;
    const seconds = (performance.now() - startMs) / 1000;
    if (stored !== (days * PROBES.length * DAY_MS) / EVERY_MS) throw new Error(`stored ${stored}`);
    return stored / seconds;
  } finally {
    client.close();
    await dataSource.destroy();
  }
}

async function copyRows(
  { db, folder }: Servers,
  days: readonly Row4[][],
  ids: readonly number[],
): Promise<number> {
  const file = join(folder, 'archives.txt');
  const lines = days
    .flat()
    .map(
      ([channel, ms, value, unit]) =>
        `${ids[Number(channel) - 1]}\t${new Date(ms).toISOString()}\t${value}\t${unit}\t48\n`,
    );
  writeFileSync(file, lines.join(''), { mode: 0o644 });
  const startMs = performance.now();
  await db.query(`COPY copied FROM '${file}'`);
  return lines.length / ((performance.now() - startMs) / 1000);
}

async function checkRows({ db }: Servers, days: number): Promise<void> {
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM (TABLE readings EXCEPT TABLE copied) x)::integer AS wrong,
       (SELECT count(*) FROM readings)::integer - (SELECT count(*) FROM copied)::integer AS missing,
       (SELECT count(*) FROM grilling_sessions)::integer AS sessions`,
  );
  const [{ wrong, missing, sessions }] = rows;
  if (wrong !== 0 || missing !== 0 || sessions !== days)
    throw new Error(`not exact: ${JSON.stringify(rows)}`);
}
