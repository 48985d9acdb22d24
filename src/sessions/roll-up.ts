import type { Observation } from '../readings/observation.js';
import { UNTRUSTED } from '../readings/sample.js';
import { convertHundredths, isTemperature, type TemperatureUnit } from '../readings/temperature.js';
import type { ProbeStats, Session } from './types.js';

/** A value in whole hundredths of the session's unit. */
export interface StatsReading {
  measuredAtMs: number;
  hundredths: number;
}

/** An observation that shows a temperature. */
export type Temperature = Observation & { hundredths: number; unit: TemperatureUnit };

/** The figures of one probe with one more reading: the same in any order; the extremes keep their earliest time. */
export function addToStats(
  stats: ProbeStats | undefined,
  { measuredAtMs, hundredths }: StatsReading,
): ProbeStats {
  const s = stats ?? {
    count: 0,
    sumHundredths: 0,
    minHundredths: hundredths,
    minAtMs: measuredAtMs,
    maxHundredths: hundredths,
    maxAtMs: measuredAtMs,
    firstMs: measuredAtMs,
    lastMs: measuredAtMs,
  };
  const isEarlier = (atMs: number) => measuredAtMs < atMs;
  const isMin = hundredths < s.minHundredths || (hundredths === s.minHundredths && isEarlier(s.minAtMs));
  const isMax = hundredths > s.maxHundredths || (hundredths === s.maxHundredths && isEarlier(s.maxAtMs));
  return {
    count: s.count + 1,
    sumHundredths: s.sumHundredths + hundredths,
    minHundredths: isMin ? hundredths : s.minHundredths,
    minAtMs: isMin ? measuredAtMs : s.minAtMs,
    maxHundredths: isMax ? hundredths : s.maxHundredths,
    maxAtMs: isMax ? measuredAtMs : s.maxAtMs,
    firstMs: Math.min(s.firstMs, measuredAtMs),
    lastMs: Math.max(s.lastMs, measuredAtMs),
  };
}

/** Whether the session's figures contain this reading: trusted, a temperature, of a member, within all bounds. */
export function countsIn(session: Session, observation: Observation): observation is Temperature {
  const { probeId, measuredAtMs: atMs, hundredths, unit, flags } = observation;
  if (hundredths === null || !isTemperature(unit) || (flags & UNTRUSTED) !== 0) return false;
  if (atMs < session.startMs || (session.endMs !== null && atMs > session.endMs)) return false;
  const member = session.members.find((candidate) => candidate.probeId === probeId);
  if (!member) return false;
  return (member.fromMs === null || atMs >= member.fromMs) && (member.toMs === null || atMs <= member.toMs);
}

/** As the session's figures count it. */
export function inUnitOf(
  { temperatureUnit }: Session,
  { measuredAtMs, hundredths, unit }: Temperature,
): StatsReading {
  return { measuredAtMs, hundredths: convertHundredths(hundredths, unit, temperatureUnit) };
}

/**
 * The session with one more stored reading, live or late; unchanged where the reading does not count, and while the
 * session waits to be rebuilt. The caller sees to it that a reading comes once.
 */
export function addReading(session: Session, observation: Observation): Session {
  return new RollUps().add([session], observation)[0] ?? session;
}

/** Adds many readings in a row to sessions: the first copies a session, the next ones are added to that copy. */
export class RollUps {
  private readonly copies = new WeakMap<Session, Map<number, ProbeStats>>();

  /** The sessions with the reading added to every one, running or ended, that covers it. */
  add(sessions: Session[], observation: Observation): Session[] {
    let added = sessions;
    for (let index = 0; index < sessions.length; index++) {
      const session = sessions[index];
      if (!session || session.rebuild || !countsIn(session, observation)) continue;
      const { probeId, measuredAtMs, unit } = observation;
      const { copy, stats } = this.copyOf(session);
      const hundredths = convertHundredths(observation.hundredths, unit, session.temperatureUnit);
      stats.set(probeId, addToStats(stats.get(probeId), { measuredAtMs, hundredths }));
      copy.lastReadingMs = Math.max(session.lastReadingMs ?? measuredAtMs, measuredAtMs);
      if (copy !== session) added = added.with(index, copy);
    }
    return added;
  }

  private copyOf(session: Session): { copy: Session; stats: Map<number, ProbeStats> } {
    const own = this.copies.get(session);
    if (own) return { copy: session, stats: own };
    const stats = new Map(session.stats);
    const copy = { ...session, stats };
    this.copies.set(copy, stats);
    return { copy, stats };
  }
}

/**
 * The session with all figures computed anew from the stored readings of its members between its bounds (others do
 * no harm), in any order. The start of an automatic one moves up to the first reading of the probe that began it, else its first one.
 */
export function rebuildRollUps(session: Session, rows: Iterable<Observation>): Session {
  const counted = Array.from(rows).filter((row) => countsIn(session, row));
  const startMs = exactStartMs(session, counted);
  const blank: Session = { ...session, startMs, rebuild: false, stats: new Map(), lastReadingMs: null };
  return counted.reduce(addReading, blank);
}

/** When the session began, to the reading, from those stored readings that count in it. */
export function exactStartMs(
  { sessionType, startMs, startedBy }: Session,
  counted: readonly Observation[],
): number {
  if (sessionType !== 'auto') return startMs;
  const ofStarter = counted.filter(({ probeId }) => probeId === startedBy);
  const from = ofStarter.length > 0 ? ofStarter : counted;
  if (from.length === 0) return startMs;
  return from.reduce((first, { measuredAtMs }) => Math.min(first, measuredAtMs), Number.POSITIVE_INFINITY);
}

export interface SessionFigures {
  readingCount: number;
  /** In the session's unit; null without readings. The average is the exact mean, rounded once by its division. */
  min: number | null;
  max: number | null;
  avg: number | null;
}

/** Over the readings of all members. */
export function sessionFigures({ stats }: Session): SessionFigures {
  const all = [...stats.values()];
  const readingCount = all.reduce((total, { count }) => total + count, 0);
  if (readingCount === 0) return { readingCount, min: null, max: null, avg: null };
  const sum = all.reduce((total, { sumHundredths }) => total + sumHundredths, 0);
  return {
    readingCount,
    min: Math.min(...all.map(({ minHundredths }) => minHundredths)) / 100,
    max: Math.max(...all.map(({ maxHundredths }) => maxHundredths)) / 100,
    avg: sum / (readingCount * 100),
  };
}
