import { type BatterySight, evaluateBattery, lastBattery } from '../alerts/battery.js';
import { evaluate, rearm } from '../alerts/evaluate.js';
import { release, shareSilence } from '../alerts/inhibition.js';
import { isPresence } from '../alerts/limits.js';
import { evaluatePresence, isUnmoved, type Presence } from '../alerts/presence.js';
import { remind } from '../alerts/reminders.js';
import { isUndisturbed, type KnownCalm } from '../alerts/resting.js';
import type { Observation } from '../readings/observation.js';
import { FLAG, storedCondition, type ToldCondition, UNTRUSTED } from '../readings/sample.js';
import { closeDraft, openDraft, step } from '../sessions/detection.js';
import type { Draft } from '../sessions/draft.js';
import { RollUps } from '../sessions/roll-up.js';
import type { Moment, Session } from '../sessions/types.js';
import { companyOf, expectedIntervalMs, lookAgain, waitMs } from './device-silence.js';
import { gapBefore } from './gap.js';
import { isDetected, withAbsences } from './late-inputs.js';
import { heardMs, isMissed, roleOf, runningSession, WHOLE_DEVICE } from './missed.js';
import type { AlertInstance, FoldResult, IngestWorld, Input, ProbeSight, ProbeState } from './types.js';

const MIN_LEARNED_SECONDS = 1;
const MAX_LEARNED_SECONDS = 24 * 3600;

/** Where the fold stands between two inputs. All but `world` is this run's own: the caller's world is never changed. */
interface Progress {
  world: IngestWorld;
  draft: Draft;
  rollUps: RollUps;
  probes: Map<number, ProbeState>;
  alerts: Map<number, AlertInstance[]>;
  calm: KnownCalm;
  transitions: FoldResult['transitions'];
  gaps: FoldResult['gaps'];
  absences: ProbeSight[];
  /** Some silence is told by another probe's alert. */
  isInhibited: boolean;
}

/**
 * What new readings mean: session detection, roll-ups and alerts, one after the other for each input.
 *
 * `inputs` are of one device, in order of time, each (probe, time) once and not seen before. A reading at or before its
 * probe's high-water mark is late: it counts in the sessions that cover it and changes nothing else.
 * @param newId makes the public id of a session that begins here
 */
export function fold(world: IngestWorld, inputs: readonly Input[], newId: () => string): FoldResult {
  const progress: Progress = {
    world,
    draft: openDraft(world.sessions),
    rollUps: new RollUps(),
    probes: new Map(world.probes),
    alerts: new Map(world.alerts),
    calm: new Map(),
    transitions: [],
    gaps: [],
    absences: [],
    isInhibited: [...world.alerts.values()].some((instances) => instances.some(isInhibited)),
  };
  for (const input of inputs) {
    if ('nowMs' in input) {
      detect(progress, input, newId);
      // A former owner's probes have no time any more.
      for (const { id: probeId } of world.sessions.device.probes) {
        miss(progress, probeId, 'silence', input.nowMs);
        tellAgain(progress, probeId, input.nowMs);
      }
      tellAgain(progress, WHOLE_DEVICE, input.nowMs);
    } else if ('percent' in input) drain(progress, input);
    else observe(progress, input, newId);
  }
  const { draft, probes, alerts, transitions, gaps } = progress;
  const sessions = withAbsences(closeDraft(draft, world.sessions), progress.absences);
  const present = { world, probes, alerts, sessions: draft.sessions };
  const lookMs = progress.isInhibited ? lookAgain(present, inputs.at(-1)) : null;
  return {
    world: { ...world, sessions, probes, alerts, lookMs },
    sessionEvents: draft.events,
    transitions,
    gaps,
  };
}

function observe(progress: Progress, observation: ProbeSight, newId: () => string): void {
  const probe = progress.probes.get(observation.probeId);
  if (!probe) return;
  const late = isLate(probe, observation);
  const trusted = (observation.flags & UNTRUSTED) === 0;
  if (!late) {
    const intervalMs = expectedIntervalMs(progress.world, probe);
    const gap = observation.hundredths === null ? null : gapBefore(progress.world, probe, observation);
    if (gap) progress.gaps.push(gap);
    const next = advance(probe, observation);
    progress.probes.set(probe.id, next);
    if (trusted) {
      if (isDetected(observation)) detect(progress, observation, newId);
      if (observation.hundredths === null && isDetected(observation)) progress.absences.push(observation);
      alert(progress, observation, intervalMs);
      const { condition, conditionMs } = next;
      // A value from before the probe fell silent, come after the news of that: it is still silent.
      if (observation.hundredths !== null && condition !== 'ok' && conditionMs !== null)
        alert(progress, { ...observation, hundredths: null, measuredAtMs: conditionMs }, intervalMs);
    }
  }
  if (!late) {
    const shows = SHOWS[observation.hundredths === null ? observation.condition : 'ok'];
    if (shows) miss(progress, probe.id, shows, observation.measuredAtMs);
    if (shows === 'value' && progress.isInhibited) releaseOthers(progress, observation);
  }
  if (observation.hundredths !== null && trusted)
    progress.draft.sessions = progress.rollUps.add(progress.draft.sessions, observation);
}

/** Any value is a sign of life, trusted or not; a probe that is faulty, offline or stale gives none. */
const SHOWS: Partial<Record<ToldCondition, Presence['shows']>> = {
  ok: 'value',
  absent: 'nothing',
  disabled: 'off',
};

/** What a probe showed instead of a value is news only after all that is known of it, so that a repeated job is none. */
function isLate(
  { lastMs, conditionMs }: ProbeState,
  { measuredAtMs, hundredths, flags }: Observation,
): boolean {
  if (flags & FLAG.late) return true; // history, whether or not anything of the probe was seen live
  if (hundredths === null && conditionMs !== null && measuredAtMs <= conditionMs) return true;
  return lastMs !== null && measuredAtMs <= lastMs;
}

/**
 * The probe after one more reading. A clock that runs ahead does not move the high-water mark, nor does a value from
 * before the probe was seen without one take that back; but any value ends being stale.
 */
function advance(probe: ProbeState, observation: ProbeSight): ProbeState {
  const { measuredAtMs, hundredths, unit, flags } = observation;
  if (flags & FLAG.skewed) return probe;
  const condition = storedCondition(observation.condition);
  const { condition: was, conditionMs } = probe;
  const older = was !== 'stale' && conditionMs !== null && measuredAtMs < conditionMs;
  const changed = condition !== was && !older;
  const current = changed ? { ...probe, condition, conditionMs: measuredAtMs } : probe;
  if (hundredths === null) return current;
  return {
    id: probe.id,
    lastMs: measuredAtMs,
    lastHundredths: hundredths,
    lastUnit: unit,
    condition: current.condition,
    conditionMs: current.conditionMs,
    learnedIntervalSeconds: learnInterval(probe, measuredAtMs),
  };
}

/**
 * One step towards the 90th percentile of the gaps: up by nine parts when a gap is longer, down by one when it is not,
 * so that the two balance where one gap in ten is longer.
 */
function learnInterval(
  { lastMs, learnedIntervalSeconds: learned }: ProbeState,
  measuredAtMs: number,
): number | null {
  if (lastMs === null) return learned;
  const gap = (measuredAtMs - lastMs) / 1000;
  if (learned === null) return clampInterval(gap);
  return clampInterval(learned * (gap > learned ? 1.09 : 0.99));
}

function clampInterval(seconds: number): number {
  return Math.round(Math.min(Math.max(seconds, MIN_LEARNED_SECONDS), MAX_LEARNED_SECONDS) * 100) / 100;
}

/** Session detection; a probe that came into a new session gets its one-shot alerts armed again. */
function detect(progress: Progress, input: ProbeSight | Moment, newId: () => string): void {
  const { draft } = progress;
  const [before, eventsBefore] = [draft.sessions, draft.events.length];
  step(draft, input, newId);
  if (draft.events.length === eventsBefore) return;
  const known = new Set(before.flatMap(memberships));
  for (const session of draft.sessions) {
    for (const { probeId } of session.members) {
      if (!known.has(`${session.publicId} ${probeId}`)) rearmProbe(progress, probeId);
    }
  }
}

function memberships({ publicId, members }: Session): string[] {
  return members.map(({ probeId }) => `${publicId} ${probeId}`);
}

function rearmProbe({ alerts }: Progress, probeId: number): void {
  const instances = alerts.get(probeId);
  if (instances)
    alerts.set(
      probeId,
      instances.map((instance) => ({ ...instance, states: rearm(instance.rule, instance.states) })),
    );
}

function alert(progress: Progress, observation: Observation, intervalMs: number | null): void {
  const { probeId } = observation;
  const instances = progress.alerts.get(probeId);
  const isCalm = ({ rule, states }: AlertInstance) =>
    isPresence(rule.type) || isUndisturbed(rule, states, observation, progress.calm);
  const disturbed = instances?.filter((instance) => !isCalm(instance)) ?? [];
  if (!instances || disturbed.length === 0) return;
  const running = runningSession(progress.draft.sessions, probeId);
  const context = {
    expectedIntervalMs: intervalMs,
    isFood: roleOf(progress.world, probeId, running) === 'food',
    drop: running && progress.draft.cook?.pits[probeId]?.lid?.drop,
  };
  const next = instances.map((instance) =>
    disturbed.includes(instance)
      ? tell(progress, instance, running, evaluate(instance.rule, instance.states, observation, context))
      : instance,
  );
  progress.alerts.set(probeId, next);
}

/** What the alerts that miss a probe make of its being there, or not. */
function miss(progress: Progress, probeId: number, shows: Presence['shows'], atMs: number): void {
  const instances = progress.alerts.get(probeId);
  const lastMs = heardMs(progress.world, progress.probes.get(probeId));
  const isMoved = ({ rule, states }: AlertInstance) =>
    isPresence(rule.type) && !isUnmoved(states, { shows, atMs, lastMs });
  if (!instances?.some(isMoved)) return;
  const running = runningSession(progress.draft.sessions, probeId);
  const next = instances.map((instance) => {
    const { rule, states } = instance;
    if (!isPresence(rule.type)) return instance;
    const isWatched = isMissed(progress.world, { probeId, rule, running, instances });
    const own = evaluatePresence(rule, states, { atMs, shows, lastMs, isWatched });
    const isNews = rule.type === 'no_data' && shows === 'silence' && own.transitions.length > 0;
    const sessions = progress.draft.sessions;
    const outcome = isNews
      ? shareSilence(rule, own, companyOf({ ...progress, sessions }, probeId), atMs)
      : own;
    return tell(progress, instance, running, outcome);
  });
  progress.alerts.set(probeId, next);
  progress.isInhibited ||= next.some(isInhibited);
}

const isInhibited = ({ states }: AlertInstance): boolean => states.some((state) => state.isInhibited);

/** A device that shows a value is not silent as a whole. */
function releaseOthers({ world, probes, alerts }: Progress, { probeId, measuredAtMs }: Observation): void {
  for (const [id, instances] of alerts) {
    if (id === probeId || !instances.some(isInhibited)) continue;
    const untilMs = measuredAtMs + waitMs(world, probes.get(id));
    const next = instances.map(({ rule, states }) => ({ rule, states: release(states, untilMs) }));
    alerts.set(id, next);
  }
}

/** What the alerts of the device itself make of its battery. */
function drain(progress: Progress, sight: BatterySight): void {
  const instances = progress.alerts.get(WHOLE_DEVICE);
  if (!instances) return;
  const running = runningSession(progress.draft.sessions, WHOLE_DEVICE);
  const next = instances.map((instance) =>
    tell(progress, instance, running, evaluateBattery(instance.rule, instance.states, sight)),
  );
  progress.alerts.set(WHOLE_DEVICE, next);
}

function tellAgain(progress: Progress, probeId: number, nowMs: number): void {
  const instances = progress.alerts.get(probeId) ?? [];
  const { lastMs = null, lastHundredths = null, lastUnit = null } = progress.probes.get(probeId) ?? {};
  const shown = { measuredAtMs: lastMs, hundredths: lastHundredths, unit: lastUnit };
  const running = runningSession(progress.draft.sessions, probeId);
  const next = instances.map((instance) => {
    const { rule, states } = instance;
    const last = rule.type === 'battery' ? lastBattery(states) : shown;
    return tell(progress, instance, running, remind(rule, states, nowMs, last));
  });
  progress.alerts.set(probeId, next);
}

function tell(
  progress: Progress,
  instance: AlertInstance,
  running: Session | undefined,
  { states, transitions }: ReturnType<typeof evaluate>,
): AlertInstance {
  const session = running?.publicId ?? null;
  for (const transition of transitions) progress.transitions.push({ ...transition, session });
  return states === instance.states ? instance : { rule: instance.rule, states };
}
