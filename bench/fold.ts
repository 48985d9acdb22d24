import { join } from 'node:path';
import type { AlertInstance, IngestWorld, Input } from '../src/ingest/types.js';
import type { Options, Row } from './table.js';

/** As built: what compiles the benches on the fly adds to every closure. */
const dist = (file: string) => import(join(import.meta.dirname, '../dist', file));
const { withDefaults }: typeof import('../src/alerts/defaults.js') = await dist('alerts/defaults.js');
const { initialStates }: typeof import('../src/alerts/evaluate.js') = await dist('alerts/evaluate.js');
const { fold }: typeof import('../src/ingest/fold.js') = await dist('ingest/fold.js');
const { NO_POLL }: typeof import('../src/ingest/gather.js') = await dist('ingest/gather.js');
const { unseenProbe }: typeof import('../src/replay/unseen.js') = await dist('replay/unseen.js');
const { emptyDetection }: typeof import('../src/sessions/detection-state.js') = await dist(
  'sessions/detection-state.js',
);

const READINGS = { small: 5_000, full: 20_000 };
const TURNS = 3;
/** Of one type on the probe, so that what they cost stands out. */
const ALERTS = 10;
const INTERVAL_MS = 15_000;
/** As many as a busy worker finds of one probe in a batch. */
const INPUTS_PER_FOLD = 10;
const T0 = Date.UTC(2026, 0, 1);
const PROBE = { role: 'storage', intervalSeconds: INTERVAL_MS / 1000 } as const;
const PLACE = { temperatureUnit: 'C', transmitIntervalSeconds: PROBE.intervalSeconds } as const;

/** What `alert create` is given of each; a store, whose alerts never rest between two cooks. */
const TYPES: Record<string, object> = {
  target: { targetTemperature: 9 },
  range: { minTemperature: 0, maxTemperature: 8, criticalMaxTemperature: 10 },
  rising: {},
  falling: {},
  no_data: {},
  probe_removed: {},
};

/** How fast the fold of live ingest looks at alerts of each type, beside the same fold without any: in memory, no servers. */
export async function benchFold({ isSmall, say }: Options): Promise<Row[]> {
  const count = READINGS[isSmall ? 'small' : 'full'];
  const inputs = readingsOf(count);
  const names = ['none', ...Object.keys(TYPES)];
  const seconds = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let turn = 0; turn <= TURNS; turn++)
    for (const name of names) {
      const taken = secondsOf(worldWith(name), inputs);
      // The first turn compiles.
      if (turn > 0) seconds.get(name)?.push(taken);
    }
  const bare = count / Math.min(...(seconds.get('none') ?? []));
  return Object.keys(TYPES).map((name) => {
    const value = (ALERTS * count) / Math.min(...(seconds.get(name) ?? []));
    say(`fold, ${name}: ${Math.round(value)} evaluations/s`);
    return {
      figure: 'fold',
      what: `${ALERTS} ${name} alerts on a probe`,
      value,
      unit: 'evaluations/s',
      anchor: { what: 'without alerts', value: bare, unit: 'readings/s' },
      ratio: value / bare,
      note: `${count} readings, all of the fold counted, the best of ${TURNS} turns`,
    };
  });
}

function readingsOf(count: number): Input[] {
  return Array.from({ length: count }, (_, index) => {
    const hundredths = Math.round(400 + 450 * Math.sin(index / 200) + 30 * Math.sin(index * 1.7));
    const measuredAtMs = T0 + index * INTERVAL_MS;
    return { probeId: 1, measuredAtMs, hundredths, unit: 'C', flags: 0, condition: 'ok', poll: NO_POLL };
  });
}

/** A moment of the timers follows each batch. */
function secondsOf(start: IngestWorld, inputs: readonly Input[]): number {
  let world = start;
  const startMs = performance.now();
  for (let first = 0; first < inputs.length; first += INPUTS_PER_FOLD) {
    const nowMs = T0 + (first + INPUTS_PER_FOLD) * INTERVAL_MS;
    ({ world } = fold(world, [...inputs.slice(first, first + INPUTS_PER_FOLD), { nowMs }], () => 'session'));
  }
  return (performance.now() - startMs) / 1000;
}

function worldWith(type: string): IngestWorld {
  const options = TYPES[type];
  const alerts: AlertInstance[] = Array.from({ length: options ? ALERTS : 0 }, (_, index) => {
    const rule = { id: index + 1, ...withDefaults({ type, ...options }, { ...PROBE, ...PLACE }) };
    return { rule, states: initialStates(rule) };
  });
  const probe = { id: 1, kind: 'temperature', label: null, role: PROBE.role } as const;
  const device = { id: 1, deviceId: 'M100000001', userId: 1, type: 'node', model: null };
  return {
    sessions: {
      device: { ...device, temperatureUnit: 'C', probes: [probe] },
      detection: emptyDetection(),
      sessions: [],
    },
    statedIntervalSeconds: PROBE.intervalSeconds,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map([[1, unseenProbe(1)]]),
    alerts: new Map([[1, alerts]]),
  };
}
