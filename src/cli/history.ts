import { type Command, Option } from 'commander';
import type { EntityManager } from 'typeorm';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import { DeviceManager, type OwnedDevice } from '../accounts/device-manager.js';
import { rollUpBuckets } from '../buckets/roll-up-buckets.js';
import { InputError } from '../errors.js';
import { reportsOnChange } from '../ingest/world-store.js';
import { completeness } from '../readings/completeness.js';
import { type ExportedProbe, exportText } from '../readings/export.js';
import { listGaps } from '../readings/gap-list.js';
import { DAY_MS, dropOldMonths, keptSince, listMonths, type Month } from '../readings/retention.js';
import { stretches } from '../readings/stretches.js';
import { effectiveRole } from '../sessions/roles.js';
import { answering, type Context, instant } from './context.js';

export interface RangeOptions {
  device: string;
  from?: Date;
  to?: Date;
}

interface ExportOptions extends Required<RangeOptions> {
  format?: 'csv' | 'json';
}

const LONGEST_DAYS = 366;
const LONGEST_EXPORT_DAYS = 3_660;
const MOST_GAPS = 10_000;

export function gapCommand(program: Command, context: Context): void {
  const gap = program.command('gap').description('what was not observed');
  answering(gap, 'list', 'show the gaps in the readings of a device, by time')
    .requiredOption('--device <d>', 'serial of the device, or its name')
    .option('--from <t>', 'that end after', instant)
    .option('--to <t>', 'that begin before', instant)
    .action(async ({ device: deviceId, ...range }: RangeOptions) => {
      const db = await context.manager();
      const device = await new DeviceManager(db).get(deviceId);
      checkRange({ ...range, nowMs: await nowOf(db, device) });
      const names = new Map(device.probes.map(({ id, probeId }) => [id, probeId]));
      const gaps = await listGaps(db, [...names.keys()], { ...range, limit: MOST_GAPS + 1 });
      if (gaps.length > MOST_GAPS)
        throw new InputError(`more than ${MOST_GAPS} gaps: give a shorter range with --from and --to`);
      const rows = gaps.map(({ probeId, gapStart, gapEnd, cause, status }) => ({
        device_id: deviceId,
        probe_id: names.get(probeId),
        gap_start: gapStart,
        gap_end: gapEnd,
        seconds: (gapEnd.getTime() - gapStart.getTime()) / 1000,
        cause,
        status,
      }));
      context.list(rows, ['probe_id', 'gap_start', 'gap_end', 'seconds', 'cause', 'status']);
    });
}

export function pruneCommand(reading: Command, context: Context): void {
  answering(
    reading,
    'prune',
    'end the months of readings that are older than READINGS_RETENTION_DAYS, as the service does each hour',
  )
    .option('--dry-run', 'only show what would go, and why the rest stays')
    .action(async ({ dryRun = false }: { dryRun?: boolean }) => {
      const dataSource = await context.database();
      const keptFrom = keptSince(new Date(), context.config.retentionDays);
      const months = await listMonths(dataSource.manager, keptFrom);
      let gone: Month[] = [];
      if (!dryRun && (await rollUpBuckets({ dataSource }))) gone = await dropOldMonths(dataSource, keptFrom);
      const names = new Set(gone.map(({ partition }) => partition));
      const rows = months.map(({ partition, fromMs, toMs, rows: count, bytes, fate, why }) => ({
        partition,
        from: new Date(fromMs),
        to: new Date(toMs),
        rows: count,
        bytes,
        fate: names.has(partition) ? 'dropped' : fate,
        why,
      }));
      context.list(rows, ['partition', 'rows', 'bytes', 'fate', 'why']);
    });
}

export function completenessCommand(reading: Command, context: Context): void {
  answering(reading, 'completeness', 'how much of what should have been measured is stored, by probe and day')
    .requiredOption('--device <d>', 'serial of the device, or its name')
    .option('--from <t>', 'not before (default: 30 days, with that of --to)', instant)
    .option('--to <t>', 'before (default: now)', instant)
    .action(async ({ device: deviceId, from, to }: RangeOptions) => {
      const db = await context.manager();
      const device = await new DeviceManager(db).get(deviceId);
      const nowMs = await nowOf(db, device);
      const toMs = Math.min(to?.getTime() ?? nowMs, nowMs);
      const fromMs = from?.getTime() ?? (Math.ceil(toMs / DAY_MS) - 30) * DAY_MS;
      checkRange({ from: new Date(fromMs), to, nowMs, longestDays: LONGEST_DAYS });
      const probes = device.probes.map(({ id, learnedIntervalSeconds }) => ({
        id,
        intervalSeconds: intervalOf(device, learnedIntervalSeconds),
      }));
      const names = new Map(device.probes.map(({ id, probeId }) => [id, probeId]));
      const rows = (await completeness(db, probes, { fromMs, toMs })).map(({ probeId, dayMs, ...share }) => ({
        device_id: deviceId,
        probe_id: names.get(probeId),
        day: new Date(dayMs).toISOString().slice(0, 10),
        ...share,
      }));
      context.list(rows, ['probe_id', 'day', 'expected', 'stored', 'percent']);
    });
}

/** A file of readings: `--json` is another word for JSON. */
export const formatOption = () =>
  new Option('--format <format>', 'what to write (default: csv, as replay reads it)').choices([
    'csv',
    'json',
  ]);

export function exportCommand(reading: Command, context: Context): void {
  answering(reading, 'export', 'all readings of a device in a range of time, by time')
    .requiredOption('--device <d>', 'serial of the device, or its name')
    .requiredOption('--from <t>', 'not before', instant)
    .requiredOption('--to <t>', 'before', instant)
    .addOption(formatOption())
    .action(async ({ device: deviceId, from, to, format }: ExportOptions) => {
      const db = await context.manager();
      const device = await new DeviceManager(db).get(deviceId);
      const nowMs = await nowOf(db, device);
      checkRange({ from, to, nowMs, longestDays: LONGEST_EXPORT_DAYS });
      const probes = device.probes.map((probe): [number, ExportedProbe] => {
        return [probe.id, { deviceId, probeId: probe.probeId, role: effectiveRole(device, probe) }];
      });
      const names = new Map(probes);
      const span = { fromMs: from.getTime(), toMs: Math.min(to.getTime() - 1, nowMs) };
      const parts = stretches(db, [...names.keys()], span);
      await context.stream(exportText(parts, names, format ?? (context.json ? 'json' : 'csv')));
    });
}

/** As gaps are found: what the device records, else sends, else what was learned. Null: none is known. */
function intervalOf(device: OwnedDevice, learnedSeconds: number | null): number | null {
  if (reportsOnChange(device)) return null;
  return device.recordingIntervalSeconds || device.transmitIntervalSeconds || learnedSeconds;
}

/** The cloud's clock; a simulated one may have run ahead of what is known of it. */
export async function nowOf(db: EntityManager, { userId, probes }: OwnedDevice): Promise<number> {
  const newest = probes.map(({ lastMeasuredAt }) => (lastMeasuredAt?.getTime() ?? 0) + 1);
  return Math.max(await cloudNowMs(db, userId), ...newest);
}

/** @throws InputError that says what is wrong with the range */
export function checkRange(range: { from?: Date; to?: Date; nowMs: number; longestDays?: number }): void {
  const { from, to, nowMs, longestDays } = range;
  const fromMs = from?.getTime() ?? 0;
  const now = new Date(nowMs).toISOString();
  if (fromMs > nowMs) throw new InputError(`--from is in the future: it is ${now} by the cloud's clock`);
  if (to && from && to <= from)
    throw new InputError(`--to ${to.toISOString()} must be after --from ${from.toISOString()}`);
  const days = (Math.min(to?.getTime() ?? nowMs, nowMs) - fromMs) / DAY_MS;
  if (longestDays !== undefined && days > longestDays)
    throw new InputError(`the range has ${Math.ceil(days)} days: ask for ${longestDays} at most at a time`);
}
