import type { BatterySight } from '../alerts/battery.js';
import type { AlertRule, AlertState, AlertTransition } from '../alerts/types.js';
import type { Observation } from '../readings/observation.js';
import type { ProbeCondition, ToldCondition, Unit } from '../readings/sample.js';
import type { DeviceWorld } from '../sessions/detection.js';
import type { Moment, SessionEvent } from '../sessions/types.js';
import type { SharedGateway } from './gateway.js';

/** What is known of a probe's latest reading; `lastMs` is the high-water mark. */
export interface ProbeState {
  /** `probes.id`. */
  id: number;
  lastMs: number | null;
  lastHundredths: number | null;
  lastUnit: Unit | null;
  condition: ProbeCondition;
  conditionMs: number | null;
  /** Learned 90th percentile of the gaps between readings, where the device states no interval. */
  learnedIntervalSeconds: number | null;
}

export interface AlertInstance {
  rule: AlertRule;
  states: AlertState[];
}

/** All that the readings of one device can change. */
export interface IngestWorld {
  sessions: DeviceWorld;
  /** The device's own statement of how often it transmits; null where it makes none. */
  statedIntervalSeconds: number | null;
  /** Seconds between two readings where the device records more often than it transmits; null where it does not say. */
  recordingIntervalSeconds: number | null;
  /** It sends when the temperature moved: its statement means nothing and no interval is expected. */
  reportsOnChange: boolean;
  probes: ReadonlyMap<number, ProbeState>;
  /** By `probes.id`; those of the device itself under `WHOLE_DEVICE`. */
  alerts: ReadonlyMap<number, AlertInstance[]>;
  /** By which the device is heard; left out: by none, or no timer runs. */
  gateway?: SharedGateway;
  /** When it has to be looked at whether an alert is still inhibited (epoch ms); left out or null: never. */
  lookMs?: number | null;
}

/** What is known of the polls before the one that brought a reading. */
export interface PollFacts {
  /** The cloud's clock at the last good poll before; null before the first. */
  previousPollMs: number | null;
  failedBetween: boolean;
}

/** A reading or its absence, as a poll brought it. */
export type ProbeSight = Observation & { condition: ToldCondition; poll: PollFacts };

/** Something for the fold: also the device's battery, or the time of the cloud's clock when nothing arrived. */
export type Input = ProbeSight | BatterySight | Moment;

/** An interval of a probe that nobody observed. */
export interface Gap {
  probeId: number;
  startMs: number;
  endMs: number;
  cause: 'offline' | 'overwritten' | 'account' | 'service';
}

export interface FoldResult {
  world: IngestWorld;
  sessionEvents: SessionEvent[];
  /** With the `publicId` of the session that the probe was in. */
  transitions: (AlertTransition & { session: string | null })[];
  gaps: Gap[];
}
