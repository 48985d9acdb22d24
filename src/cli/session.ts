import type { Command } from 'commander';
import type { EntityManager } from 'typeorm';
import { UserManager } from '../accounts/user-manager.js';
import { AlertManager } from '../alerts/alert-manager.js';
import type { SessionMember } from '../entities/session-member.js';
import { type ExportedProbe, exportText } from '../readings/export.js';
import { SessionManager } from '../sessions/session-manager.js';
import { baselineReadings, sessionReadings } from '../sessions/session-readings.js';
import { answering, type Context, collect, publicId, type Row } from './context.js';
import { formatOption } from './history.js';
import { toRow } from './text.js';

interface StartOptions {
  email: string;
  device: string;
  probe?: string[];
  name?: string;
}

const COLUMNS = ['id', 'device_id', 'name', 'session_type', 'status', 'start_time', 'end_time', 'end_reason'];

export function sessionCommand(program: Command, context: Context): void {
  const session = program.command('session').description('cooks');
  answering(session, 'start', 'begin a session now, or take over the automatic one that runs')
    .requiredOption('--email <e>', 'of the user')
    .requiredOption('--device <d>', 'serial of the device')
    .option('--probe <p>', 'one of its probes; may be given again (default: all)', collect)
    .option('--name <n>', 'what to call it')
    .action(async ({ email, device: deviceId, probe: probeIds, name }: StartOptions) =>
      context.transaction(async (tx) => {
        const { id } = await new UserManager(tx).getByEmail(email);
        const begun = await new SessionManager(tx).start(id, { deviceId, probeIds, name });
        await new AlertManager(tx).rearm(begun.joined);
        context.show(await view(tx, begun.publicId));
      }),
    );
  answering(session, 'list', 'show the sessions of a user, the newest first')
    .requiredOption('--email <e>', 'of the user')
    .action(async ({ email }: { email: string }) => {
      const db = await context.manager();
      const { id } = await new UserManager(db).getByEmail(email);
      context.list(
        (await new SessionManager(db).list(id)).map((one) => toRow(db, one)),
        COLUMNS,
      );
    });
  answering(session, 'show', 'show a session with its probes')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => context.show(await view(await context.manager(), id)));
  answering(session, 'end', 'end a session now')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) =>
      context.transaction(async (tx) => {
        await new SessionManager(tx).end(id);
        context.show(await view(tx, id));
      }),
    );
  answering(session, 'export', 'the readings that count in a session, of all its probes, by time')
    .argument('<id>', 'its id', publicId)
    .addOption(formatOption())
    .action(async (id: string, { format = context.json ? 'json' : 'csv' }: { format?: 'csv' | 'json' }) => {
      const db = await context.manager();
      const { probes } = await new SessionManager(db).get(id);
      const names = new Map(probes.map(({ member }) => [member.probeId, exported(member)]));
      await context.stream(exportText(rowsOf(db, id, format), names, format));
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

async function view(db: EntityManager, id: string): Promise<Row> {
  const { session, probes, tags } = await new SessionManager(db).get(id);
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
  };
}

function namesOf({ probe }: SessionMember): Row {
  return { probe_id: probe?.probeId, label: probe?.label };
}
