import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { AlertRule, AlertState } from '../../src/alerts/types.js';
import type { EventAnswer } from '../../src/replay/answer.js';
import { replay } from '../../src/replay/replay.js';
import { parseTrace, type TraceRow } from '../../src/replay/trace.js';

/** What a band shows: the phase, or that its input is missing. */
export type Shade = AlertState['phase'] | 'unknown';

/** Where one side and tier of an alert stood, from each time on (epoch ms). */
export interface Band {
  name: string;
  side: AlertState['side'];
  tier: AlertState['tier'];
  steps: { atMs: number; shade: Shade }[];
}

/** A worked trace with what the replay made of it. */
export interface Told {
  name: string;
  rows: TraceRow[];
  /** Each with its name. */
  rules: { name: string; rule: AlertRule }[];
  bands: Band[];
  events: EventAnswer[];
}

const named = z.array(z.object({ name: z.string().optional(), is_active: z.boolean().default(true) }));

/** Replays `NAME.csv` with `NAME.alerts.json`, as its test does. */
export function tell(folder: string, name: string): Told {
  const rows = parseTrace(readFileSync(join(folder, `${name}.csv`)));
  const alertsJson = readFileSync(join(folder, `${name}.alerts.json`), 'utf8');
  const names = named
    .parse(JSON.parse(alertsJson))
    .flatMap((alert, index) => (alert.is_active ? [alert.name ?? `alerts[${index}]`] : []));
  const bands = new Map<string, Band>();
  const rules = new Map<number, { name: string; rule: AlertRule }>();
  let lastMs = 0;
  const { events } = replay(rows, {
    alertsJson,
    seen: (atMs, world) => {
      lastMs = Math.max(lastMs, atMs);
      for (const { rule, states } of [...world.alerts.values()].flat()) {
        const alert = names[rule.id] ?? '';
        rules.set(rule.id, { name: alert, rule });
        for (const state of states) note(bands, alert, state, lastMs);
      }
    },
  });
  return { name, rows, rules: [...rules.values()], bands: [...bands.values()], events };
}

function note(bands: Map<string, Band>, name: string, state: AlertState, atMs: number): void {
  const { alertId, side, tier, phase, isUnknown } = state;
  const key = `${alertId} ${side} ${tier}`;
  const band = bands.get(key) ?? { name, side, tier, steps: [] };
  bands.set(key, band);
  const shade = isUnknown && phase === 'inactive' ? 'unknown' : phase;
  if (band.steps.at(-1)?.shade !== shade) band.steps.push({ atMs, shade });
}
