import type { EntityManager } from 'typeorm';
import { loadAlerts } from '../alerts/load-alerts.js';
import { arrayOf, epochMs, numbersOf } from '../array-literal.js';
import { groupBy } from '../group-by.js';
import { type ProbeCondition, type ProbeRole, toHundredths, type Unit } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';
import { dueAtMs } from '../sessions/detection.js';
import { emptyDetection, parseDetection } from '../sessions/detection-state.js';
import { loadSessions } from '../sessions/session-store.js';
import { alertsDueMs, meansToCook, WHOLE_DEVICE } from './missed.js';
import type { AlertInstance, Gap, IngestWorld, ProbeState } from './types.js';

/** A probe with its device, as the columns' types and CHECKs have it; times are epoch ms. */
interface WorldRow {
  device_row: number;
  device_id: string;
  owner_id: number;
  type: string | null;
  model: string | null;
  temperature_unit: TemperatureUnit;
  time_zone: string | null;
  /** Only with the device's first probe. */
  detection: unknown;
  probe: number;
  probe_user: number;
  label: string | null;
  kind: 'temperature' | 'humidity';
  role: ProbeRole | null;
  has_alarm: boolean;
  state: ProbeCondition;
  last_unit: Unit | null;
  learned_interval_seconds: number | null;
  numbers: [
    transmitSeconds: number | null,
    recordingSeconds: number | null,
    stateMs: number | null,
    lastValue: number | null,
    lastMs: number | null,
  ];
}

/**
 * Takes these devices for this transaction, in order of their ids. Whoever changes a device's probes, sessions or
 * alert states holds this lock, so that two workers neither deadlock nor see each other's half.
 */
export async function lockDevices(tx: EntityManager, deviceRows: readonly number[]): Promise<void> {
  await tx.query('SELECT id FROM devices WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE', [deviceRows]);
}

/** A cloud alarm that high is for a cook. */
const INTENT_CELSIUS = 50;

const NUMBERS = numbersOf(
  'd.transmit_interval_seconds',
  'd.recording_interval_seconds',
  epochMs('p.state_at'),
  'p.last_value',
  epochMs('p.last_measured_at'),
);

/**
 * Loads what readings of these devices, the oldest from `fromMs`, can change; by `devices.id`. Three statements, after
 * {@link lockDevices}. A former owner's probes and ended sessions are there too, so that late readings are stored and
 * counted; they take no part in the present owner's sessions.
 */
export async function loadWorlds(
  tx: EntityManager,
  deviceRows: readonly number[],
  fromMs: number,
): Promise<Map<number, IngestWorld>> {
  const rows = await tx.query<WorldRow[]>(
    `SELECT d.id AS device_row, d.device_id, d.user_id AS owner_id, d.type, d.model,
       coalesce(u.temperature_unit, 'F') AS temperature_unit, u.time_zone,
       CASE WHEN row_number() OVER (PARTITION BY d.id ORDER BY p.id) = 1 THEN s.state END AS detection,
       p.id AS probe, p.user_id AS probe_user, p.label, p.kind, p.role, p.state, p.last_unit,
       coalesce(p.high_alarm_celsius >= ${INTENT_CELSIUS}, false) AS has_alarm,
       p.learned_interval_seconds, ${NUMBERS} AS numbers
     FROM devices d
     JOIN users u ON u.id = d.user_id
     JOIN probes p ON p.device_id = d.device_id
     LEFT JOIN detection_states s ON s.device_id = d.id
     WHERE d.id = ANY($1) ORDER BY d.id, p.id`,
    [deviceRows],
  );
  const groups = [...groupBy(rows, (row) => row.device_row).values()];
  const sessions = groupBy(
    await loadSessions(
      tx,
      groups.flatMap(([row]) => row?.device_id ?? []),
      fromMs,
    ),
    ({ deviceId }) => deviceId,
  );
  const alerts = groupBy(
    await loadAlerts(
      tx,
      groups.flat().map(({ probe }) => probe),
      deviceRows,
    ),
    ({ probeId }) => probeId,
  );
  const worlds = new Map<number, IngestWorld>();
  for (const rowsOfDevice of groups) {
    const [row] = rowsOfDevice;
    if (!row) continue;
    const theirs = (sessions.get(row.device_id) ?? []).filter(
      ({ userId, status }) => userId === row.owner_id || status !== 'active',
    );
    worlds.set(row.device_row, toWorld(row, rowsOfDevice, theirs, alerts));
  }
  return worlds;
}

function toWorld(
  row: WorldRow,
  rows: WorldRow[],
  sessions: IngestWorld['sessions']['sessions'],
  alerts: Map<number, AlertInstance[]>,
): IngestWorld {
  const probes = rows
    .filter(({ probe_user }) => probe_user === row.owner_id)
    .map(({ probe, kind, label, role, has_alarm }) => {
      const hasIntent = has_alarm || meansToCook(alerts.get(probe));
      return { id: probe, kind, label, role, hasIntent };
    });
  return {
    sessions: {
      device: {
        id: row.device_row,
        deviceId: row.device_id,
        userId: row.owner_id,
        type: row.type,
        model: row.model,
        temperatureUnit: row.temperature_unit,
        timeZone: row.time_zone,
        probes,
      },
      detection: row.detection === null ? emptyDetection() : parseDetection(row.detection),
      sessions,
    },
    statedIntervalSeconds: row.numbers[0],
    recordingIntervalSeconds: row.numbers[1],
    reportsOnChange: reportsOnChange(row),
    probes: new Map(rows.map((probe) => [probe.probe, toProbeState(probe)])),
    alerts: new Map([
      [WHOLE_DEVICE, alerts.get(-row.device_row) ?? []],
      ...rows.map(({ probe }): [number, AlertInstance[]] => [probe, alerts.get(probe) ?? []]),
    ]),
  };
}

/** RFX meat probes send when the temperature moved by a step; the interval they state means nothing. */
export function reportsOnChange({ type, model }: { type: string | null; model: string | null }): boolean {
  return /^rfx meat$/i.test(model ?? '') || /^rfx meat$/i.test(type ?? '');
}

function toProbeState(row: WorldRow): ProbeState {
  const [, , conditionMs, lastValue, lastMs] = row.numbers;
  return {
    id: row.probe,
    lastMs,
    lastHundredths: lastValue === null ? null : toHundredths(lastValue),
    lastUnit: row.last_unit,
    condition: row.state,
    conditionMs,
    learnedIntervalSeconds: row.learned_interval_seconds,
  };
}

/** An archive of a gap may have been made meanwhile, or comes later. */
const LOOK_FOR_ARCHIVES = `, due AS (
  UPDATE devices SET archives_due_at = now() + interval '5 minutes'
  WHERE archives_due_at IS NULL AND device_id IN (SELECT device_id FROM probes WHERE id = ANY($8)))`;

/** Stores the probes that changed, and the gaps that their readings ended: one statement. */
export async function saveProbes(
  tx: EntityManager,
  probes: readonly ProbeState[],
  gaps: readonly Gap[],
): Promise<void> {
  if (probes.length === 0) return;
  const sorted = probes.toSorted((a, b) => a.id - b.id);
  const column = (pick: (probe: ProbeState) => number | string | null) => arrayOf(sorted.map(pick));
  const sortedGaps = gaps.toSorted((a, b) => a.probeId - b.probeId || a.startMs - b.startMs);
  await tx.query(
    `WITH gap AS (
       INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause)
       SELECT probe_id, to_timestamp(start_ms / 1000), to_timestamp(end_ms / 1000), cause
       FROM unnest($8::integer[], $9::float8[], $10::float8[], $11::varchar[]) AS new (probe_id, start_ms, end_ms, cause)
       ON CONFLICT DO NOTHING
     )${sortedGaps.length > 0 ? LOOK_FOR_ARCHIVES : ''}
     UPDATE probes SET last_measured_at = to_timestamp(new.ms / 1000), last_value = new.hundredths / 100,
       last_unit = new.unit, learned_interval_seconds = new.learned, state = new.state,
       state_at = to_timestamp(new.state_ms / 1000), updated_at = now()
     FROM unnest($1::integer[], $2::float8[], $3::float8[], $4::char(1)[], $5::real[], $6::varchar[], $7::float8[])
       AS new (id, ms, hundredths, unit, learned, state, state_ms)
     WHERE probes.id = new.id`,
    [
      column(({ id }) => id),
      column(({ lastMs }) => lastMs),
      column(({ lastHundredths }) => lastHundredths),
      column(({ lastUnit }) => lastUnit),
      column(({ learnedIntervalSeconds }) => learnedIntervalSeconds),
      column(({ condition }) => condition),
      column(({ conditionMs }) => conditionMs),
      sortedGaps.map(({ probeId }) => probeId),
      sortedGaps.map(({ startMs }) => startMs),
      sortedGaps.map(({ endMs }) => endMs),
      sortedGaps.map(({ cause }) => cause),
    ],
  );
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Stores what detection remembers of these devices and when it must look again, one statement. */
export async function saveDetections(tx: EntityManager, worlds: readonly IngestWorld[]): Promise<void> {
  if (worlds.length === 0) return;
  const rows = worlds
    .map((world) => ({
      id: world.sessions.device.id,
      state: world.sessions.detection,
      dueMs: earlier(dueAtMs(world.sessions), alertsDueMs(world)),
    }))
    .toSorted((a, b) => a.id - b.id);
  await tx.query(
    `INSERT INTO detection_states (device_id, state, due_at)
     SELECT id, state, to_timestamp("dueMs" / 1000)
     FROM json_to_recordset($1) AS new (id integer, state json, "dueMs" float8)
     ON CONFLICT (device_id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at`,
    [JSON.stringify(rows)],
  );
}
