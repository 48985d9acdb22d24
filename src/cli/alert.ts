import type { Command } from 'commander';
import { UserManager } from '../accounts/user-manager.js';
import { AlertFlags } from '../alerts/alert-flags.js';
import { AlertManager, type AlertRow } from '../alerts/alert-manager.js';
import { hundredthsOf, REARM_DIFFERENCE_C, REARM_MS } from '../alerts/limits.js';
import { listEvents } from '../alerts/list-events.js';
import { durationOf } from '../console/format.js';
import type { TemperatureAlert } from '../entities/temperature-alert.js';
import { InputError } from '../errors.js';
import { ALERT_TYPES, withNumbers, withRule } from './alert-options.js';
import { answering, type Context, publicId } from './context.js';
import { rehearseCommand } from './rehearse.js';
import { fields, table } from './text.js';

interface CreateOptions {
  email: string;
  device: string;
  probe?: string;
  json?: true;
  [option: string]: unknown;
}

const COLUMNS = [
  'id',
  'name',
  'device_id',
  'probe_id',
  'alert_type',
  'target_temperature',
  'min_temperature',
  'max_temperature',
  'threshold_value',
  'window_seconds',
  'silence_minutes',
  'battery_percent',
  'temperature_unit',
  'last_triggered',
];

export function alertCommand(program: Command, context: Context): void {
  const alert = program
    .command('alert')
    .description(
      'rules that tell when a probe reaches or leaves a temperature, changes fast, is missed, or a battery is low',
    );
  const create = answering(
    alert,
    'create',
    'watch a probe, or a battery; what is left out is the default of its role',
  )
    .requiredOption('--email <e>', 'of the user')
    .requiredOption('--device <d>', 'serial or name of the device')
    .requiredOption('--type <type>', ALERT_TYPES);
  withRule(create).action(
    async ({ email, device: deviceId, probe: probeId, json: _, ...options }: CreateOptions) =>
      context.transaction(async (tx) => {
        const { id } = await new UserManager(tx).getByEmail(email);
        const alerts = new AlertManager(tx);
        const { alert: created, alreadyMet } = await alerts.create(id, { deviceId, probeId, ...options });
        const row = { ...(await alerts.toJson(created)), already_met: alreadyMet };
        context.done([fields(row), ...(alreadyMet ? ['', whenMet(created)] : [])].join('\n'), row);
      }),
  );
  rehearseCommand(alert, context);
  answering(alert, 'list', 'show the alerts of a user')
    .requiredOption('--email <e>', 'of the user')
    .action(async ({ email }: { email: string }) => {
      const db = await context.manager();
      const alerts = new AlertManager(db);
      const found = await alerts.list((await new UserManager(db).getByEmail(email)).id);
      context.list(await Promise.all(found.map((one) => alerts.toJson(one))), COLUMNS);
    });
  answering(alert, 'show', 'show an alert, where it stands and its last events')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      const db = await context.manager();
      const alerts = new AlertManager(db);
      const found = await alerts.getByPublicId(id);
      const row = { ...(await alerts.toJson(found)), events: await listEvents(db, found.id) };
      context.done(glance(row), row);
    });
  answering(alert, 'delete', 'stop watching')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      await context.transaction((tx) => new AlertManager(tx).delete(id));
      context.done(`deleted ${id}`, { id, deleted: true });
    });
  changeCommands(alert, context);
}

const MOST_EVENTS = 8;
const AUDIT = new Set(['created_at', 'updated_at']);
const STATE_FLAGS = ['is_unknown', 'is_muted', 'is_inhibited', 'acknowledged_at', 'snoozed_until'];

/** On one screen: what is set of the rule, where each side stands, the newest events. JSON has all of it. */
function glance({ states, events, ...rule }: AlertRow & { events: Record<string, unknown>[] }): string {
  const isSet = ([name, value]: [string, unknown]) => (value ?? '') !== '' && !AUDIT.has(name);
  const flags = STATE_FLAGS.filter((flag) => states.some((state) => state[flag]));
  const columns = ['side', 'tier', 'phase', 'fired_at', 'resolved_at', ...flags];
  const shown = events
    .slice(0, MOST_EVENTS)
    .map(({ id: _, value, unit, duration_seconds: lasted, ...event }) => ({
      measured_at: event.measured_at,
      kind: event.detected_late ? `${event.kind} (late)` : event.kind,
      side: event.side,
      tier: event.tier,
      value: value === null ? null : `${value}${unit ? ` ${unit}` : ''}`,
      lasted: typeof lasted === 'number' ? durationOf(lasted * 1000) : null,
    }));
  return [
    fields(Object.fromEntries(Object.entries(rule).filter(isSet))),
    '',
    table(states, columns),
    '',
    events.length === 0 ? 'no events yet' : table(shown, Object.keys(shown[0] ?? {})),
  ].join('\n');
}

/** What a target that is met already waits for. */
function whenMet({ direction, temperatureUnit }: TemperatureAlert): string {
  const away = `${hundredthsOf(REARM_DIFFERENCE_C, { temperatureUnit }) / 100} °${temperatureUnit}`;
  const side = direction === 'down' ? 'above' : 'below';
  return `already there: it fires when the probe was more than ${away} ${side} it for ${durationOf(REARM_MS)} and reaches it again, or is there in a new session`;
}

function changeCommands(alert: Command, context: Context): void {
  withNumbers(
    answering(
      alert,
      'set',
      'change what is given (none takes it away); another condition closes what fires, without a message',
    ),
  )
    .argument('<id>', 'its id', publicId)
    .action(async (id: string, { json: _, ...options }: { json?: true; [option: string]: unknown }) => {
      if (Object.keys(options).length === 0) throw new InputError('nothing to change: name what to set');
      await context.transaction(async (tx) => {
        const alerts = new AlertManager(tx);
        context.show(await alerts.toJson(await alerts.set(id, options)));
      });
    });
  answering(alert, 'ack', 'seen: repeat it no more while it fires')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      await context.transaction((tx) => new AlertFlags(tx).acknowledge(id));
      context.done(`acknowledged ${id}`, { id, acknowledged: true });
    });
  answering(alert, 'unack', 'take that back')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      await context.transaction((tx) => new AlertFlags(tx).unacknowledge(id));
      context.done(`no longer acknowledged ${id}`, { id, acknowledged: false });
    });
  answering(alert, 'snooze', 'tell nothing of it for a while; what fires then is told at the end')
    .argument('<id>', 'its id', publicId)
    .requiredOption('--minutes <n>', 'for how long, at most a week; 0: no longer', Number)
    .action(async (id: string, { minutes }: { minutes: number }) => {
      const { snoozedUntil } = await context.transaction((tx) => new AlertFlags(tx).snooze(id, minutes));
      const said =
        minutes === 0 ? `no longer snoozed ${id}` : `snoozed ${id} until ${snoozedUntil.toISOString()}`;
      context.done(said, { id, snoozed_until: snoozedUntil });
    });
}
