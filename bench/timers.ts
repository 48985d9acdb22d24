import { createDatabase } from '../src/database.js';
import { createIngest } from '../src/ingest/ingest.js';
import { createTimers } from '../src/worker/maintenance.js';
import { TEST_POOL } from '../test/support/pool-settings.js';
import { createHomes, PROBES_PER_DEVICE } from './homes.js';
import { openServers } from './servers.js';
import { median, type Options, type Row } from './table.js';

const ALERTS = 100_000;
const DUE = 10;
const TURNS = 15;
/** Long after the cloud's clock. */
const NOT_DUE = "timestamptz '2100-01-01'";

/** A look at the timers when those of ten devices of 25,000 are due, beside the same ten with no others. */
export async function benchTimers({ say }: Options): Promise<Row[]> {
  const few = await lookAt(DUE);
  const many = await lookAt(ALERTS / PROBES_PER_DEVICE);
  say(`timers: ${JSON.stringify({ few, many })}`);
  const note = `${TURNS} looks; each of the ${DUE} devices fires the alerts of its ${PROBES_PER_DEVICE} probes`;
  return [
    rowOf(`${DUE} of ${ALERTS / PROBES_PER_DEVICE} devices due`, many.due, few.due, note),
    rowOf('none due', many.idle, few.idle),
  ];
}

/** Median milliseconds of a look at so many devices, when ten of them are due and when none is. */
async function lookAt(devices: number): Promise<{ due: number; idle: number }> {
  const servers = await openServers();
  try {
    const { db } = servers;
    const { dataSource } = createDatabase({ url: servers.env.DATABASE_URL, pool: TEST_POOL });
    await dataSource.initialize();
    servers.onClose('data source', () => dataSource.destroy());
    const told: number[] = [];
    const look = createTimers({
      dataSource,
      ingest: createIngest({ dataSource }),
      onCommit: ({ transitions }) => told.push(transitions.length),
    });
    await createHomes(db, devices);
    for (const sql of WATCHED) await db.query(sql);
    await db.query('VACUUM (ANALYZE)');
    const times: { due: number[]; idle: number[] } = { due: [], idle: [] };
    for (let turn = 0; turn < TURNS; turn++) {
      await db.query(MAKE_DUE);
      times.due.push(await timeOf(look));
      times.idle.push(await timeOf(look));
    }
    if (told.length !== TURNS || told.some((count) => count !== DUE * PROBES_PER_DEVICE))
      throw new Error(`not exact: ${told.join(' ')}`);
    return { due: median(times.due), idle: median(times.idle) };
  } finally {
    await servers.close();
  }
}

function rowOf(what: string, value: number, bare: number, note?: string): Row {
  return {
    figure: 'timers',
    what: `${ALERTS.toLocaleString('en')} alerts, ${what}`,
    value,
    unit: 'ms',
    anchor: { what: `${DUE * PROBES_PER_DEVICE} alerts`, value: bare, unit: 'ms' },
    ratio: value / bare,
    ...(note !== undefined && { note }),
  };
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** Accounts, stores instead of cooks, a no-data alert on each probe, each heard of at the cloud's present time, and no timer due. */
const WATCHED = [
  `INSERT INTO thermoworks_credentials (public_id, user_id, provider, thermoworks_uid, account_id, access_token, refresh_token, expires_at,
     status, cloud_read_at, last_polled_at)
   SELECT gen_random_uuid(), u.id, 'thermoworks', 'u' || u.id, 'a' || u.id, '', '', now(), 'active', now(), now() FROM users u`,
  `UPDATE temperature_alerts SET alert_type = 'no_data', target_temperature = NULL, direction = NULL, min_temperature = NULL,
     max_temperature = NULL, silence_minutes = 10`,
  `DELETE FROM alert_states`,
  `INSERT INTO alert_states (alert_id, side, tier, phase) SELECT id, 'high', 'warning', 'pending' FROM temperature_alerts`,
  'DELETE FROM grilling_sessions',
  `UPDATE probes SET role = 'storage', last_measured_at = now(), last_value = 200, last_unit = 'F'`,
  `INSERT INTO detection_states (device_id, state, due_at) SELECT id, '{"probes":{}}', ${NOT_DUE} FROM devices`,
];

/** The first devices' probes were heard of an hour ago, and the first look has been. */
const MAKE_DUE = `
  WITH late AS (
    UPDATE devices SET updated_at = now() WHERE id IN (SELECT id FROM devices ORDER BY id LIMIT ${DUE}) RETURNING id, device_id
  ), heard AS (
    UPDATE probes p SET last_measured_at = now() - interval '1 hour' FROM late WHERE p.device_id = late.device_id RETURNING p.id
  ), armed AS (
    UPDATE alert_states s SET phase = 'pending', evaluated_at = NULL, fired_at = NULL, told_at = NULL, is_announced = false
    FROM temperature_alerts a JOIN late USING (device_id) WHERE s.alert_id = a.id RETURNING s.alert_id
  )
  UPDATE detection_states s SET due_at = now() - interval '50 minutes'
  FROM late WHERE s.device_id = late.id AND (SELECT count(*) FROM heard) + (SELECT count(*) FROM armed) > 0`;
