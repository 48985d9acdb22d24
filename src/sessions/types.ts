import type { EndReason } from '../entities/grilling-session.js';
import type { ProbeRole } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

/** One probe of a device, as detection sees it. */
export interface ProbeFacts {
  /** `probes.id`. */
  id: number;
  kind: 'temperature' | 'humidity';
  label: string | null;
  /** As the user set it; null leaves it to the guess. */
  role: ProbeRole | null;
  /** Somebody means to cook with it: it has a target, or the cloud an alarm for it at 50 °C or more. Left out: no. */
  hasIntent?: boolean;
}

/** A device with its probes and its owner's wishes. */
export interface DeviceFacts {
  /** `devices.id`. */
  id: number;
  deviceId: string;
  userId: number;
  type: string | null;
  model: string | null;
  /** The unit that a session begun now is kept in. */
  temperatureUnit: TemperatureUnit;
  /** Of the owner, for names; null or left out: UTC. */
  timeZone?: string | null;
  probes: ProbeFacts[];
}

/** Exact figures of one probe in one session, in hundredths of the session's unit; times in epoch ms. */
export interface ProbeStats {
  count: number;
  sumHundredths: number;
  minHundredths: number;
  /** The earliest time of the minimum; so the order of arrival does not matter. */
  minAtMs: number;
  maxHundredths: number;
  maxAtMs: number;
  firstMs: number;
  lastMs: number;
}

export interface SessionMember {
  probeId: number;
  role: ProbeRole;
  /** Null: from the session's start, to its end. */
  fromMs: number | null;
  toMs: number | null;
}

/** A session and its roll-ups while the fold works on it. */
export interface Session {
  publicId: string;
  /** Null until it is stored. */
  id: number | null;
  userId: number;
  deviceId: string;
  sessionType: 'auto' | 'manual';
  status: 'active' | 'completed' | 'cancelled';
  phase: 'active' | 'paused' | 'ended';
  endReason: EndReason | null;
  startMs: number;
  endMs: number | null;
  lastReadingMs: number | null;
  temperatureUnit: TemperatureUnit;
  /** Of one that detection began just now: the probe (`probes.id`) that it was. */
  startedBy?: number;
  /** A person set bounds or members: detection moves no bound that is set, lets nobody join and does not cancel it. */
  isEdited?: boolean;
  members: SessionMember[];
  /** By `probes.id`. */
  stats: ReadonlyMap<number, ProbeStats>;
  /**
   * Start, end or members changed: the roll-ups must be computed anew from the stored readings. Until then `stats`
   * is not kept up. A start that detection set back is exact to the first stored reading at or after `startMs`.
   */
  rebuild: boolean;
}

/** The cloud's clock moved on to `nowMs` and nothing had arrived: timers may be due. */
export interface Moment {
  nowMs: number;
}

export interface SessionEvent {
  kind: 'started' | 'joined' | 'paused' | 'resumed' | 'ended' | 'cancelled' | 'reopened' | 'lid_open';
  /** `publicId` of the session. */
  session: string;
  /** When the step was taken, by the cloud's clock: a recorded start or end lies before it. */
  atMs: number;
  /** Of `lid_open`: whose pit (`probes.id`) had dropped since when; half of it was made good at `atMs`. */
  lid?: { probeId: number; fromMs: number };
}
