import type { Command } from 'commander';
import type { EntityManager } from 'typeorm';
import { DeviceManager } from '../accounts/device-manager.js';
import { UserManager } from '../accounts/user-manager.js';
import { AlertManager } from '../alerts/alert-manager.js';
import { isPresence } from '../alerts/limits.js';
import type { AlertRule } from '../alerts/types.js';
import type { Probe } from '../entities/probe.js';
import { InputError, NotFoundError } from '../errors.js';
import { loadWorlds } from '../ingest/world-store.js';
import { loadSpans } from '../readings/reading-store.js';
import { rehearse } from '../replay/rehearse.js';
import { unseenWorld } from '../replay/unseen.js';
import { ALERT_TYPES, withRule } from './alert-options.js';
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

const DAY_MS = 24 * 3_600_000;
const NEITHER =
  'error: give the id of an alert, or --email, --device and --type of one that is not created yet';

export function rehearseCommand(alert: Command, context: Context): void {
  const command = answering(
    alert,
    'rehearse',
    'when an alert would have fired on the readings that are stored',
  )
    .argument('[id]', 'of an alert; without it, the options of one that is not created', publicId)
    .option('--days <n>', 'how far back from the newest reading', wholeNumber(1, 3650), 30)
    .option('--email <e>', 'of the user')
    .option('--device <d>', 'serial of the device')
    .option('--type <type>', ALERT_TYPES);
  withRule(command).action(async (id: string | undefined, { days, json, ...given }: RehearseOptions) => {
    const { email, device, type } = given;
    const isNew = email !== undefined && device !== undefined && type !== undefined;
    if (id === undefined ? !isNew : Object.keys(given).length > 0) command.error(NEITHER);
    const what = await context.transaction((tx) => (id === undefined ? planned(tx, given) : created(tx, id)));
    const row = await answerOf(await context.manager(), what, days);
    context.done(fields(row), row);
  });
}

function created(tx: EntityManager, id: string): Promise<Rehearsed> {
  return new AlertManager(tx).getRule(id);
}

async function planned(
  tx: EntityManager,
  { email = '', device: deviceId = '', probe: probeId, ...options }: Asked,
): Promise<Rehearsed> {
  const { id } = await new UserManager(tx).getByEmail(email);
  const { probe, type, settings } = await new AlertManager(tx).plan(id, { deviceId, probeId, ...options });
  return { probe, rule: { ...settings, type, id: 0 } };
}

async function answerOf(db: EntityManager, { probe, rule }: Rehearsed, days: number): Promise<Row> {
  if (isPresence(rule.type) || !probe)
    throw new InputError(`readings alone do not tell when a ${rule.type} alert would have fired`);
  const { id, deviceId, probeId, lastMeasuredAt } = probe;
  const toMs = lastMeasuredAt?.getTime() ?? 0;
  const fromMs = Math.max(0, toMs - days * DAY_MS);
  const device = await new DeviceManager(db).get(deviceId);
  const world = (await loadWorlds(db, [device.id], toMs)).get(device.id);
  if (!world) throw new NotFoundError(`device ${deviceId} has no probes`);
  const [readings = []] = await loadSpans(db, [{ probeId: id, fromMs, toMs }]);
  const { firings, variations } = rehearse(unseenWorld(world, id), id, rule, readings);
  return {
    device_id: deviceId,
    probe_id: probeId,
    alert_type: rule.type,
    hold_seconds: rule.holdSeconds,
    hysteresis: rule.hysteresis,
    temperature_unit: rule.temperatureUnit,
    from: new Date(fromMs),
    to: new Date(toMs),
    reading_count: readings.length,
    firings,
    variations,
  };
}
