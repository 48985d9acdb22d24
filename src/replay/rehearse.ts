import { initialStates } from '../alerts/evaluate.js';
import { isPresence, isSlope, roomOf } from '../alerts/limits.js';
import type { AlertRule, AlertTransition } from '../alerts/types.js';
import { fold } from '../ingest/fold.js';
import { NO_POLL } from '../ingest/gather.js';
import type { IngestWorld, Input } from '../ingest/types.js';
import type { Observation } from '../readings/observation.js';
import { FLAG, roundToHundredth } from '../readings/sample.js';
import { isOpen } from '../sessions/draft.js';
import { type KnownGap, watchPresence } from './rehearse-presence.js';

/** A firing that there would have been. */
export interface Firing extends Pick<AlertTransition, 'side' | 'tier' | 'value' | 'unit'> {
  fired_at: Date;
  /** Null: it was still firing at the last reading. */
  resolved_at: Date | null;
  seconds: number;
}

/** The same rule with another hold and hysteresis (in its unit) or, of a no-data alert, silence; or as it is. */
interface Variation {
  hold_seconds?: number;
  hysteresis?: number;
  silence_minutes?: number | null;
  firings: number;
  seconds: number;
}

/** Where a rule is rehearsed. */
interface Place {
  /** The device before the first reading, with all of its probes or the rule's alone; its alerts are left aside. */
  world: IngestWorld;
  probeId: number;
  rule: AlertRule;
  /** Of the probe. */
  gaps?: readonly KnownGap[];
}

/** How a reading came, not what it says. */
const ARRIVAL = FLAG.late | FLAG.backfilled;

/** Takes readings in; `transitions` is all that they told so far. */
export interface Run {
  take(readings: readonly Observation[]): void;
  readonly transitions: readonly AlertTransition[];
}

/**
 * When a rule would have fired on stored readings, by the fold of live ingest; and the same with its hold and its
 * hysteresis varied, the rule as it is among them: all in one pass.
 * @param parts readings by time; what came behind newer ones, too late to tell anybody, does not count here either, but what
 * was imported or filled in does, as if it had been live
 */
export async function rehearse(
  { world, probeId, rule, gaps = [] }: Place,
  parts: AsyncIterable<readonly Observation[]> | Iterable<readonly Observation[]>,
): Promise<{ firings: Firing[]; variations: Variation[] }> {
  const rules = [rule, ...variationsOf(rule)].map((one, id) => ({ ...one, id, repeatSeconds: 0 }));
  const instances = rules.map((one) => ({ rule: one, states: initialStates(one) }));
  const watched = { ...world, alerts: new Map([[probeId, instances]]) };
  const run = isPresence(rule.type) ? watchPresence(watched, { probeId, rule, gaps }) : watchValues(watched);
  let lastMs = 0;
  for await (const part of parts) {
    const live = part.filter(({ flags }) => !(flags & FLAG.late) || flags & FLAG.backfilled);
    run.take(live);
    lastMs = live.at(-1)?.measuredAtMs ?? lastMs;
  }
  const firings = rules.map(({ id }) => firingsOf(run.transitions, id, lastMs));
  const variations = rules.map((one, id) => {
    const all = firings[id] ?? [];
    const seconds = all.reduce((sum, { seconds: lasted }) => sum + lasted, 0);
    return { ...variedIn(one), firings: all.length, seconds };
  });
  return { firings: firings[0] ?? [], variations: inOrder(variations) };
}

/** What depends on values alone needs no timers: a part at a time. */
function watchValues(before: IngestWorld): Run {
  const transitions: AlertTransition[] = [];
  let [world, began] = [before, 0];
  const take = (readings: readonly Observation[]) => {
    const folded = fold(world, readings.map(toInput), () => `${++began}`);
    for (const transition of folded.transitions) transitions.push(transition);
    const { detection, ...rest } = folded.world.sessions;
    // As live ingest loads sessions.
    const sessions = rest.sessions.filter((one) => isOpen(one) || one.publicId === detection.cook?.session);
    world = { ...folded.world, sessions: { ...rest, detection, sessions } };
  };
  return { take, transitions };
}

function toInput({ probeId, measuredAtMs, hundredths, unit, flags }: Observation): Input {
  return { probeId, measuredAtMs, hundredths, unit, flags: flags & ~ARRIVAL, condition: 'ok', poll: NO_POLL };
}

/** Half and twice its hold, and half and twice its hysteresis, or what stands for that where it is next to nothing. */
function variationsOf(rule: AlertRule): AlertRule[] {
  const { type, holdSeconds: hold, hysteresis } = rule;
  if (isPresence(type)) return type === 'no_data' ? silencesOf(rule) : [];
  const holds = hold < 2 ? [0, 1, 60, 180] : [Math.round(hold / 2), 2 * hold];
  const widths = hysteresis === 0 ? [1, 2] : [hysteresis / 2, 2 * hysteresis].map(roundToHundredth);
  const most = isSlope(type) ? (rule.thresholdValue ?? 0) : roomOf(rule) / 100;
  return [
    ...holds.filter((one) => one !== hold).map((holdSeconds) => ({ ...rule, holdSeconds })),
    ...widths.filter((one) => one < most).map((width) => ({ ...rule, hysteresis: width })),
  ];
}

/** Half and twice the silence that a no-data alert takes. */
function silencesOf(rule: AlertRule): AlertRule[] {
  const { silenceMinutes: silence, criticalSilenceMinutes: critical } = rule;
  const times = (factor: number, minutes: number | null) => minutes && roundToHundredth(factor * minutes);
  return [0.5, 2].map((factor) => ({
    ...rule,
    silenceMinutes: times(factor, silence),
    criticalSilenceMinutes: times(factor, critical),
  }));
}

function variedIn(rule: AlertRule): Partial<Variation> {
  if (rule.type === 'probe_removed') return {};
  if (rule.type === 'no_data') return { silence_minutes: rule.silenceMinutes ?? rule.criticalSilenceMinutes };
  return { hold_seconds: rule.holdSeconds, hysteresis: rule.hysteresis };
}

function inOrder(variations: Variation[]): Variation[] {
  const keys = ['hold_seconds', 'hysteresis', 'silence_minutes'] as const;
  const compare = (a: Variation, b: Variation) =>
    keys.map((key) => (a[key] ?? 0) - (b[key] ?? 0)).find((difference) => difference !== 0);
  return variations.sort((a, b) => compare(a, b) ?? 0);
}

function firingsOf(transitions: readonly AlertTransition[], alertId: number, lastMs: number): Firing[] {
  const firings: Firing[] = [];
  for (const { alertId: id, kind, side, tier, value, unit, measuredAtMs } of transitions) {
    if (id !== alertId) continue;
    const at = new Date(measuredAtMs);
    if (kind === 'fired') {
      const seconds = (lastMs - measuredAtMs) / 1000;
      firings.push({ fired_at: at, resolved_at: null, side, tier, value, unit, seconds });
      continue;
    }
    const open = firings.findLast(
      (one) => one.side === side && one.tier === tier && one.resolved_at === null,
    );
    if (!open) continue;
    open.resolved_at = at;
    open.seconds = (measuredAtMs - open.fired_at.getTime()) / 1000;
  }
  return firings;
}
