import type { Observation } from '../readings/observation.js';
import { UNTRUSTED } from '../readings/sample.js';
import { convertHundredths, isTemperature, type TemperatureUnit } from '../readings/temperature.js';
import type { ProbeStats, Session, SessionMember } from './types.js';

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
  const sum = stats
    ? { ...stats }
    : {
        count: 0,
        sumHundredths: 0,
        minHundredths: hundredths,
        minAtMs: measuredAtMs,
        maxHundredths: hundredths,
        maxAtMs: measuredAtMs,
        firstMs: measuredAtMs,
        lastMs: measuredAtMs,
      };
  addInto(sum, measuredAtMs, hundredths);
  return sum;
}

/** {@link addToStats} in place. */
function addInto(stats: ProbeStats, measuredAtMs: number, hundredths: number): void {
  const { minHundredths, minAtMs, maxHundredths, maxAtMs } = stats;
  stats.count += 1;
  stats.sumHundredths += hundredths;
  if (hundredths < minHundredths || (hundredths === minHundredths && measuredAtMs < minAtMs)) {
    stats.minHundredths = hundredths;
    stats.minAtMs = measuredAtMs;
  }
  if (hundredths > maxHundredths || (hundredths === maxHundredths && measuredAtMs < maxAtMs)) {
    stats.maxHundredths = hundredths;
    stats.maxAtMs = measuredAtMs;
  }
  if (measuredAtMs < stats.firstMs) stats.firstMs = measuredAtMs;
  if (measuredAtMs > stats.lastMs) stats.lastMs = measuredAtMs;
}

/** A loop, since this is asked for every reading. */
function memberIn({ members }: Session, probeId: number): SessionMember | undefined {
  for (const member of members) if (member.probeId === probeId) return member;
  return undefined;
}

/** Whether the session's figures contain this reading: trusted, a temperature, of a member, within all bounds. */
export function countsIn(session: Session, observation: Observation): observation is Temperature {
  const { probeId, measuredAtMs: atMs, hundredths, unit, flags } = observation;
  if (hundredths === null || !isTemperature(unit) || (flags & UNTRUSTED) !== 0) return false;
  if (atMs < session.startMs || (session.endMs !== null && atMs > session.endMs)) return false;
  const member = memberIn(session, probeId);
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

/** A copy of a session's figures, and the probes whose own figures are copies too. */
interface OwnStats {
  stats: Map<number, ProbeStats>;
  own: Set<number>;
}

/** Adds many readings in a row to sessions: the first copies a session, the next ones are added to that copy. */
export class RollUps {
  private readonly copies = new WeakMap<Session, OwnStats>();

  /** The sessions with the reading added to every one, running or ended, that covers it. */
  add(sessions: Session[], observation: Observation): Session[] {
    let added = sessions;
    for (let index = 0; index < sessions.length; index++) {
      const session = sessions[index];
      if (!session || session.rebuild || !countsIn(session, observation)) continue;
      const { probeId, measuredAtMs, unit } = observation;
      const copy = this.copies.has(session) ? session : this.copyOf(session);
      const hundredths = convertHundredths(observation.hundredths, unit, session.temperatureUnit);
      this.addTo(copy, { probeId, measuredAtMs, hundredths });
      copy.lastReadingMs = Math.max(session.lastReadingMs ?? measuredAtMs, measuredAtMs);
      if (copy !== session) added = added.with(index, copy);
    }
    return added;
  }

  private addTo(copy: Session, reading: StatsReading & { probeId: number }): void {
    const { probeId, measuredAtMs, hundredths } = reading;
    const copied = this.copies.get(copy);
    const stats = copied?.stats.get(probeId);
    if (stats && copied?.own.has(probeId)) addInto(stats, measuredAtMs, hundredths);
    else {
      copied?.stats.set(probeId, addToStats(stats, reading));
      copied?.own.add(probeId);
    }
  }

  private copyOf(session: Session): Session {
    const stats = new Map(session.stats);
    const copy = { ...session, stats };
    this.copies.set(copy, { stats, own: new Set() });
    return copy;
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
  { sessionType, isEdited, startMs, startedBy }: Session,
  counted: readonly Observation[],
): number {
  if (sessionType !== 'auto' || isEdited) return startMs;
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
