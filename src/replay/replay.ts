import { initialStates } from '../alerts/evaluate.js';
import { groupBy } from '../group-by.js';
import { meansToCook, WHOLE_DEVICE } from '../ingest/missed.js';
import type { AlertInstance, IngestWorld } from '../ingest/types.js';
import type { TemperatureUnit } from '../readings/temperature.js';
import { emptyDetection } from '../sessions/detection-state.js';
import { gapPercentileMs } from '../sessions/known-time.js';
import { effectiveRole } from '../sessions/roles.js';
import type { DeviceFacts, ProbeFacts } from '../sessions/types.js';
import { parseAlerts, type ReplayedAlert, type Watched } from './alerts.js';
import { type Answer, type EventAnswer, type SessionAnswer, sessionAnswer } from './answer.js';
import type { LateEvent } from './firings.js';
import { ReplayedDevice, type Seen } from './replayed-device.js';
import type { TraceRow } from './trace.js';
import { unseenProbe } from './unseen.js';

const AFTER_THE_LAST_MS = 12 * 3_600_000;
/** A trace tells neither what a device is nor how often it sends. */
const UNNAMED = { type: null, model: null };

/** A device of the trace with its rows, in the order of arrival, and its probes with their numbers for the fold. */
interface Recorded {
  facts: DeviceFacts;
  rows: TraceRow[];
  probes: Map<string, ProbeFacts>;
}

/**
 * A recorded trace through detection, statistics and alerts of live ingest, in memory. The alerts are created before
 * the first reading.
 * @param rows in the order of arrival
 * @param alertsJson the text of an ALERTS.json
 * @param temperatureUnit of the owner: sessions are kept in it
 * @param untilMs readings measured later are left out, and the timers run until then; by default 12 h after the newest
 * @param seen is told of each step on the way
 * @throws InputError if the alerts are not right
 */
export function replay(
  rows: readonly TraceRow[],
  {
    alertsJson = '[]',
    temperatureUnit = 'F',
    untilMs = newestMs(rows) + AFTER_THE_LAST_MS,
    seen,
  }: { alertsJson?: string; temperatureUnit?: TemperatureUnit; untilMs?: number; seen?: Seen } = {},
): Answer {
  const devices = recordedDevices(rows, temperatureUnit);
  const alerts = parseAlerts(alertsJson, devices.flatMap(watched), temperatureUnit);
  const sessions: SessionAnswer[] = [];
  const events: Event[] = [];
  for (const device of devices) {
    const replayed = new ReplayedDevice(worldOf(device, alerts), { seen });
    for (const row of device.rows) if (row.measuredAtMs <= untilMs) take(replayed, device, row);
    const names = new Map([...device.probes].map(([probeId, { id }]) => [id, probeId]));
    for (const session of replayed.end(untilMs))
      sessions.push(sessionAnswer(session, { readings: replayed.readings, names, untilMs }));
    for (const transition of replayed.transitions) events.push({ ...transition, isLate: false });
    for (const event of replayed.firings.lateEvents()) events.push({ ...event, isLate: true });
  }
  sessions.sort((a, b) => a.start_time.getTime() - b.start_time.getTime());
  events.sort((a, b) => a.measuredAtMs - b.measuredAtMs || a.alertId - b.alertId);
  return { sessions, events: events.map((one) => eventAnswer(alerts, one)) };
}

function newestMs(rows: readonly TraceRow[]): number {
  return rows.reduce((newest, { measuredAtMs }) => Math.max(newest, measuredAtMs), 0);
}

const naturally = new Intl.Collator('en', { numeric: true });

function recordedDevices(rows: readonly TraceRow[], temperatureUnit: TemperatureUnit): Recorded[] {
  return [...groupBy(rows, ({ deviceId }) => deviceId)].map(([deviceId, theirs], index) => {
    const byProbe = [...groupBy(theirs, ({ probeId }) => probeId)].sort(([a], [b]) =>
      naturally.compare(a, b),
    );
    const probes = new Map(byProbe.map(([probeId, own], at) => [probeId, factsOf(own, at + 1)]));
    const named = { id: index + 1, deviceId, userId: 1, ...UNNAMED };
    return { facts: { ...named, temperatureUnit, probes: [...probes.values()] }, rows: theirs, probes };
  });
}

/** What is known of a probe before its first reading: also what it is for, if that is said anywhere. */
function factsOf(rows: readonly TraceRow[], id: number): ProbeFacts {
  const units = rows.flatMap(({ hundredths, unit }) => (hundredths === null || unit === null ? [] : [unit]));
  const kind = units.length > 0 && units.every((unit) => unit === 'H') ? 'humidity' : 'temperature';
  return { id, kind, label: null, role: rows.find(({ role }) => role !== null)?.role ?? null };
}

function watched({ facts, rows, probes }: Recorded): Watched[] {
  const byProbe = groupBy(rows, ({ probeId }) => probeId);
  return [...probes].map(([probeId, probe]) => {
    const shown = (byProbe.get(probeId) ?? []).filter(({ hundredths }) => hundredths !== null);
    const timesMs = [...new Set(shown.map(({ measuredAtMs }) => measuredAtMs))].sort((a, b) => a - b);
    const intervalMs = gapPercentileMs(timesMs, 0.5);
    const intervalSeconds = intervalMs === null ? null : intervalMs / 1000;
    const { deviceId } = facts;
    return { deviceId, probeId, kind: probe.kind, role: effectiveRole(facts, probe), intervalSeconds };
  });
}

function worldOf({ facts, probes }: Recorded, alerts: readonly ReplayedAlert[]): IngestWorld {
  const instances = alerts.flatMap(({ deviceId, probeId, settings }, index) => {
    const watched = probeId === null ? WHOLE_DEVICE : probes.get(probeId)?.id;
    const probe = deviceId === facts.deviceId ? watched : undefined;
    const rule = { ...settings, id: index };
    // In the order that the rows are read in.
    const states = initialStates(rule).sort((a, b) => compare(a.side, b.side) || compare(a.tier, b.tier));
    const instance: AlertInstance = { rule, states };
    return probe === undefined ? [] : [{ probe, instance }];
  });
  const byProbe = [...groupBy(instances, ({ probe }) => probe)];
  const meant = new Map(
    byProbe.map(([probe, theirs]) => [probe, meansToCook(theirs.map(({ instance }) => instance))]),
  );
  const means = facts.probes.map((probe) => ({ ...probe, hasIntent: meant.get(probe.id) ?? false }));
  return {
    sessions: { device: { ...facts, probes: means }, detection: emptyDetection(), sessions: [] },
    statedIntervalSeconds: null,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map(facts.probes.map(({ id }) => [id, unseenProbe(id)])),
    alerts: new Map(byProbe.map(([probe, theirs]) => [probe, theirs.map(({ instance }) => instance)])),
  };
}

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b);

function take(replayed: ReplayedDevice, { probes, facts }: Recorded, row: TraceRow): void {
  const probe = probes.get(row.probeId);
  if (!probe) throw new Error(`probe ${row.probeId} of ${facts.deviceId} is not known`);
  const { measuredAtMs, hundredths, flags, role, batteryPercent } = row;
  if (role !== null && role !== probe.role) {
    probes.set(row.probeId, { ...probe, role });
    replayed.setRole(probe.id, role);
  }
  if (batteryPercent !== null) replayed.drain({ measuredAtMs, percent: batteryPercent, isCharging: null });
  const unit = row.unit ?? facts.temperatureUnit;
  replayed.take({ probeId: probe.id, measuredAtMs, hundredths, unit, flags });
}

type Event = LateEvent & { isLate: boolean; isInhibited?: boolean };

function eventAnswer(
  alerts: readonly ReplayedAlert[],
  { alertId, kind, side, tier, measuredAtMs, value, unit, isInhibited, isLate }: Event,
): EventAnswer {
  const alert = alerts[alertId]?.name ?? '';
  const event = { alert, kind, side, tier, measured_at: new Date(measuredAtMs), value, unit };
  return { ...event, detected_late: isLate, ...(isInhibited && { is_inhibited: true }) };
}
