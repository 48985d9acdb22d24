import type { Observation } from '../readings/observation.js';

const HOUR_MS = 3_600_000;

/** One probe: its readings by time, in parts of an hour so that a stretch is found without looking at all of them. */
interface KeptProbe {
  hours: Map<number, Map<number, Observation>>;
  firstHour: number;
  lastHour: number;
}

/** The table of readings, in memory: each (probe, time) once. */
export class KeptReadings {
  private readonly probes = new Map<number, KeptProbe>();

  /** @returns false if there is one of that probe and time: it stays */
  insertNew(reading: Observation): boolean {
    const { probeId, measuredAtMs } = reading;
    const probe = this.probes.get(probeId) ?? {
      hours: new Map(),
      firstHour: Number.POSITIVE_INFINITY,
      lastHour: 0,
    };
    this.probes.set(probeId, probe);
    const hour = Math.floor(measuredAtMs / HOUR_MS);
    const readings = probe.hours.get(hour) ?? new Map<number, Observation>();
    if (readings.has(measuredAtMs)) return false;
    probe.hours.set(hour, readings.set(measuredAtMs, reading));
    probe.firstHour = Math.min(probe.firstHour, hour);
    probe.lastHour = Math.max(probe.lastHour, hour);
    return true;
  }

  /** The readings of a probe from `fromMs` to `toMs` (null: the newest), both included, by time. */
  between(probeId: number, fromMs: number, toMs: number | null): Observation[] {
    const probe = this.probes.get(probeId);
    if (!probe) return [];
    const untilMs = toMs ?? Number.POSITIVE_INFINITY;
    const last = Math.min(probe.lastHour, Math.floor(untilMs / HOUR_MS));
    const found: Observation[] = [];
    const first = Math.max(probe.firstHour, Math.floor(fromMs / HOUR_MS));
    for (let hour = first; hour <= last; hour++) {
      for (const [ms, reading] of probe.hours.get(hour) ?? [])
        if (ms >= fromMs && ms <= untilMs) found.push(reading);
    }
    return found.sort((a, b) => a.measuredAtMs - b.measuredAtMs);
  }

  /** The next readings of a probe from `fromMs` on, by time, `most` at most. */
  following(probeId: number, fromMs: number, most: number): Observation[] {
    const lastHour = this.probes.get(probeId)?.lastHour ?? 0;
    const found: Observation[] = [];
    for (let hour = Math.floor(fromMs / HOUR_MS); hour <= lastHour && found.length < most; hour++) {
      const startMs = hour * HOUR_MS;
      for (const reading of this.between(probeId, Math.max(fromMs, startMs), startMs + HOUR_MS - 1))
        found.push(reading);
    }
    return found.slice(0, most);
  }
}
