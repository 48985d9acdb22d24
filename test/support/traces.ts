import type { Observation } from '../../src/readings/observation.js';
import { type DeviceWorld, dueAtMs, reduceDevice } from '../../src/sessions/detection.js';
import { type DetectionState, emptyDetection, parseDetection } from '../../src/sessions/detection-state.js';
import { addReading, rebuildRollUps } from '../../src/sessions/roll-up.js';
import type { DeviceFacts, Moment, ProbeFacts, Session, SessionEvent } from '../../src/sessions/types.js';

const MINUTE = 60_000;
/** A whole quarter of an hour; minute 0 of every trace. */
export const T0 = Date.UTC(2026, 5, 6, 6);

/** °C at minutes since {@link T0}: null where the probe is not plugged in, undefined where nothing arrives. */
export type Curve = (minutes: number) => number | null | undefined;

export const at = (minutes: number): number => T0 + Math.round(minutes * MINUTE);
export const minutesOf = (ms: number | null): number | null => (ms === null ? null : (ms - T0) / MINUTE);

/** A value in °C that `probeId` shows at `minutes`; null: it shows none. */
export function shows(probeId: number, minutes: number, celsius: number | null): Observation {
  const hundredths = celsius === null ? null : Math.round(celsius * 100);
  return { probeId, measuredAtMs: at(minutes), hundredths, unit: 'C', flags: 0 };
}

export function probeFacts(
  id: number,
  label: string | null = null,
  more: Partial<ProbeFacts> = {},
): ProbeFacts {
  return { id, kind: 'temperature', label, role: null, ...more };
}

export function deviceFacts(probes: ProbeFacts[], more: Partial<DeviceFacts> = {}): DeviceFacts {
  const owner = { id: 1, deviceId: 'D1', userId: 1, type: 'signals', model: 'signals' };
  return { ...owner, temperatureUnit: 'C', probes, ...more };
}

/** A pit: heat on at minute `on`, off at `off`; holds `level` with a wobble of ± `wobble`, then cools. */
export function pit({
  on = 60,
  off = 420,
  level = 121,
  ambient = 20,
  wobble = 4,
  riseTau = 10,
  coolTau = 40,
  lidEvery = 0,
}: {
  on?: number;
  off?: number;
  level?: number;
  ambient?: number;
  wobble?: number;
  riseTau?: number;
  coolTau?: number;
  lidEvery?: number;
} = {}): (minutes: number) => number {
  const hot = (minutes: number) => {
    const since = minutes - on;
    const settled = 1 - Math.exp(-since / riseTau);
    const isLidOpen = lidEvery > 0 && since > lidEvery && since % lidEvery < 5;
    const value = ambient + (level - ambient) * settled + wobble * settled * Math.sin(since / 2.3);
    return isLidOpen ? value - 60 : value;
  };
  return (minutes) => {
    if (minutes < on) return ambient + 0.3 * Math.sin(minutes / 7);
    return minutes < off
      ? hot(minutes)
      : ambient + (hot(off - 0.01) - ambient) * Math.exp((off - minutes) / coolTau);
  };
}

/** Meat along straight lines through [minute, °C]. */
export function meat(...points: [number, number][]): (minutes: number) => number {
  return (minutes) => {
    const next = points.findIndex(([minute]) => minute >= minutes);
    const [to, from] = [points[next] ?? points.at(-1), points[next - 1] ?? points[0]];
    if (!to || !from) throw new Error('meat needs points');
    const share = to[0] === from[0] ? 1 : (minutes - from[0]) / (to[0] - from[0]);
    return from[1] + (to[1] - from[1]) * Math.min(1, Math.max(0, share));
  };
}

/** Nothing arrives from minute `from` until `to`. */
export function dropout(curve: Curve, from: number, to: number): Curve {
  return (minutes) => (minutes >= from && minutes < to ? undefined : curve(minutes));
}

/** The probe is pulled at minute `from` and plugged in again at `to`. */
export function unplugged(curve: Curve, from: number, to = Number.POSITIVE_INFINITY): Curve {
  return (minutes) => (minutes >= from && minutes < to ? null : curve(minutes));
}

/** What the probes show from minute 0 to `minutes`, every `everySeconds`, in order of time; absence is said once. */
export function trace(
  curves: { [probeId: number]: Curve },
  { minutes, everySeconds = 60 }: { minutes: number; everySeconds?: number },
): Observation[] {
  const isAbsent = new Map<string, boolean>();
  const seen: Observation[] = [];
  for (let second = 0; second <= minutes * 60; second += everySeconds) {
    for (const [probeId, curve] of Object.entries(curves)) {
      const celsius = curve(second / 60);
      if (celsius === undefined || (celsius === null && isAbsent.get(probeId))) continue;
      isAbsent.set(probeId, celsius === null);
      seen.push(shows(Number(probeId), second / 60, celsius));
    }
  }
  return seen;
}

export interface Replayed {
  world: DeviceWorld;
  sessions: Session[];
  events: SessionEvent[];
  /** Bytes of the largest state as JSON. */
  largestState: number;
}

/**
 * Feeds a device as ingest does: every reading enters the roll-ups, and sessions that ask for it are rebuilt from what
 * is stored. Moments come only where `inputs` has them, or with `until` as the timers want them, up to that minute.
 */
export function replay(
  device: DeviceFacts,
  inputs: (Observation | Moment)[],
  {
    sessions = [],
    restarts = false,
    until,
  }: { sessions?: Session[]; restarts?: boolean; until?: number } = {},
): Replayed {
  const stored: Observation[] = [];
  const events: SessionEvent[] = [];
  let largestState = 0;
  let ids = 0;
  let world: DeviceWorld = { device, detection: emptyDetection(), sessions };
  const take = (input: Observation | Moment) => {
    const detection = restarts ? restarted(world.detection) : world.detection;
    const reduced = reduceDevice({ ...world, detection }, input, () => `session-${++ids}`);
    events.push(...reduced.events);
    if ('probeId' in input) stored.push(input);
    const rolled = reduced.world.sessions.map((session) => {
      const added = 'probeId' in input ? addReading(session, input) : session;
      return added.rebuild ? rebuildRollUps(added, stored) : added;
    });
    world = { ...reduced.world, sessions: rolled };
    if (reduced.events.length > 0) largestState = Math.max(largestState, sizeOf(world.detection));
  };
  for (const input of inputs) take(input);
  for (
    let due = dueAtMs(world);
    until !== undefined && due !== null && due <= at(until);
    due = dueAtMs(world)
  ) {
    take({ nowMs: due });
  }
  largestState = Math.max(largestState, sizeOf(world.detection));
  return { world, sessions: world.sessions, events, largestState };
}

const sizeOf = (state: DetectionState) => JSON.stringify(state).length;

/** The state as another process would read it. */
export function restarted(state: DetectionState): DetectionState {
  return parseDetection(JSON.parse(JSON.stringify(state)));
}
