import type pg from 'pg';
import type { JobSample, ReadingsJob } from '../src/queues/jobs.js';

export const PROBES_PER_DEVICE = 4;
const DEVICES_PER_ACCOUNT = 10;
/** Between two readings of a probe. */
const INTERVAL_SECONDS = 15;

/** Accounts of ten devices, each with a cook under way: a pit and three foods, with an alert on each probe. */
const HOMES = [
  `INSERT INTO users (public_id, email, password_hash)
   SELECT gen_random_uuid(), 'cook' || n || '@example.com', '!' FROM generate_series(1, $1::integer) n`,
  `INSERT INTO devices (public_id, user_id, device_id, type, transmit_interval_seconds)
   SELECT gen_random_uuid(), u.id, 'M1' || lpad((u.id * ${DEVICES_PER_ACCOUNT} + n)::text, 8, '0'), 'signals', ${INTERVAL_SECONDS}
   FROM users u, generate_series(1, ${DEVICES_PER_ACCOUNT}) n ORDER BY u.id, n`,
  `INSERT INTO probes (user_id, device_id, probe_id, label, role)
   SELECT d.user_id, d.device_id, n::text, 'Probe ' || n, CASE n WHEN 1 THEN 'pit' ELSE 'food' END
   FROM devices d, generate_series(1, ${PROBES_PER_DEVICE}) n ORDER BY d.id, n`,
  `INSERT INTO grilling_sessions (public_id, user_id, device_id, start_time)
   SELECT gen_random_uuid(), user_id, device_id, $1::timestamptz FROM devices`,
  `INSERT INTO session_members (session_id, probe_id, role)
   SELECT s.id, p.id, p.role FROM grilling_sessions s JOIN probes p USING (user_id, device_id)`,
  `INSERT INTO temperature_alerts (public_id, user_id, device_id, probe_id, alert_type, target_temperature, direction,
     min_temperature, max_temperature, hysteresis, recovery_seconds, hold_seconds)
   SELECT gen_random_uuid(), user_id, device_id, probe_id, CASE role WHEN 'pit' THEN 'range' ELSE 'target' END,
     CASE role WHEN 'food' THEN 203 END, CASE role WHEN 'food' THEN 'up' END,
     CASE role WHEN 'pit' THEN 200 END, CASE role WHEN 'pit' THEN 275 END, 1, 120, 1 FROM probes`,
  `INSERT INTO alert_states (alert_id, side, tier, phase, rearm_ms)
   SELECT id, side, 'warning', 'inactive', -1 FROM temperature_alerts, unnest(CASE alert_type WHEN 'range' THEN ARRAY['low', 'high']
     ELSE ARRAY['up'] END) side`,
];

export interface Homes {
  /** Of the next readings. */
  nextMs: number;
  devices: { account: number; device: number; probes: number[] }[];
}

/** Nine more for each probe, of every type that watches one. */
const MORE_ALERTS = [
  `INSERT INTO temperature_alerts (public_id, user_id, device_id, probe_id, alert_type, target_temperature, direction,
     min_temperature, max_temperature, critical_max_temperature, threshold_value, window_seconds, silence_minutes, hysteresis,
     recovery_seconds, hold_seconds)
   SELECT gen_random_uuid(), user_id, device_id, probe_id, more.* FROM probes, (VALUES
     ('target', 190, 'up', NULL, NULL, NULL, NULL, NULL, NULL, 1, 120, 1),
     ('target', 160, 'up', NULL, NULL, NULL, NULL, NULL, NULL, 1, 120, 60),
     ('target', 300, 'up', NULL, NULL, NULL, NULL, NULL, NULL, 1, 120, 1),
     ('range', NULL, NULL, 32, 280, NULL, NULL, NULL, NULL, 1, 120, 60),
     ('range', NULL, NULL, NULL, 290, 310, NULL, NULL, NULL, 1, 120, 180),
     ('range', NULL, NULL, 20, NULL, NULL, NULL, NULL, NULL, 1, 120, 60),
     ('rising', NULL, NULL, NULL, NULL, NULL, 27, 600, NULL, 13.5, 120, 0),
     ('no_data', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 10, 0, 0, 0),
     ('probe_removed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0)
   ) AS more (a, b, c, d, e, f, g, h, i, j, k, l)`,
  `INSERT INTO alert_states (alert_id, side, tier, phase, rearm_ms, recent)
   SELECT id, side, tier, 'inactive', -1, CASE alert_type WHEN 'rising' THEN '[]'::jsonb END
   FROM temperature_alerts, LATERAL (VALUES ('low', 'warning', min_temperature), ('high', 'warning', max_temperature),
     ('high', 'critical', critical_max_temperature), ('up', 'warning', coalesce(target_temperature, threshold_value)),
     ('high', 'warning', silence_minutes), ('high', 'warning', CASE alert_type WHEN 'probe_removed' THEN 0 END)
   ) AS state (side, tier, number) WHERE number IS NOT NULL
   ON CONFLICT DO NOTHING`,
];

/** Ten alerts a probe instead of one. */
export async function addAlerts(db: pg.Client): Promise<void> {
  for (const sql of MORE_ALERTS) await db.query(sql);
}

/** @param devices a multiple of ten */
export async function createHomes(db: pg.Client, devices: number): Promise<Homes> {
  const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 24 * 3_600_000;
  for (const sql of HOMES) {
    const given = sql.includes('$1::integer') ? devices / DEVICES_PER_ACCOUNT : new Date(startMs);
    await db.query(sql, sql.includes('$1') ? [given] : []);
  }
  await db.query('ANALYZE');
  const { rows } = await db.query(
    `SELECT d.user_id AS account, d.id AS device, array_agg(p.id ORDER BY p.id) AS probes
     FROM devices d JOIN probes p USING (device_id) GROUP BY d.id ORDER BY d.id`,
  );
  return { nextMs: startMs, devices: rows };
}

/**
 * So many polls' news of every device, one reading of each probe a poll, in the order in which polls bring them;
 * `perJob` readings (whole devices of one account) make a job.
 */
export function nextJobs(
  homes: Homes,
  { rounds, perJob }: { rounds: number; perJob: number },
): ReadingsJob[] {
  const jobs: ReadingsJob[] = [];
  const devicesPerJob = perJob / PROBES_PER_DEVICE;
  for (let round = 0; round < rounds; round++) {
    const atMs = homes.nextMs;
    for (let first = 0; first < homes.devices.length; first += devicesPerJob) {
      const devices = homes.devices.slice(first, first + devicesPerJob);
      const probes = devices.flatMap(({ device, probes: ids }) =>
        ids.map((probe, index) => ({ device, probe, samples: [sampleOf(probe, index === 0, atMs)] })),
      );
      const previousPollMs = atMs - INTERVAL_SECONDS * 1000;
      jobs.push({
        version: 1,
        account: devices[0]?.account ?? 0,
        previousPollMs,
        failedBetween: false,
        probes,
      });
    }
    homes.nextMs += INTERVAL_SECONDS * 1000;
  }
  return jobs;
}

/** A pit that swings 8 °F about 245 °F; a food that climbs for twelve hours, some past its target. In tenths, as reported. */
function sampleOf(probe: number, isPit: boolean, atMs: number): JobSample {
  const hours = (atMs / 3_600_000) % 24;
  const noise = (((probe * 7919 + Math.floor(atMs / 1000) * 104_729) % 1000) - 500) / 100;
  const value = isPit ? 245 + 1.6 * noise : 60 + (probe % 30) + 130 * (1 - Math.exp(-hours / 4)) + noise / 10;
  return [atMs + (probe % 1000), Math.round(value * 10) / 10, 'F', 0];
}
