import type { Command } from 'commander';
import type { EntityManager } from 'typeorm';
import { UserManager } from '../accounts/user-manager.js';
import { AlertManager } from '../alerts/alert-manager.js';
import type { GrillingSession } from '../entities/grilling-session.js';
import type { SessionMember } from '../entities/session-member.js';
import { type ExportedProbe, exportText } from '../readings/export.js';
import { toExported } from '../sessions/import-file.js';
import { HeldValues, spreadFigures, timeFigures } from '../sessions/known-time.js';
import { neutralName } from '../sessions/name.js';
import { SessionManager } from '../sessions/session-manager.js';
import { baselineReadings, heldValues, sessionReadings } from '../sessions/session-readings.js';
import { answering, type Context, collect, publicId, type Row } from './context.js';
import { formatOption } from './history.js';
import { sessionEditCommands } from './session-edit.js';
import { table, toRow } from './text.js';

interface StartOptions {
  email: string;
  device: string;
  probe?: string[];
  name?: string;
}

const CHANGE_COLUMNS = ['probe_id', 'figure', 'before', 'after'];
const COLUMNS = ['id', 'device_id', 'name', 'session_type', 'status', 'start_time', 'end_time', 'end_reason'];

export function sessionCommand(program: Command, context: Context): void {
  const session = program.command('session').description('cooks');
  answering(session, 'start', 'begin a session now, or take over the automatic one that runs')
    .requiredOption('--email <e>', 'of the user')
    .requiredOption('--device <d>', 'serial of the device, or its name')
    .option('--probe <p>', 'one of its probes; may be given again (default: all)', collect)
    .option('--name <n>', 'what to call it')
    .action(async ({ email, device: deviceId, probe: probeIds, name }: StartOptions) =>
      showAfter(context, async (tx) => {
        const { id } = await new UserManager(tx).getByEmail(email);
        const begun = await new SessionManager(tx).start(id, { deviceId, probeIds, name });
        await new AlertManager(tx).rearm(begun.joined);
        return begun.publicId;
      }),
    );
  answering(session, 'list', 'show the sessions of a user, the newest first')
    .requiredOption('--email <e>', 'of the user')
    .option('--all', 'with those that were cancelled: session restore brings them back')
    .action(async ({ email, all }: { email: string; all?: true }) => {
      const db = await context.manager();
      const { id, timeZone } = await new UserManager(db).getByEmail(email);
      const named = (one: GrillingSession) => one.name ?? neutralName(one.startTime.getTime(), timeZone);
      context.list(
        (await new SessionManager(db).list(id, { all })).map((one) =>
          context.json ? toRow(db, one) : { ...toRow(db, one), name: named(one) },
        ),
        COLUMNS,
      );
    });
  answering(session, 'show', 'show a session with its probes')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => context.show(await view(await context.manager(), id)));
  answering(session, 'end', 'end a session now')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) =>
      showAfter(context, async (tx) => {
        await new SessionManager(tx).end(id);
        return id;
      }),
    );
  sessionEditCommands(session, context, showAfter);
  answering(session, 'recompute', 'compute the figures of a session anew from the stored readings')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      const row = await context.transaction((tx) => recomputed(tx, id));
      const { changes, reading_count: readings } = row;
      const what = changes.length > 0 ? table(changes, CHANGE_COLUMNS) : 'nothing changed';
      context.done(`${readings} readings\n${what}`, row);
    });
  answering(session, 'export', 'the readings that count in a session, of all its probes, by time')
    .argument('<id>', 'its id', publicId)
    .addOption(formatOption())
    .action(async (id: string, { format = context.json ? 'json' : 'csv' }: { format?: 'csv' | 'json' }) => {
      const db = await context.manager();
      const shown = await new SessionManager(db).get(id);
      const names = new Map(shown.probes.map(({ member }) => [member.probeId, exported(member)]));
      await context.stream(exportText(rowsOf(db, id, format), names, format, toExported(shown)));
    });
}

/** As a trace, with what detection must have seen before the start. */
async function* rowsOf(db: EntityManager, id: string, format: 'csv' | 'json') {
  const { session, untilMs } = await new SessionManager(db).load(id);
  if (format === 'csv') yield await baselineReadings(db, session);
  yield* sessionReadings(db, session, untilMs);
}

function exported({ probe, role }: SessionMember): ExportedProbe {
  return { deviceId: probe?.deviceId ?? '', probeId: probe?.probeId ?? '', role };
}

/** Changes a session, and shows it once nobody waits for it any more. */
async function showAfter(context: Context, change: (tx: EntityManager) => Promise<string>): Promise<void> {
  const id = await context.transaction(change);
  context.show(await view(await context.manager(), id));
}

async function recomputed(tx: EntityManager, id: string) {
  const manager = new SessionManager(tx);
  await manager.lock(id);
  const { probes: probesBefore, ...before } = await stored(tx, id);
  await manager.recompute(id);
  const { probes, ...after } = await stored(tx, id);
  const ofProbes = probes.flatMap((probe, index) => changesOf(probesBefore[index] ?? {}, probe));
  return { id, reading_count: after.reading_count, changes: [...changesOf(before, after), ...ofProbes] };
}

/** Each figure that is no longer the same. */
function changesOf(before: Row, after: Row): Row[] {
  const figures = Object.keys({ ...before, ...after }).filter((name) => !/^(crea|upda)ted_at$/.test(name));
  return figures
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((figure) => ({ probe_id: after.probe_id, figure, before: before[figure], after: after[figure] }));
}

/** As it is stored, and for how long the values of its probes were known. */
async function view(db: EntityManager, id: string): Promise<Row> {
  const { probes, ...row } = await stored(db, id);
  const manager = new SessionManager(db);
  const { session, untilMs } = await manager.load(id);
  const values = await heldValues(db, session, untilMs);
  const members = session.members.toSorted((a, b) => a.probeId - b.probeId);
  const times = members.map((member) => {
    const held = values.get(member.probeId) ?? new HeldValues();
    const figures = timeFigures(session, member, { held, untilMs });
    const total = figures.seconds_known + figures.seconds_unknown;
    const covered = Math.floor((1000 * figures.seconds_known) / total) / 10;
    const spread = spreadFigures(session, member, { held, untilMs });
    return { ...figures, coverage_percent: total > 0 ? covered : null, ...spread };
  });
  return { ...row, probes: probes.map((probe, index) => ({ ...probe, ...times[index] })) };
}

async function stored(db: EntityManager, id: string): Promise<Row & { probes: Row[] }> {
  const { session, probes, tags, log } = await new SessionManager(db).get(id);
  return {
    ...toRow(db, session),
    probes: probes.map(({ member, stats }) => ({
      // First, for the order; last, since the columns of the same name hold our own number.
      ...namesOf(member),
      ...toRow(db, member),
      ...(stats && toRow(db, stats)),
      ...(stats && { temperature_sum_hundredths: Number(stats.temperatureSumHundredths) }),
      reading_count: stats?.readingCount ?? 0,
      ...namesOf(member),
    })),
    tags: tags.map(({ tag, probeId, tagFrom, tagTo }) => {
      const member = probes.find((one) => one.member.probeId === probeId)?.member;
      return { tag, probe_id: member?.probe?.probeId, tag_from: tagFrom, tag_to: tagTo };
    }),
    log: log.map(({ createdAt: at, actor, action, before, after }) => ({ at, actor, action, before, after })),
  };
}

function namesOf({ probe }: SessionMember): Row {
  return { probe_id: probe?.probeId, label: probe?.label };
}
