import type { Command } from 'commander';
import type { EntityManager } from 'typeorm';
import { DeviceManager } from '../accounts/device-manager.js';
import { UserManager } from '../accounts/user-manager.js';
import { AlertManager } from '../alerts/alert-manager.js';
import { isPresence } from '../alerts/limits.js';
import type { AlertRule } from '../alerts/types.js';
import { durationOf } from '../console/format.js';
import type { Probe } from '../entities/probe.js';
import { InputError, NotFoundError } from '../errors.js';
import { loadWorlds } from '../ingest/world-store.js';
import type { Observation } from '../readings/observation.js';
import { stretches } from '../readings/stretches.js';
import { loadGaps } from '../replay/history.js';
import { rehearse } from '../replay/rehearse.js';
import { unseenWorld } from '../replay/unseen.js';
import { ALERT_TYPES, withRule } from './alert-options.js';
import { Chart } from './chart.js';
import { answering, type Context, publicId, type Row, wholeNumber } from './context.js';
import { fields } from './text.js';

interface Asked {
  email?: string;
  device?: string;
  probe?: string;
  [option: string]: unknown;
}

interface RehearseOptions extends Asked {
  days: number;
  json?: true;
}

/** What a rule of a probe would have told. */
interface Rehearsed {
  /** Null: a battery alert watches none. */
  probe: Probe | null;
  rule: AlertRule;
}

type Answer = Row & Awaited<ReturnType<typeof rehearse>> & { from: Date; to: Date };

const DAY_MS = 24 * 3_600_000;
const NEITHER =
  'error: give the id of an alert and what to vary of it, or --email, --device and --type of one that is not created yet';

export function rehearseCommand(alert: Command, context: Context): void {
  const command = answering(
    alert,
    'rehearse',
    'when an alert would have fired on the readings that are stored',
  )
    .argument(
      '[id]',
      'of an alert, with what to vary of it; without it, the options of one that is not created',
      publicId,
    )
    .option('--days <n>', 'how far back from the newest reading', wholeNumber(1, 3650), 30)
    .option('--email <e>', 'of the user')
    .option('--device <d>', 'serial or name of the device')
    .option('--type <type>', ALERT_TYPES);
  withRule(command).action(async (id: string | undefined, { days, json, ...given }: RehearseOptions) => {
    const isGiven = ['email', 'device', 'type'].map((key) => given[key] !== undefined);
    const isWrong = id === undefined ? isGiven.includes(false) : isGiven.includes(true) || given.probe;
    if (isWrong) command.error(NEITHER);
    const what = await context.transaction((tx) =>
      id === undefined ? planned(tx, given) : created(tx, id, given),
    );
    const { row, chart } = await answerOf(await context.manager(), what, days);
    context.done(textOf(row, chart, context.isTerminal), { ...row });
  });
}

function created(tx: EntityManager, id: string, varied: Asked): Promise<Rehearsed> {
  const alerts = new AlertManager(tx);
  return Object.keys(varied).length > 0 ? alerts.planSet(id, varied) : alerts.getRule(id);
}

async function planned(
  tx: EntityManager,
  { email = '', device: deviceId = '', probe: probeId, ...options }: Asked,
): Promise<Rehearsed> {
  const { id } = await new UserManager(tx).getByEmail(email);
  const { probe, type, settings } = await new AlertManager(tx).plan(id, { deviceId, probeId, ...options });
  return { probe, rule: { ...settings, type, id: 0 } };
}

async function answerOf(
  db: EntityManager,
  { probe, rule }: Rehearsed,
  days: number,
): Promise<{ row: Answer; chart: Chart }> {
  if (!probe)
    throw new InputError('a battery alert cannot be rehearsed: what the battery said is not stored');
  const { id, deviceId, probeId, lastMeasuredAt } = probe;
  const toMs = lastMeasuredAt?.getTime() ?? Date.now();
  const fromMs = Math.max(0, toMs - days * DAY_MS);
  const device = await new DeviceManager(db).get(deviceId);
  const loaded = (await loadWorlds(db, [device.id], toMs)).get(device.id);
  if (!loaded) throw new NotFoundError(`device ${deviceId} has no probes`);
  // Whether a probe is missed depends on the others of its device: it is in a cook or not.
  const probes = isPresence(rule.type) ? loaded.sessions.device.probes.map((one) => one.id) : [id];
  const gaps = isPresence(rule.type) ? await loadGaps(db, id, fromMs) : [];
  const chart = new Chart(rule, { fromMs, toMs });
  const place = { world: unseenWorld(loaded, probes), probeId: id, rule, gaps };
  const { firings, variations } = await rehearse(
    place,
    noted(stretches(db, probes, { fromMs, toMs }), id, chart),
  );
  const row = {
    device_id: deviceId,
    probe_id: probeId,
    alert_type: rule.type,
    hold_seconds: rule.holdSeconds,
    hysteresis: rule.hysteresis,
    temperature_unit: rule.temperatureUnit,
    from: new Date(fromMs),
    to: new Date(toMs),
    reading_count: chart.readingCount,
    firings,
    variations,
  };
  return { row, chart };
}

/** The answer, and the firings as a chart, in 80 columns. */
function textOf(row: Answer, chart: Chart, isColoured: boolean): string {
  const { firings, variations, ...facts } = row;
  const [from, to] = [row.from, row.to].map(timeOf);
  if (chart.readingCount === 0)
    return `no readings of probe ${row.probe_id} of ${row.device_id} are stored from ${from} to ${to}: nothing to rehearse on`;
  const told = firings.map(({ fired_at, resolved_at, side, tier, value, unit, seconds }) => ({
    fired_at: timeOf(fired_at),
    resolved_at: resolved_at && timeOf(resolved_at),
    lasted: durationOf(seconds * 1000),
    side,
    tier,
    value: value === null ? null : `${value} ${unit}`,
  }));
  const varied = variations.map(({ seconds, ...one }) => ({
    ...one,
    lasted: durationOf(seconds * 1000),
  }));
  const stretches = firings.map(({ fired_at, resolved_at }) => ({
    fromMs: fired_at.getTime(),
    untilMs: (resolved_at ?? row.to).getTime(),
  }));
  const shown = fields({ ...facts, firings: told, variations: varied });
  return [shown, '', chart.toText(stretches, { isColoured })].join('\n');
}

const timeOf = (instant: Date): string => instant.toISOString().slice(0, 19).replace('T', ' ');

async function* noted(
  parts: AsyncIterable<Observation[]>,
  id: number,
  chart: Chart,
): AsyncGenerator<Observation[]> {
  for await (const readings of parts) {
    for (const reading of readings) if (reading.probeId === id) chart.add(reading);
    yield readings;
  }
}
