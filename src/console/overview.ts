import { Any, type DataSource, type EntityManager, IsNull } from 'typeorm';
import { z } from 'zod';
import { AlertEvent } from '../entities/alert-event.js';
import { AlertState } from '../entities/alert-state.js';
import { Device } from '../entities/device.js';
import { GrillingSession } from '../entities/grilling-session.js';
import { SessionProbeStats } from '../entities/session-probe-stats.js';
import { TemperatureAlert } from '../entities/temperature-alert.js';
import { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { groupBy } from '../group-by.js';
import { UNTRUSTED } from '../readings/sample.js';

/** What the page shows, row by row. Of a device that changed its owner, the former one's rows are among them. */
export interface Overview {
  /** With their users. */
  accounts: ThermoworksCredential[];
  /** With their users and probes. */
  devices: Device[];
  /** Those that run, by start. */
  sessions: GrillingSession[];
  /** By `probes.id`: of the newest session that runs and has readings of the probe, with that session. */
  stats: Map<number, SessionProbeStats>;
  alerts: TemperatureAlert[];
  /** By alert. */
  states: Map<number, AlertState[]>;
  /** By `probes.id`: epoch minute and the last value in it, of the last two hours. */
  traces: Map<number, [number, number][]>;
  /** The newest first, with alert, user, device and probes. */
  events: AlertEvent[];
}

const MOST_DEVICES = 500;
const MOST_TRACES = 200;
const MOST_EVENTS = 12;
const TRACE_MINUTES = 120;
const LIVING = { user: { deletedAt: IsNull() } };

/** As of one moment, by a fixed number of statements whatever there is; of at most 500 devices. */
export function loadOverview(dataSource: DataSource, now: Date): Promise<Overview> {
  return dataSource.transaction('REPEATABLE READ', async (tx) => {
    const devices = await tx.find(Device, {
      relations: { user: true, probes: true },
      where: { ...LIVING, deletedAt: IsNull(), isActive: true },
      order: { userId: 'ASC', deviceId: 'ASC' },
      take: MOST_DEVICES,
    });
    const here = { deviceId: Any(devices.map(({ deviceId }) => deviceId)), deletedAt: IsNull() };
    const running = { ...here, status: 'active' as const };
    const stats = {
      relations: { session: true },
      where: { session: running },
      order: { sessionId: 'ASC' as const },
    };
    const alerts = await tx.find(TemperatureAlert, {
      where: { ...here, isActive: true },
      order: { id: 'ASC' },
    });
    const states = await tx.findBy(AlertState, { alertId: Any(alerts.map(({ id }) => id)) });
    return {
      accounts: await tx.find(ThermoworksCredential, {
        select: { id: true, userId: true, status: true, lastError: true, user: true },
        relations: { user: true },
        where: LIVING,
        order: { userId: 'ASC' },
        take: MOST_DEVICES,
      }),
      devices,
      sessions: await tx.find(GrillingSession, { where: running, order: { startTime: 'ASC' } }),
      stats: new Map((await tx.find(SessionProbeStats, stats)).map((row) => [row.probeId, row])),
      alerts,
      states: groupBy(states, ({ alertId }) => alertId),
      traces: await loadTraces(tx, devices, now),
      events: await tx.find(AlertEvent, {
        relations: { alert: { device: { probes: true }, user: true } },
        where: { alert: LIVING },
        order: { id: 'DESC' },
        take: MOST_EVENTS,
      }),
    };
  });
}

const traceRows = z.array(
  z.object({ probe_id: z.number(), trace: z.array(z.tuple([z.number(), z.number()])) }),
);

/** Only readings in the probe's present unit that may be believed; of the first 200 probes, more than one looks at. */
async function loadTraces(tx: EntityManager, devices: Device[], now: Date): Promise<Overview['traces']> {
  const ids = devices.flatMap(({ probes = [] }) => probes.map(({ id }) => id)).slice(0, MOST_TRACES);
  const rows: unknown = await tx.query(
    `SELECT probe_id, jsonb_agg(jsonb_build_array(minute, value) ORDER BY minute) AS trace
     FROM (
       SELECT DISTINCT ON (r.probe_id, minute) r.probe_id, r.value,
         floor(extract(epoch FROM r.measured_at) / 60)::integer AS minute
       FROM readings r JOIN probes p ON p.id = r.probe_id AND p.last_unit = r.unit
       WHERE r.probe_id = ANY($1) AND r.measured_at >= $2 AND r.flags & $3 = 0
       ORDER BY r.probe_id, minute, r.measured_at DESC
     ) thinned GROUP BY probe_id`,
    [ids, new Date(now.getTime() - TRACE_MINUTES * 60_000), UNTRUSTED],
  );
  return new Map(traceRows.parse(rows).map(({ probe_id, trace }) => [probe_id, trace.slice(-TRACE_MINUTES)]));
}
