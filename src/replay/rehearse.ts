import { initialStates } from '../alerts/evaluate.js';
import { isSlope } from '../alerts/limits.js';
import type { AlertRule, AlertTransition } from '../alerts/types.js';
import { fold } from '../ingest/fold.js';
import { NO_POLL } from '../ingest/gather.js';
import type { IngestWorld } from '../ingest/types.js';
import type { Observation } from '../readings/observation.js';
import { FLAG, roundToHundredth } from '../readings/sample.js';

/** A firing that there would have been. */
export interface Firing extends Pick<AlertTransition, 'side' | 'tier' | 'value' | 'unit'> {
  fired_at: Date;
  /** Null: it was still firing at the last reading. */
  resolved_at: Date | null;
  seconds: number;
}

/** The same rule with another hold and hysteresis (in its unit), or as it is. */
export interface Variation {
  hold_seconds: number;
  hysteresis: number;
  firings: number;
  seconds: number;
}

/**
 * When a rule would have fired on these readings, by the fold of live ingest; and the same with its hold and its
 * hysteresis varied, the rule as it is among them.
 * @param world the device with this one probe, before the first reading; its alerts are left aside
 * @param readings of the probe, by time; what came too late to tell anybody does not count here either
 */
export function rehearse(
  world: IngestWorld,
  probeId: number,
  rule: AlertRule,
  readings: readonly Observation[],
): { firings: Firing[]; variations: Variation[] } {
  const rules = [rule, ...variationsOf(rule)].map((one, id) => ({ ...one, id }));
  const live = readings.filter(({ flags }) => (flags & (FLAG.late | FLAG.backfilled)) === 0);
  const instances = rules.map((one) => ({ rule: one, states: initialStates(one) }));
  const { transitions } = fold(
    { ...world, alerts: new Map([[probeId, instances]]) },
    live.map((reading) => ({ ...reading, condition: 'ok', poll: NO_POLL })),
    () => 'rehearsed',
  );
  const lastMs = live.at(-1)?.measuredAtMs ?? 0;
  const firings = rules.map(({ id }) => firingsOf(transitions, id, lastMs));
  const variations = rules.map(({ holdSeconds, hysteresis }, id) => {
    const all = firings[id] ?? [];
    const seconds = all.reduce((sum, one) => sum + one.seconds, 0);
    return { hold_seconds: holdSeconds, hysteresis, firings: all.length, seconds };
  });
  variations.sort((a, b) => a.hold_seconds - b.hold_seconds || a.hysteresis - b.hysteresis);
  return { firings: firings[0] ?? [], variations };
}

/** Half and twice its hold, and half and twice its hysteresis, or what stands for that where it is next to nothing. */
function variationsOf(rule: AlertRule): AlertRule[] {
  const { holdSeconds: hold, hysteresis } = rule;
  const holds = hold < 2 ? [0, 1, 60, 180] : [Math.round(hold / 2), 2 * hold];
  const widths = hysteresis === 0 ? [1, 2] : [hysteresis / 2, 2 * hysteresis].map(roundToHundredth);
  const most = isSlope(rule.type) ? (rule.thresholdValue ?? 0) : Number.POSITIVE_INFINITY;
  return [
    ...holds.filter((one) => one !== hold).map((holdSeconds) => ({ ...rule, holdSeconds })),
    ...widths.filter((one) => one < most).map((width) => ({ ...rule, hysteresis: width })),
  ];
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
