import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { loadAlerts } from '../alerts/alert-store.js';
import { groupBy } from '../group-by.js';
import { toHundredths } from '../readings/sample.js';
import { dueAtMs } from '../sessions/detection.js';
import { emptyDetection, parseDetection } from '../sessions/detection-state.js';
import { loadSessions } from '../sessions/session-store.js';
import type { AlertInstance, Gap, IngestWorld, ProbeState } from './types.js';

const instant = z.date().transform((date) => date.getTime());
const worldRow = z.object({
  device_row: z.number(),
  device_id: z.string(),
  owner_id: z.number(),
  type: z.string().nullable(),
  model: z.string().nullable(),
  transmit_interval_seconds: z.number().nullable(),
  recording_interval_seconds: z.number().nullable(),
  temperature_unit: z.enum(['F', 'C']),
  detection: z.unknown(),
  probe: z.number(),
  probe_user: z.number(),
  label: z.string().nullable(),
  kind: z.enum(['temperature', 'humidity']),
  role: z.enum(['pit', 'food', 'storage', 'other']).nullable(),
  state: z.enum(['ok', 'absent', 'disabled', 'fault', 'stale']),
  state_at: instant.nullable(),
  last_value: z.number().nullable(),
  last_unit: z.enum(['F', 'C', 'H']).nullable(),
  last_measured_at: instant.nullable(),
  learned_interval_seconds: z.number().nullable(),
});
type WorldRow = z.infer<typeof worldRow>;

/**
 * Takes these devices for this transaction, in order of their ids. Whoever changes a device's probes, sessions or
 * alert states holds this lock, so that two workers neither deadlock nor see each other's half.
 */
export async function lockDevices(tx: EntityManager, deviceRows: readonly number[]): Promise<void> {
  await tx.query('SELECT id FROM devices WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE', [deviceRows]);
}

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
  const rows: unknown = await tx.query(
    `SELECT d.id AS device_row, d.device_id, d.user_id AS owner_id, d.type, d.model, d.transmit_interval_seconds,
       d.recording_interval_seconds,
       coalesce(u.temperature_unit, 'F') AS temperature_unit, s.state AS detection,
       p.id AS probe, p.user_id AS probe_user, p.label, p.kind, p.role, p.state, p.state_at, p.last_value, p.last_unit,
       p.last_measured_at, p.learned_interval_seconds
     FROM devices d
     JOIN users u ON u.id = d.user_id
     JOIN probes p ON p.device_id = d.device_id
     LEFT JOIN detection_states s ON s.device_id = d.id
     WHERE d.id = ANY($1) ORDER BY d.id, p.id`,
    [deviceRows],
  );
  const groups = [...groupBy(z.array(worldRow).parse(rows), (row) => row.device_row).values()];
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
    .map(({ probe, kind, label, role }) => ({ id: probe, kind, label, role }));
  return {
    sessions: {
      device: {
        id: row.device_row,
        deviceId: row.device_id,
        userId: row.owner_id,
        type: row.type,
        model: row.model,
        temperatureUnit: row.temperature_unit,
        probes,
      },
      detection: row.detection === null ? emptyDetection() : parseDetection(row.detection),
      sessions,
    },
    statedIntervalSeconds: row.transmit_interval_seconds,
    recordingIntervalSeconds: row.recording_interval_seconds,
    reportsOnChange: reportsOnChange(row),
    probes: new Map(rows.map((probe) => [probe.probe, toProbeState(probe)])),
    alerts: new Map(rows.map(({ probe }) => [probe, alerts.get(probe) ?? []])),
  };
}

/** RFX meat probes send when the temperature moved by a step; the interval they state means nothing. */
export function reportsOnChange({ type, model }: { type: string | null; model: string | null }): boolean {
  return /^rfx meat$/i.test(model ?? '') || /^rfx meat$/i.test(type ?? '');
}

function toProbeState(row: WorldRow): ProbeState {
  return {
    id: row.probe,
    lastMs: row.last_measured_at,
    lastHundredths: row.last_value === null ? null : toHundredths(row.last_value),
    lastUnit: row.last_unit,
    condition: row.state,
    conditionMs: row.state_at,
    learnedIntervalSeconds: row.learned_interval_seconds,
  };
}

/** Stores the probes that changed, and the gaps that their readings ended: one statement. */
export async function saveProbes(
  tx: EntityManager,
  probes: readonly ProbeState[],
  gaps: readonly Gap[],
): Promise<void> {
  if (probes.length === 0) return;
  const sorted = probes.toSorted((a, b) => a.id - b.id);
  const sortedGaps = gaps.toSorted((a, b) => a.probeId - b.probeId || a.startMs - b.startMs);
  await tx.query(
    `WITH gap AS (
       INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause)
       SELECT probe_id, timestamptz 'epoch' + make_interval(secs => start_ms / 1000.0),
         timestamptz 'epoch' + make_interval(secs => end_ms / 1000.0), cause
       FROM unnest($8::integer[], $9::bigint[], $10::bigint[], $11::varchar[]) AS new (probe_id, start_ms, end_ms, cause)
       ON CONFLICT DO NOTHING
     )
     UPDATE probes SET last_measured_at = timestamptz 'epoch' + make_interval(secs => new.ms / 1000.0),
       last_value = new.hundredths / 100, last_unit = new.unit, learned_interval_seconds = new.learned,
       state = new.state, state_at = timestamptz 'epoch' + make_interval(secs => new.state_ms / 1000.0),
       updated_at = now()
     FROM unnest($1::integer[], $2::bigint[], $3::double precision[], $4::char(1)[], $5::real[], $6::varchar[], $7::bigint[])
       AS new (id, ms, hundredths, unit, learned, state, state_ms)
     WHERE probes.id = new.id`,
    [
      sorted.map(({ id }) => id),
      sorted.map(({ lastMs }) => lastMs),
      sorted.map(({ lastHundredths }) => lastHundredths),
      sorted.map(({ lastUnit }) => lastUnit),
      sorted.map(({ learnedIntervalSeconds }) => learnedIntervalSeconds),
      sorted.map(({ condition }) => condition),
      sorted.map(({ conditionMs }) => conditionMs),
      sortedGaps.map(({ probeId }) => probeId),
      sortedGaps.map(({ startMs }) => startMs),
      sortedGaps.map(({ endMs }) => endMs),
      sortedGaps.map(({ cause }) => cause),
    ],
  );
}

/** Stores what detection remembers of these devices and when it must look again, one statement. */
export async function saveDetections(tx: EntityManager, worlds: readonly IngestWorld[]): Promise<void> {
  if (worlds.length === 0) return;
  const rows = worlds
    .map(({ sessions }) => ({ id: sessions.device.id, state: sessions.detection, dueMs: dueAtMs(sessions) }))
    .toSorted((a, b) => a.id - b.id);
  await tx.query(
    `INSERT INTO detection_states (device_id, state, due_at)
     SELECT id, state, timestamptz 'epoch' + make_interval(secs => due_ms / 1000.0)
     FROM unnest($1::integer[], $2::jsonb[], $3::bigint[]) AS new (id, state, due_ms)
     ON CONFLICT (device_id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at`,
    [
      rows.map(({ id }) => id),
      rows.map(({ state }) => JSON.stringify(state)),
      rows.map(({ dueMs }) => dueMs),
    ],
  );
}
