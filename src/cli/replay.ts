import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { InputError, messageOf } from '../errors.js';
import { roundToHundredth } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';
import type { Answer } from '../replay/answer.js';
import { replay } from '../replay/replay.js';
import { parseTrace } from '../replay/trace.js';
import { answering, type Context, instant, type Row } from './context.js';
import { table } from './text.js';

interface ReplayOptions {
  file: string;
  alerts?: string;
  unit?: TemperatureUnit;
  at?: Date;
}

export function replayCommand(program: Command, context: Context): void {
  answering(
    program,
    'replay',
    'a recorded trace through detection, statistics and alerts, without any server',
  )
    .requiredOption(
      '--file <trace.csv>',
      'device_id,probe_id,measured_at,value,unit and optionally role,battery',
    )
    .option('--alerts <alerts.json>', 'alerts to evaluate: objects named after the columns')
    .addOption(
      new Option('--unit <u>', 'of rows and alerts that name none; sessions are kept in it').choices([
        'F',
        'C',
      ]),
    )
    .option('--at <t>', 'end the replay at that moment (default: 12 h after the newest reading)', instant)
    .action(async ({ file, alerts, unit, at }: ReplayOptions) => {
      const rows = await read(file, (bytes) => parseTrace(bytes, unit));
      const given = { ...(unit && { temperatureUnit: unit }), ...(at && { untilMs: at.getTime() }) };
      const answer =
        alerts === undefined
          ? replay(rows, given)
          : await read(alerts, (bytes) => replay(rows, { ...given, alertsJson: bytes.toString('utf8') }));
      context.done(textOf(answer), { ...answer });
    });
}

/** What `parse` makes of a file. @throws InputError that begins with its name */
async function read<T>(path: string, parse: (bytes: Buffer) => T): Promise<T> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}: ${messageOf(cause)}`, { cause });
  });
  try {
    return parse(bytes);
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${basename(path)}: ${cause.message}`, { cause });
    throw cause;
  }
}

function textOf({ sessions, events }: Answer): string {
  const numbered = sessions.map((session, index) => ({ ...session, session: index + 1 }));
  const probes = numbered.flatMap(({ session, probes: theirs }) =>
    theirs.map((one) => ({ ...one, session })),
  );
  const parts = [
    ['sessions', table(numbered.map(rounded), SESSION_COLUMNS)],
    ['probes', table(probes.map(rounded), PROBE_COLUMNS)],
    ['events', table(events.map(rounded), EVENT_COLUMNS)],
  ];
  return parts.map(([title, text]) => `${title}\n${text}`).join('\n\n');
}

/** Fractions to the hundredth: the exact ones are in the JSON. */
function rounded(row: object): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? roundToHundredth(value) : value,
    ]),
  );
}

const FIGURES = ['reading_count', 'min_temperature', 'max_temperature', 'avg_temperature'];
const SESSION_COLUMNS = [
  ...['session', 'device_id', 'session_type', 'status', 'end_reason', 'start_time', 'end_time'],
  ...[...FIGURES, 'temperature_unit'],
];
const PROBE_COLUMNS = [
  ...['session', 'probe_id', 'role', ...FIGURES],
  ...['time_weighted_avg_temperature', 'seconds_known', 'seconds_unknown'],
];
const EVENT_COLUMNS = ['measured_at', 'alert', 'kind', 'side', 'tier', 'value', 'unit', 'detected_late'];
