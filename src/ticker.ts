import type { DataSource } from 'typeorm';
import { groupBy } from './group-by.js';
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
    for (const { name, kind, value, unit } of await namedAlerts(dataSource, transitions)) {
      const shown = value === null || unit === null ? '' : ` at ${value.toFixed(1)} ${UNIT_SIGN[unit]}`;
      print({ text: `alert ${kind}: ${name}${shown}`, json: { event: 'alert', kind, name, value, unit } });
    }
    for (const { kind, session, atMs } of sessionEvents) {
      print({
        text: `${clock(atMs)}  session ${kind}`,
        json: { event: 'session', kind, id: session, at: new Date(atMs) },
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
       coalesce(d.nickname, d.label, d.device_id) || ' · ' || coalesce(nullif(p.label, ''), 'Probe ' || p.probe_id) AS name
     FROM probes p JOIN devices d ON d.device_id = p.device_id WHERE p.id = ANY($1)`,
    [unknown],
  );
  for (const row of rows) names.set(row.id, row);
}

async function namedAlerts(dataSource: DataSource, transitions: IngestOutcome['transitions']) {
  if (transitions.length === 0) return [];
  const rows = await dataSource.query<{ id: number; name: string | null }[]>(
    'SELECT id, name FROM temperature_alerts WHERE id = ANY($1)',
    [transitions.map(({ alertId }) => alertId)],
  );
  const names = groupBy(rows, ({ id }) => id);
  return transitions.map((transition) => ({
    ...transition,
    name: names.get(transition.alertId)?.[0]?.name ?? 'alert',
  }));
}
