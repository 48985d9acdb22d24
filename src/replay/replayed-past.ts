import type { Observation } from '../readings/observation.js';
import type { DeviceWorld } from '../sessions/detection.js';
import { emptyDetection } from '../sessions/detection-state.js';
import { Redetection } from '../sessions/redetect.js';
import { seenUntilMs } from '../sessions/seen.js';
import type { Session } from '../sessions/types.js';
import type { KeptReadings } from './kept-readings.js';

const KEPT_EVERY = 100;

/** A device at a time of its past: nothing was behind then. */
interface Kept {
  world: DeviceWorld;
  closed: readonly Session[];
}

/** What detection goes back to when something came out of order. */
export class ReplayedPast {
  private kept: (Kept & { seenMs: number })[] = [];
  private noted = 0;
  private readonly absences: Record<string, number[]> = {};

  constructor(private readonly readings: KeptReadings) {}

  noteAbsence({ probeId, measuredAtMs }: Observation): void {
    const times = this.absences[probeId] ?? [];
    this.absences[probeId] = times;
    times.push(measuredAtMs);
  }

  /** The device as it is, kept now and then. */
  note(world: DeviceWorld, closed: readonly Session[]): void {
    this.noted += 1;
    if (this.noted % KEPT_EVERY === 0) this.kept.push({ seenMs: seenUntilMs(world), world, closed });
  }

  /** The device after all readings in order of time, of which the first that was not yet seen is at `fromMs`. */
  redetect({ device, detection, sessions }: DeviceWorld, fromMs: number, newId: () => string): Kept {
    const untilMs = seenUntilMs({ device, detection, sessions });
    this.kept = this.kept.filter(({ seenMs }) => seenMs < fromMs);
    const last = this.kept.at(-1);
    const { seenMs, closed } = last ?? { seenMs: 0, closed: [] };
    const world = { detection: emptyDetection(), sessions: [], ...last?.world, device };
    const rowsFrom = (ms: number) =>
      this.rows(
        device.probes.map(({ id }) => id),
        ms,
        untilMs,
      );
    const run = new Redetection({ world, fromMs: seenMs, rowsFrom, absences: this.after(seenMs), newId });
    for (const row of rowsFrom(seenMs + 1)) run.take(row);
    const found = run.end(untilMs);
    const known = { absences: detection.absences };
    return {
      world: { device, detection: { ...found.detection, ...known }, sessions: found.sessions },
      closed,
    };
  }

  private after(seenMs: number): Record<string, number[]> {
    const all = Object.entries(this.absences);
    return Object.fromEntries(all.map(([id, times]) => [id, times.filter((ms) => ms > seenMs)]));
  }

  /** By time and then by probe. */
  private rows(probes: readonly number[], fromMs: number, toMs: number): Observation[] {
    const all = probes.flatMap((id) => this.readings.between(id, fromMs, toMs));
    return all.sort((a, b) => a.measuredAtMs - b.measuredAtMs || a.probeId - b.probeId);
  }
}
