import type { AlertTransition } from '../alerts/types.js';
import type { ProbeRole } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';
import { HeldValues, timeFigures } from '../sessions/known-time.js';
import { countsIn, inUnitOf, sessionFigures } from '../sessions/roll-up.js';
import type { Session, SessionMember } from '../sessions/types.js';
import type { KeptReadings } from './kept-readings.js';

/** What a replay answers, named as contract.md, Replay has it; instants become ISO 8601 as JSON. */
export interface Answer {
  sessions: SessionAnswer[];
  events: EventAnswer[];
}

/** Temperatures are in `temperature_unit`; null where there are no readings. */
interface Figures {
  reading_count: number;
  min_temperature: number | null;
  max_temperature: number | null;
  avg_temperature: number | null;
}

export interface SessionAnswer extends Figures {
  device_id: string;
  session_type: Session['sessionType'];
  status: Session['status'];
  end_reason: Session['endReason'];
  start_time: Date;
  end_time: Date | null;
  temperature_unit: TemperatureUnit;
  probes: ProbeAnswer[];
}

interface ProbeAnswer extends Figures {
  probe_id: string;
  role: ProbeRole;
  min_at: Date | null;
  max_at: Date | null;
  time_weighted_avg_temperature: number | null;
  seconds_known: number;
  seconds_unknown: number;
}

export interface EventAnswer extends Pick<AlertTransition, 'kind' | 'side' | 'tier' | 'value' | 'unit'> {
  /** Its name. */
  alert: string;
  measured_at: Date;
  detected_late: boolean;
  /** Told to nobody: another probe's alert speaks for the whole device. */
  is_inhibited?: true;
}

/** Where a session's readings are, and by which names its probes go. */
interface Around {
  readings: KeptReadings;
  /** `probe_id` by the number of the probe. */
  names: ReadonlyMap<number, string>;
  /** Until when the time of a running session counts. */
  untilMs: number;
}

/** A session whose figures are up to date, with those of its members. */
export function sessionAnswer(session: Session, around: Around): SessionAnswer {
  const { readingCount, min, max, avg } = sessionFigures(session);
  return {
    device_id: session.deviceId,
    session_type: session.sessionType,
    status: session.status,
    end_reason: session.endReason,
    start_time: new Date(session.startMs),
    end_time: session.endMs === null ? null : new Date(session.endMs),
    temperature_unit: session.temperatureUnit,
    reading_count: readingCount,
    min_temperature: min,
    max_temperature: max,
    avg_temperature: avg,
    probes: session.members
      .toSorted((a, b) => a.probeId - b.probeId)
      .map((member) => probeAnswer(session, member, around)),
  };
}

function probeAnswer(session: Session, member: SessionMember, around: Around): ProbeAnswer {
  const { probeId, role } = member;
  const stats = session.stats.get(probeId);
  return {
    probe_id: around.names.get(probeId) ?? '',
    role,
    reading_count: stats?.count ?? 0,
    min_temperature: stats ? stats.minHundredths / 100 : null,
    min_at: stats ? new Date(stats.minAtMs) : null,
    max_temperature: stats ? stats.maxHundredths / 100 : null,
    max_at: stats ? new Date(stats.maxAtMs) : null,
    avg_temperature: stats ? stats.sumHundredths / (stats.count * 100) : null,
    ...weighted(session, member, around),
  };
}

function weighted(session: Session, member: SessionMember, { readings, untilMs }: Around) {
  const held = new HeldValues();
  for (const row of readings.between(member.probeId, session.startMs, session.endMs ?? untilMs))
    if (countsIn(session, row)) held.add(inUnitOf(session, row));
  return timeFigures(session, member, { held, untilMs });
}
