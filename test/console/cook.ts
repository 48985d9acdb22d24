import type { DataSource } from 'typeorm';
import { z } from 'zod';

const MINUTE = 60_000;
const ids = z.array(z.object({ id: z.number() }));

/** Inserts a row, column by column; `public_id` is made up where the table has one. */
export async function insert(
  db: DataSource,
  table: string,
  { publicId = true, ...row }: Record<string, unknown>,
): Promise<number> {
  const given = publicId ? { ...row, public_id: crypto.randomUUID() } : row;
  const columns = Object.keys(given);
  const values = columns.map((_, index) => `$${index + 1}`);
  const rows: unknown = await db.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')}) RETURNING id`,
    Object.values(given),
  );
  return ids.parse(rows)[0]?.id ?? 0;
}

interface ProbeSeed {
  label?: string;
  role?: string;
  kind?: string;
  state?: string;
  unit?: string;
  /** Value at so many minutes before now; its last one is the probe's. */
  at?: (minutesAgo: number) => number;
  /** Of the newest reading. */
  minutesAgo?: number;
}

/** A probe with a reading each minute of the last two hours. */
export async function addProbe(
  db: DataSource,
  { now, userId, deviceId, probeId }: { now: Date; userId: number; deviceId: string; probeId: string },
  { label, role, kind = 'temperature', state = 'ok', unit = 'F', at, minutesAgo = 0.2 }: ProbeSeed,
): Promise<number> {
  const measuredAt = (minutes: number) => new Date(now.getTime() - (minutes + minutesAgo) * MINUTE);
  const id = await insert(db, 'probes', {
    publicId: false,
    user_id: userId,
    device_id: deviceId,
    probe_id: probeId,
    label,
    role,
    kind,
    state,
    last_value: at?.(0),
    last_unit: at && unit,
    last_measured_at: at && measuredAt(0),
  });
  const minutes = Array.from({ length: at ? 119 : 0 }, (_, n) => n);
  await db.query('SELECT ensure_readings_partitions($1, $2)', [measuredAt(130), measuredAt(0)]);
  await db.query(
    `INSERT INTO readings (probe_id, measured_at, value, unit)
     SELECT $1, t, v, $2 FROM unnest($3::timestamptz[], $4::real[]) AS r (t, v)`,
    [id, unit, minutes.map(measuredAt), minutes.map((m) => at?.(m))],
  );
  return id;
}

/** A brisket, a walk-in cooler and an account that must sign in again. */
export async function seedKitchen(db: DataSource, now: Date): Promise<void> {
  const ago = (minutes: number) => new Date(now.getTime() - minutes * MINUTE);
  const owner = (email: string, name: string, unit: string, zone: string) =>
    insert(db, 'users', { email, name, temperature_unit: unit, time_zone: zone });
  const account = (userId: number, status: string) =>
    insert(db, 'thermoworks_credentials', {
      user_id: userId,
      provider: 'thermoworks',
      thermoworks_uid: `uid-${userId}`,
      refresh_token: 'sealed',
      status,
    });
  const device = (userId: number, deviceId: string, nickname: string, rest: object = {}) =>
    insert(db, 'devices', {
      user_id: userId,
      device_id: deviceId,
      nickname,
      status: 'online',
      model: 'Signals',
      battery_percent: 78,
      last_seen_at: ago(0.2),
      ...rest,
    });
  const dana = await owner('dana@example.com', 'Dana Pike', 'F', 'America/Chicago');
  await account(dana, 'active');
  await device(dana, 'M100000001', 'Offset smoker');
  await device(dana, 'N200000007', 'Walk-in cooler', { model: 'Node', battery_percent: 12 });
  await device(dana, 'R300000003', 'RFX gateway', {
    model: 'RFX',
    battery_percent: null,
    last_seen_at: ago(83),
  });
  const smoker = { now, userId: dana, deviceId: 'M100000001' };
  const wave = (m: number, size: number, period: number) => size * Math.sin((m / period) * Math.PI * 2);
  const pit = await addProbe(
    db,
    { ...smoker, probeId: '1' },
    { label: 'Pit', role: 'pit', at: (m) => 248.4 + wave(m, 6, 31) + wave(m, 2, 7) },
  );
  const point = await addProbe(
    db,
    { ...smoker, probeId: '2' },
    { label: 'Brisket point', role: 'food', at: (m) => 203.2 - m * 0.21 },
  );
  const flat = await addProbe(
    db,
    { ...smoker, probeId: '3' },
    { label: 'Brisket flat', role: 'food', at: (m) => 197.6 - 0.0016 * m * m },
  );
  await addProbe(db, { ...smoker, probeId: '4' }, { state: 'absent' });
  const cooler = { now, userId: dana, deviceId: 'N200000007' };
  await addProbe(
    db,
    { ...cooler, probeId: '1' },
    {
      label: 'Air',
      role: 'storage',
      at: (m) => 37.1 + wave(m, 0.8, 25) + (m > 38 && m < 58 ? 6 - Math.abs(m - 48) * 0.6 : 0),
    },
  );
  await addProbe(
    db,
    { ...cooler, probeId: '2' },
    { label: 'Humidity', kind: 'humidity', unit: 'H', at: (m) => 61 + wave(m, 3, 40) },
  );
  await addProbe(
    db,
    { now, userId: dana, deviceId: 'R300000003', probeId: '1' },
    { label: 'Chicken', role: 'food', state: 'stale', at: (m) => 151.3 - m * 0.4, minutesAgo: 83 },
  );
  const session = await insert(db, 'grilling_sessions', {
    user_id: dana,
    device_id: 'M100000001',
    name: 'Brisket',
    start_time: ago(627),
  });
  for (const [probe, low, mean, high] of [
    [pit, 221.4, 246.9, 268.1],
    [point, 41.2, 158.75, 203.2],
    [flat, 40.8, 154.03, 197.6],
  ]) {
    await db.query(
      `INSERT INTO session_probe_stats VALUES ($1, $2, 600, 0, $3, now(), $4, now(), $5, now(), now())`,
      [session, probe, low, high, mean],
    );
  }
  const alert = (row: object) =>
    insert(db, 'temperature_alerts', {
      user_id: dana,
      device_id: 'M100000001',
      temperature_unit: 'F',
      ...row,
    });
  const done = await alert({
    probe_id: '2',
    name: 'Brisket done',
    alert_type: 'target',
    target_temperature: 203,
    direction: 'up',
  });
  const range = await alert({
    probe_id: '1',
    name: 'Pit',
    alert_type: 'range',
    min_temperature: 225,
    max_temperature: 275,
  });
  const wrap = await alert({ probe_id: '3', alert_type: 'target', target_temperature: 203, direction: 'up' });
  await alert({
    device_id: 'N200000007',
    probe_id: '1',
    name: 'Cold enough',
    alert_type: 'range',
    max_temperature: 41,
  });
  const state = (alertId: number, side: string, phase: string) =>
    db.query(`INSERT INTO alert_states (alert_id, side, tier, phase) VALUES ($1, $2, 'warning', $3)`, [
      alertId,
      side,
      phase,
    ]);
  await state(done, 'up', 'firing');
  await state(range, 'low', 'inactive');
  await state(range, 'high', 'inactive');
  await state(wrap, 'up', 'pending');
  const event = (
    alertId: number,
    side: string,
    kind: string,
    version: number,
    value: number,
    minutes: number,
  ) =>
    insert(db, 'alert_events', {
      alert_id: alertId,
      side,
      tier: 'warning',
      kind,
      version,
      value,
      unit: 'F',
      measured_at: ago(minutes),
    });
  await event(range, 'low', 'fired', 1, 223.9, 311);
  await event(range, 'low', 'resolved', 2, 231.4, 296);
  await event(done, 'up', 'fired', 1, 203.2, 0.2);
  const kitchen = await owner('kitchen@example.com', 'Canteen North', 'C', 'Europe/Berlin');
  await account(kitchen, 'needs_reauth');
  await device(kitchen, 'B400000002', 'BlueDOT blast chiller', { model: 'BlueDOT', last_seen_at: ago(2000) });
  await addProbe(
    db,
    { now, userId: kitchen, deviceId: 'B400000002', probeId: '1' },
    { unit: 'C', at: () => -18.4, minutesAgo: 2000 },
  );
}
