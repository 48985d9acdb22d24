import type { LateChange, Recorded } from '../alerts/past.js';
import type { AlertTransition } from '../alerts/types.js';

/** An event that was found when late readings came. */
export type LateEvent = Pick<
  AlertTransition,
  'alertId' | 'kind' | 'side' | 'tier' | 'measuredAtMs' | 'value' | 'unit'
>;

/** What fired, by alert, in memory: live firings as they come, and those detected late. */
export class Firings {
  private readonly byAlert = new Map<number, Recorded[]>();

  of(alertId: number): readonly Recorded[] {
    return this.byAlert.get(alertId) ?? [];
  }

  take({ alertId, kind, side, tier, version, measuredAtMs, value, unit, extreme }: AlertTransition): void {
    const known = this.byAlert.get(alertId) ?? [];
    this.byAlert.set(alertId, known);
    const shown = { value, unit };
    if (kind === 'fired') {
      const from = { side, tier, version, fromMs: measuredAtMs, first: shown };
      known.push({
        ...from,
        toMs: Number.POSITIVE_INFINITY,
        last: { value: null, unit: null },
        extreme: null,
      });
    }
    const open = known.find((one) => one.side === side && one.tier === tier && one.toMs === Infinity);
    if (kind === 'resolved' && open) Object.assign(open, { toMs: measuredAtMs, last: shown, extreme });
  }

  change({ rule, gone, found }: LateChange): void {
    const kept = this.of(rule.id).filter((one) => !gone.includes(one));
    this.byAlert.set(rule.id, [...kept, ...found.map((one) => ({ ...one, version: -1 }))]);
  }

  /** Those of firings that were detected late. */
  lateEvents(): LateEvent[] {
    return [...this.byAlert].flatMap(([alertId, firings]) =>
      firings.flatMap(({ side, tier, version, fromMs, toMs, first, last }): LateEvent[] => {
        const of = { alertId, side, tier };
        if (version > 0) return [];
        return [
          { ...of, kind: 'fired', measuredAtMs: fromMs, ...first },
          { ...of, kind: 'resolved', measuredAtMs: toMs, ...last },
        ];
      }),
    );
  }
}
