import { type Command, InvalidArgumentError, Option } from 'commander';
import type { EntityManager } from 'typeorm';
import { DeviceManager, getProbe, type OwnedDevice, type ProbeSettings } from '../accounts/device-manager.js';
import { UserManager } from '../accounts/user-manager.js';
import { listReadings } from '../readings/reading-list.js';
import { answering, type Context, instant, type Row, wholeNumber } from './context.js';
import { completenessCommand, exportCommand, pruneCommand } from './history.js';
import { chartCommand } from './reading-chart.js';
import { toRow } from './text.js';

interface SetOptions extends ProbeSettings {
  email: string;
  device: string;
  probe?: string;
  nickname?: string;
}

interface ReadingOptions {
  device: string;
  probe?: string;
  from?: Date;
  to?: Date;
  limit: number;
}

export function deviceCommand(program: Command, context: Context): void {
  const device = program.command('device').description('thermometers and their probes');
  answering(device, 'list', 'show devices with their probes')
    .option('--email <e>', 'only those of this user')
    .action(async ({ email }: { email?: string }) => {
      const db = await context.manager();
      const user = email === undefined ? undefined : await new UserManager(db).getByEmail(email);
      const devices = await new DeviceManager(db).list(user?.id);
      const rows = devices.map((one) => view(db, one));
      if (context.json) context.list(rows, []);
      else
        context.list(
          devices.flatMap((one) => probeRows(db, one)),
          PROBE_COLUMNS,
        );
    });
  answering(device, 'set', 'name a device or a probe, or say what a probe is for')
    .requiredOption('--email <e>', 'of its owner')
    .requiredOption('--device <d>', 'its serial or name')
    .option('--probe <p>', 'one of its probes')
    .option('--nickname <n>', 'of the device')
    .option('--label <l>', 'of the probe')
    .addOption(new Option('--role <role>', 'of the probe').choices(['pit', 'food', 'storage', 'other']))
    .option('--min-temperature <t>', 'of the probe: below is out of range (none: no limit)', limit)
    .option('--max-temperature <t>', 'of the probe: above is out of range (none: no limit)', limit)
    .addOption(new Option('--temperature-unit <u>', 'of these limits').choices(['F', 'C']))
    .action(async ({ email, device: deviceId, probe: probeId, ...names }: SetOptions, command: Command) => {
      if (Object.keys(names).every((name) => name === 'json'))
        command.error('error: give one of --nickname, --label, --role, --min-temperature, --max-temperature');
      await context.transaction(async (tx) => {
        const { id } = await new UserManager(tx).getByEmail(email);
        context.show(view(tx, await new DeviceManager(tx).set(id, { deviceId, probeId, ...names })));
      });
    });
}

function limit(text: string): number | 'none' {
  if (text === 'none') return text;
  if (/^[+-]?\d{1,4}(\.\d{1,2})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Must be a temperature with at most two decimals, or none.');
}

export function readingCommand(program: Command, context: Context): void {
  const reading = program.command('reading').description('what probes measured');
  answering(reading, 'list', 'show the newest readings in a range of time, by time')
    .requiredOption('--device <d>', 'serial or name of the device')
    .option('--probe <p>', 'only of this probe')
    .option('--from <t>', 'not before', instant)
    .option('--to <t>', 'before', instant)
    .option('--limit <n>', 'at most so many', wholeNumber(1, 100_000), 1000)
    .action(async ({ device: deviceId, probe, ...range }: ReadingOptions) => {
      const db = await context.manager();
      const device = await new DeviceManager(db).get(deviceId);
      const probes = probe === undefined ? device.probes : [getProbe(device, probe)];
      const names = new Map(probes.map(({ id, probeId }) => [id, probeId]));
      const rows = (await listReadings(db, [...names.keys()], range)).map((row) => ({
        ...row,
        device_id: deviceId,
        probe_id: names.get(row.probe_id),
      }));
      context.list(rows, ['measured_at', 'probe_id', 'value', 'unit', 'flags']);
    });
  chartCommand(reading, context);
  exportCommand(reading, context);
  completenessCommand(reading, context);
  pruneCommand(reading, context);
}

const PROBE_COLUMNS = [
  'device_id',
  'device',
  'status',
  'probe_id',
  'label',
  'role',
  'state',
  'last',
  'last_measured_at',
];

function view(db: EntityManager, device: OwnedDevice): Row {
  const probes = device.probes.map((probe) => toRow(db, probe));
  return { ...toRow(db, device), email: device.user?.email, probes };
}

/** A line for each probe, or for a device that has none yet. */
function probeRows(db: EntityManager, device: OwnedDevice): Row[] {
  const { deviceId, nickname, label, status, probes } = device;
  const shared = { device_id: deviceId, device: nickname ?? label, status };
  if (probes.length === 0) return [shared];
  return probes.map((probe) => ({
    ...toRow(db, probe),
    ...shared,
    last: probe.lastValue === null ? null : `${probe.lastValue} ${probe.lastUnit}`,
  }));
}
