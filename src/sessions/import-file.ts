import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { InputError, messageOf } from '../errors.js';
import { inLine, type TraceRow, traceReader, traceRow } from '../replay/trace.js';
import type { SessionView } from './session-manager.js';

const LONGEST_LINE = 64 * 1024;
const ROWS_AT_A_TIME = 5_000;

const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const text = z.string().refine((shown) => !shown.includes('\0'), 'has a character that no text has');

/** A session as `session export` writes it above its readings. */
const exportedSession = z.object({
  id: z.uuid(),
  device_id: text.min(1).max(50),
  name: text.max(100).nullable(),
  session_type: z.enum(['auto', 'manual']),
  status: z.enum(['active', 'completed', 'cancelled']),
  end_reason: z.enum(['cooled', 'unplugged', 'lost_contact', 'manual', 'device_gone', 'too_long']).nullable(),
  start_time: instant,
  end_time: instant.nullable(),
  temperature_unit: z.enum(['F', 'C']),
  probes: z
    .array(
      z.object({
        probe_id: text.min(1).max(50),
        role: z.enum(['pit', 'food', 'storage', 'other']),
        member_from: instant.nullable(),
        member_to: instant.nullable(),
      }),
    )
    .min(1),
});
export type ExportedSession = z.infer<typeof exportedSession>;

/** {@link exportedSession} of a stored one, as JSON has it. */
export function toExported({ session, probes }: SessionView): z.input<typeof exportedSession> {
  const { publicId: id, deviceId: device_id, name, status, temperatureUnit: temperature_unit } = session;
  return {
    id,
    device_id,
    name,
    session_type: session.sessionType,
    status,
    end_reason: session.endReason,
    start_time: session.startTime.toISOString(),
    end_time: session.endTime?.toISOString() ?? null,
    temperature_unit,
    probes: probes.map(({ member: { probe, role, memberFrom, memberTo } }) => ({
      probe_id: probe?.probeId ?? '',
      role,
      member_from: memberFrom?.toISOString() ?? null,
      member_to: memberTo?.toISOString() ?? null,
    })),
  };
}

const exportedReading = z.object({
  device_id: z.string(),
  probe_id: z.string(),
  measured_at: z.string(),
  value: z.number().nullable(),
  unit: z.string(),
  role: z.string().optional(),
  flags: z.int().min(0).max(63),
});

/** A row of the file, and where. `isFlagged`: its flags are those that it was stored with. */
export interface FileRow extends TraceRow {
  line: number;
  isFlagged: boolean;
}

/** The parts of a file in its own order: its session, if it is of one, and its rows, some thousands at a time. */
export type FilePart = { session: ExportedSession } | { rows: FileRow[] };

/**
 * Reads what `session export` and `reading export` write, CSV or JSON, and any trace, a part at a time.
 * @throws InputError with the file's name, and the number of the first line that is wrong
 */
export async function* readHistoryFile(path: string): AsyncGenerator<FilePart> {
  try {
    yield* parts(path);
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${basename(path)}: ${cause.message}`, { cause });
    throw cause;
  }
}

async function* parts(path: string): AsyncGenerator<FilePart> {
  let reader: LineReader | undefined;
  let rows: FileRow[] = [];
  for await (const lines of linesOf(path)) {
    for (const { line, number } of lines) {
      reader ??= line.startsWith('{') || line.startsWith('[') ? jsonReader() : csvReader();
      const read = reader.take(line, number);
      if (read && 'session' in read) yield read;
      else if (read && rows.push(read) === ROWS_AT_A_TIME) {
        yield { rows };
        rows = [];
      }
    }
  }
  if (!reader) throw new InputError('it is empty');
  reader.end();
  if (rows.length > 0) yield { rows };
}

interface LineReader {
  take(line: string, number: number): { session: ExportedSession } | FileRow | null;
  end(): void;
}

function csvReader(): LineReader {
  const read = traceReader();
  return {
    take: (line, number) => {
      const row = inLine(number, () => read(line));
      if (!row) return null;
      const ids = { deviceId: idOf(row.deviceId), probeId: idOf(row.probeId) };
      return { ...row, ...ids, line: number, isFlagged: false };
    },
    end: () => undefined,
  };
}

/** What an export put before an id that a spreadsheet could take for a formula. */
const idOf = (cell: string): string => (/^'[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell);

const OPENING = /^\{"session":(\{.*\}),"readings":\[$/;

/** One reading a line, as an export has them. */
function jsonReader(): LineReader {
  let closing: string | undefined;
  let isOver = false;
  let isLast = false;
  return {
    take: (line, number) =>
      inLine(number, () => {
        if (isOver && line !== '') throw new InputError('there is something after the end');
        if (isOver) return null;
        if (closing === undefined) {
          const session = OPENING.exec(line)?.[1];
          closing = session === undefined ? ']' : ']}';
          if (session === undefined && line !== '[') throw new InputError(NOT_EXPORTED);
          return session === undefined ? null : { session: parsed(exportedSession, session) };
        }
        isOver = line === closing;
        if (isOver || line === '') return null;
        if (isLast) throw new InputError('a comma is missing before it');
        isLast = !line.endsWith(',');
        return { ...toRow(isLast ? line : line.slice(0, -1)), line: number, isFlagged: true };
      }),
    end: () => {
      if (!isOver) throw new InputError('it is torn: its end is missing');
    },
  };
}

const NOT_EXPORTED = 'it is not as an export writes it, with one reading a line';

function toRow(json: string): TraceRow {
  const { device_id, probe_id, measured_at, value, unit, role, flags } = parsed(exportedReading, json);
  const row = traceRow([
    device_id,
    probe_id,
    measured_at,
    value === null ? '' : String(value),
    unit,
    role ?? '',
  ]);
  return { ...row, flags };
}

function parsed<T>(schema: z.ZodType<T>, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InputError(NOT_EXPORTED, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new InputError(`${issue?.path.join('.')}: ${issue?.message}`);
}

/** The lines of a file in UTF-8, as many at a time as one read brings. */
async function* linesOf(path: string): AsyncGenerator<{ line: string; number: number }[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let [rest, number] = ['', 0];
  const toLines = (text: string): { line: string; number: number }[] => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new InputError(`line ${number + lines.length + 1}: it is too long`);
    return lines.map((line) => ({ line: line.replace(/\r$/, ''), number: ++number }));
  };
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new InputError('it is not text in UTF-8', { cause });
    }
  };
  const chunks: AsyncIterable<Buffer> = createReadStream(path);
  try {
    for await (const chunk of chunks) yield toLines(decode(chunk));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`cannot read it: ${messageOf(cause)}`, { cause });
  }
  const last = rest + decode();
  if (last !== '') yield [{ line: last, number: number + 1 }];
}
