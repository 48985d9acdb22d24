import type { DataSource } from 'typeorm';
import type { IngestOutcome } from './ingest/ingest.js';
import type { Logger } from './logger.js';

/** One line for people, and the same as an object. */
export interface Line {
  text: string;
  json: Record<string, unknown>;
}

interface ProbeName {
  id: number;
  userId: number;
  deviceId: string;
  probeId: string;
  name: string;
}

const DEVICE_NAME = 'coalesce(d.nickname, d.label, d.device_id)';
const PROBE_NAME = "coalesce(nullif(p.label, ''), 'Probe ' || p.probe_id)";
const UNIT_SIGN = { F: '°F', C: '°C', H: '% RH' };

/** Tells on stdout what a process stores: a line per reading, alert event and session event. */
export function createTicker(print: (line: Line) => void, logger: Logger) {
  let source: DataSource | undefined;
  let work: Promise<void> = Promise.resolve();
  const names = new Map<number, ProbeName>();
  const waiting = new Set<{ isIt: (probe: ProbeName) => boolean; then: (probe: ProbeName) => unknown }>();

  async function tell(
    dataSource: DataSource,
    { stored, transitions, sessionEvents }: IngestOutcome,
  ): Promise<void> {
    await learnNames(
      dataSource,
      names,
      stored.map(({ probeId }) => probeId),
    );
    for (const { probeId, measuredAtMs, value, unit } of stored.toSorted(
      (a, b) => a.measuredAtMs - b.measuredAtMs,
    )) {
      const probe = names.get(probeId);
      if (!probe) continue;
      print({
        text: `${clock(measuredAtMs)}  ${probe.name}  ${value.toFixed(1)} ${UNIT_SIGN[unit]}`,
        json: {
          event: 'reading',
          device_id: probe.deviceId,
          probe_id: probe.probeId,
          measured_at: new Date(measuredAtMs),
          value,
          unit,
        },
      });
    }
    for (const { about, kind, value, unit, measuredAtMs } of await namedAlerts(dataSource, transitions)) {
      const { publicId, name, deviceId, probeId, probe } = about;
      const shown = value === null || unit === null ? '' : ` at ${value.toFixed(1)} ${UNIT_SIGN[unit]}`;
      const measured = { measured_at: new Date(measuredAtMs), value, unit };
      print({
        text: `${clock(measuredAtMs)}  alert ${kind}: ${name ?? probe}${name ? ` (${probe})` : ''}${shown}`,
        json: {
          event: 'alert',
          kind,
          id: publicId,
          name,
          device_id: deviceId,
          probe_id: probeId,
          ...measured,
        },
      });
    }
    for (const { kind, session, atMs, deviceId, device } of await namedSessions(dataSource, sessionEvents)) {
      print({
        text: `${clock(atMs)}  session ${kind}: ${device}`,
        json: { event: 'session', kind, id: session, device_id: deviceId, at: new Date(atMs) },
      });
    }
    callWaiting(stored.flatMap(({ probeId }) => names.get(probeId) ?? []));
  }

  function callWaiting(probes: ProbeName[]): void {
    for (const entry of waiting) {
      const probe = probes.find(entry.isIt);
      if (!probe) continue;
      waiting.delete(entry);
      entry.then(probe);
    }
  }

  return {
    hooks: {
      onCommit: (outcome: IngestOutcome): void => {
        const dataSource = source;
        if (!dataSource) return;
        work = work
          .then(() => tell(dataSource, outcome))
          .catch((err) => {
            logger.debug('a line was not printed', { err });
          });
      },
    },
    start: (dataSource: DataSource): void => {
      source = dataSource;
    },
    /** Calls `then` with the first stored reading's probe that fits. */
    onceStored: (isIt: (probe: ProbeName) => boolean, then: (probe: ProbeName) => unknown): void => {
      waiting.add({ isIt, then });
    },
  };
}

const clock = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

async function learnNames(
  dataSource: DataSource,
  names: Map<number, ProbeName>,
  ids: number[],
): Promise<void> {
  const unknown = [...new Set(ids)].filter((id) => !names.has(id));
  if (unknown.length === 0) return;
  const rows = await dataSource.query<ProbeName[]>(
    `SELECT p.id, p.user_id AS "userId", p.device_id AS "deviceId", p.probe_id AS "probeId",
       ${DEVICE_NAME} || ' · ' || ${PROBE_NAME} AS name
     FROM probes p JOIN devices d ON d.device_id = p.device_id WHERE p.id = ANY($1)`,
    [unknown],
  );
  for (const row of rows) names.set(row.id, row);
}

interface AlertName {
  id: number;
  publicId: string;
  name: string | null;
  deviceId: string;
  probeId: string | null;
  probe: string;
}

async function namedAlerts(dataSource: DataSource, transitions: IngestOutcome['transitions']) {
  if (transitions.length === 0) return [];
  const rows = await dataSource.query<AlertName[]>(
    `SELECT a.id, a.public_id AS "publicId", a.name, a.device_id AS "deviceId", a.probe_id AS "probeId",
       ${DEVICE_NAME} || ' · ' || ${PROBE_NAME} AS probe
     FROM temperature_alerts a JOIN devices d ON d.device_id = a.device_id
     JOIN probes p ON p.user_id = a.user_id AND p.device_id = a.device_id AND p.probe_id = a.probe_id
     WHERE a.id = ANY($1)`,
    [transitions.map(({ alertId }) => alertId)],
  );
  const alerts = new Map(rows.map((row) => [row.id, row]));
  return transitions.flatMap((transition) => {
    const about = alerts.get(transition.alertId);
    return about ? [{ ...transition, about }] : [];
  });
}

async function namedSessions(dataSource: DataSource, events: IngestOutcome['sessionEvents']) {
  if (events.length === 0) return [];
  const rows = await dataSource.query<{ publicId: string; deviceId: string; device: string }[]>(
    `SELECT s.public_id AS "publicId", s.device_id AS "deviceId", ${DEVICE_NAME} AS device
     FROM grilling_sessions s JOIN devices d ON d.device_id = s.device_id WHERE s.public_id = ANY($1)`,
    [events.map(({ session }) => session)],
  );
  const sessions = new Map(rows.map((row) => [row.publicId, row]));
  return events.flatMap((event) => {
    const about = sessions.get(event.session);
    return about ? [{ ...event, deviceId: about.deviceId, device: about.device }] : [];
  });
}
