import type { Observation } from '../readings/observation.js';
import { UNTRUSTED } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import type { LidTrack } from '../sessions/detection-state.js';
import { followLid, LID_MS } from '../sessions/lid.js';
import { isFiring } from './announce.js';
import { type EvaluationContext, evaluate, initialStates, recoveryMs } from './evaluate.js';
import {
  changeOf,
  type Found,
  isOf,
  type LateAlert,
  type LateChange,
  type Past,
  pastOf,
  recordedAt,
  replaceLate,
} from './past.js';
import type { AlertRule, AlertState } from './types.js';

const HOUR_MS = 3_600_000;
/** Readings of one probe that are looked at together. */
export const PIECE = 500;
const MARGIN_INTERVALS = 120;

/** What is known of the probe beside its readings. */
export interface LateProbe {
  expectedIntervalMs: number | null;
  /** Of a pit that was in a session at that time, in hundredths of a degree Celsius; null: of no other. */
  baselineAt: (ms: number) => number | null;
}

/** A run of one alert from before a late reading until all is as it is on record. */
interface Run {
  past: Past;
  states: AlertState[];
  found: Found[];
}

/** Whether what happened stays news: of a target or a change within minutes nobody needs to hear late. */
export function hasPast({ type }: Pick<AlertRule, 'type'>): boolean {
  return type === 'range';
}

/**
 * What late readings add to what fired (domain-rules.md, Readings 11): the evaluator of live readings goes over all that
 * is stored around them, and what it finds firing and no live firing covers is a firing detected late. It depends on
 * the readings and the live firings alone, so their order and how they are split change nothing in the end.
 *
 * A generator: it yields the time from which on (epoch ms) it asks for readings, the next {@link PIECE} or all there are.
 * @param lateMs times of the late readings that are to be trusted, ascending; they are among those stored
 */
export function* replayLate(
  alerts: readonly LateAlert[],
  lateMs: readonly number[],
  probe: LateProbe,
): Generator<number, LateChange[], readonly Observation[]> {
  const marginMs = Math.max(...alerts.map(({ rule }) => marginOf(rule, probe)));
  const pasts = alerts.map(pastOf);
  for (let next = 0; next < lateMs.length; ) {
    const firstMs = lateMs[next] ?? 0;
    const runs = pasts.map((past) => begin(past, firstMs - marginMs));
    const seen: Observation[] = [];
    let lid: LidTrack | undefined;
    let isSettled = false;
    for (let fromMs: number | null = firstMs - marginMs; fromMs !== null && !isSettled; ) {
      const piece: readonly Observation[] = yield fromMs;
      for (const reading of piece) {
        const { measuredAtMs } = reading;
        if (reading.flags & UNTRUSTED) continue;
        if (measuredAtMs === firstMs) for (const run of runs) resume(run, firstMs);
        while ((lateMs[next] ?? Number.POSITIVE_INFINITY) <= measuredAtMs) next += 1;
        lid = lidAfter(lid, reading, probe);
        for (const run of runs) step(run, reading, { ...probe, drop: lid?.drop });
        seen.push(reading);
        // Not at once: a drop of a pit is remembered for ten minutes, and of the late reading the record knows nothing.
        const isOver = measuredAtMs - (lateMs[next - 1] ?? 0) > 2 * LID_MS;
        const isNextFar = (lateMs[next] ?? Number.POSITIVE_INFINITY) - measuredAtMs > marginMs;
        isSettled = isOver && isNextFar && runs.every((run) => isAsItWas(run, measuredAtMs));
        if (isSettled) break;
      }
      fromMs = piece.length < PIECE ? null : (piece.at(-1)?.measuredAtMs ?? 0) + 1;
    }
    if (lateMs[next] === firstMs) next += 1; // it is not among those stored
    for (const run of runs) close(run, firstMs, seen);
  }
  return pasts.map(changeOf).filter(({ gone, found }) => gone.length + found.length > 0);
}

/**
 * How far back to begin: twice as long as a hold, a recovery and a cooldown, and some hours, since a gap suspends what is
 * held and a tier may be silent after the worse one that it fired under.
 */
export function marginOf(rule: AlertRule, { expectedIntervalMs }: LateProbe): number {
  const heldMs = (rule.holdSeconds + rule.cooldownSeconds) * 1000 + recoveryMs(rule, expectedIntervalMs);
  const manyMs = expectedIntervalMs === null ? 6 * HOUR_MS : MARGIN_INTERVALS * expectedIntervalMs;
  return Math.ceil(2 * heldMs + Math.min(Math.max(HOUR_MS, manyMs), 6 * HOUR_MS));
}

/** Some time before: what was firing fires, and what is being held shows on the way. */
function begin(past: Past, atMs: number): Run {
  const states = initialStates(past.alert.rule).map((state): AlertState => {
    const firing = recordedAt(past, state, atMs);
    return firing ? { ...state, phase: 'firing', firedAtMs: firing.fromMs, isAnnounced: true } : state;
  });
  return { past, states, found: [] };
}

/** Just before the first late reading: what fires began as the record says; if it is not on it, it was silent, under a worse tier. */
function resume(run: Run, atMs: number): void {
  run.found = [];
  run.states = run.states.map((state) => {
    const firing = recordedAt(run.past, state, atMs - 1);
    if (!firing) return { ...state, isAnnounced: false };
    return isFiring(state) ? { ...state, firedAtMs: firing.fromMs, isAnnounced: true } : state;
  });
}

function lidAfter(lid: LidTrack | undefined, reading: Observation, { baselineAt }: LateProbe) {
  const { measuredAtMs: atMs, hundredths, unit } = reading;
  const baseline = baselineAt(atMs);
  if (baseline === null || hundredths === null || !isTemperature(unit)) return undefined;
  return followLid(lid, { atMs, value: convertHundredths(hundredths, unit, 'C'), baseline });
}

function step(run: Run, reading: Observation, context: EvaluationContext): void {
  const { rule, judgedAfterMs } = run.past.alert;
  if (reading.measuredAtMs <= judgedAfterMs) return;
  const before = run.states;
  const { states, transitions } = evaluate(rule, before, reading, context);
  for (const { kind, side, tier, measuredAtMs: toMs } of transitions) {
    const fromMs = before.find(isOf({ side, tier }))?.firedAtMs;
    if (kind === 'resolved' && typeof fromMs === 'number') run.found.push({ side, tier, fromMs, toMs });
  }
  run.states = states;
}

/** Whether from here on everything goes as it did: it fires, or is calm, as the record says, and nothing is being held. */
function isAsItWas({ past, states }: Run, atMs: number): boolean {
  const { rule, judgedAfterMs } = past.alert;
  if (atMs <= judgedAfterMs) return true;
  return states.every((state) => {
    const isOnRecord = recordedAt(past, state, atMs) !== undefined;
    if (state.phase === 'firing') return state.isAnnounced === isOnRecord;
    const isCool = state.resolvedAtMs === null || atMs - state.resolvedAtMs >= rule.cooldownSeconds * 1000;
    return state.phase === 'inactive' && !isOnRecord && isCool;
  });
}

/** What the run found, from its first late reading on. */
function close({ past, states, found }: Run, firstMs: number, seen: readonly Observation[]): void {
  const endMs = seen.at(-1)?.measuredAtMs ?? firstMs;
  const open = states.flatMap((state): Found[] => {
    const { side, tier, firedAtMs: fromMs, isAnnounced } = state;
    if (!isFiring(state) || !isAnnounced || fromMs === null) return [];
    return [{ side, tier, fromMs, toMs: recordedAt(past, state, endMs)?.toMs ?? endMs }];
  });
  replaceLate(past, [...found, ...open], { firstMs, endMs, seen });
}
