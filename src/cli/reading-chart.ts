import type { Command } from 'commander';
import { DeviceManager, getProbe } from '../accounts/device-manager.js';
import { type ChartPoint, chartPoints } from '../buckets/chart-points.js';
import type { Probe } from '../entities/probe.js';
import { groupBy } from '../group-by.js';
import { DAY_MS } from '../readings/retention.js';
import { barOf } from './chart.js';
import { answering, type Context, instant } from './context.js';
import { checkRange, nowOf, type RangeOptions } from './history.js';
import { table } from './text.js';

interface ChartOptions extends RangeOptions {
  probe?: string;
}

export function chartCommand(reading: Command, context: Context): void {
  answering(reading, 'chart', 'what probes showed over any span: lowest, highest and mean of each step')
    .requiredOption('--device <d>', 'serial of the device, or its name')
    .option('--probe <p>', 'only of this probe')
    .option('--from <t>', 'not before (default: a day before --to)', instant)
    .option('--to <t>', 'before (default: now)', instant)
    .action(async ({ device: deviceId, probe, from, to }: ChartOptions) => {
      const db = await context.manager();
      const device = await new DeviceManager(db).get(deviceId);
      const probes = probe === undefined ? device.probes : [getProbe(device, probe)];
      const nowMs = await nowOf(db, device);
      const toMs = Math.min(to?.getTime() ?? nowMs, nowMs);
      const fromMs = from?.getTime() ?? toMs - DAY_MS;
      checkRange({ from: new Date(fromMs), to, nowMs });
      const { stepSeconds, points } = await chartPoints(db, {
        probeIds: probes.map(({ id }) => id),
        ...{ fromMs, toMs, unit: device.user?.temperatureUnit ?? 'F' },
        ...(!context.json && { maxPoints: CHART_COLUMNS * probes.length }),
      });
      if (!context.json) return context.done(drawn(probes, points, { fromMs, toMs, stepSeconds }), {});
      const names = new Map(probes.map((one) => [one.id, one.probeId]));
      const rows = points.map(({ probeId, startMs, secondsCovered, ...figures }) => ({
        probe_id: names.get(probeId),
        start: new Date(startMs),
        ...figures,
        seconds_covered: secondsCovered,
        step_seconds: stepSeconds,
      }));
      context.list(rows, []);
    });
}

const CHART_COLUMNS = 60;

/** For each probe and unit its lowest and highest value, and a bar for the mean of each step; blank where there is none. */
function drawn(
  probes: readonly Probe[],
  points: readonly ChartPoint[],
  { fromMs, toMs, stepSeconds }: { fromMs: number; toMs: number; stepSeconds: number | null },
): string {
  const stepMs = (stepSeconds ?? (toMs - fromMs) / CHART_COLUMNS / 1000) * 1000;
  const startMs = stepSeconds === null ? fromMs : Math.floor(fromMs / stepMs) * stepMs;
  const series = probes.flatMap((probe) =>
    [
      ...groupBy(
        points.filter(({ probeId }) => probeId === probe.id),
        ({ unit }) => unit,
      ),
    ].map(([unit, theirs]) => {
      const [low, high] = [
        Math.min(...theirs.map(({ min }) => min)),
        Math.max(...theirs.map(({ max }) => max)),
      ];
      const cells: string[] = Array.from({ length: CHART_COLUMNS + 1 }, () => ' ');
      for (const { startMs: ms, mean } of theirs)
        cells[Math.floor((ms - startMs) / stepMs)] = barOf((mean - low) / (high - low || 1));
      const name = probe.label ?? probe.probeId;
      return { probe: name, min: low, max: high, unit, [' '.repeat(2)]: cells.join('').trimEnd() };
    }),
  );
  const step = stepSeconds === null ? 'each reading' : `${stepSeconds / 60} min a column`;
  const span = `${new Date(startMs).toISOString()} to ${new Date(toMs).toISOString()}, ${step}, from lowest to highest`;
  return `${span}\n${table(series, ['probe', 'min', 'max', 'unit', '  '])}`;
}
