import type { Unit } from './sample.js';

/** What the fold sees of one probe at one time: a stored reading or, with `hundredths` null, that it shows none. */
export interface Observation {
  /** `probes.id`. */
  probeId: number;
  /** Epoch milliseconds, by the cloud's clock. */
  measuredAtMs: number;
  /** The value in hundredths of `unit`; null: the probe is absent, disabled or faulty from this time on. */
  hundredths: number | null;
  unit: Unit;
  flags: number;
}
