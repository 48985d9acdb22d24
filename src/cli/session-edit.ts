import type { Command } from 'commander';
import type { EntityManager } from 'typeorm';
import { UserManager } from '../accounts/user-manager.js';
import { AlertManager } from '../alerts/alert-manager.js';
import { InputError } from '../errors.js';
import { importHistory } from '../sessions/import-history.js';
import { type AskedEdit, SessionEditor } from '../sessions/session-editor.js';
import { answering, type Context, collect, instant, publicId } from './context.js';

/** Changes a session, and shows it. */
type ShowAfter = (context: Context, change: (tx: EntityManager) => Promise<string>) => Promise<void>;

/** What people correct of a cook. */
export function sessionEditCommands(session: Command, context: Context, showAfter: ShowAfter): void {
  answering(session, 'edit', 'correct a session: its figures are computed anew')
    .argument('<id>', 'its id', publicId)
    .option('--start <t>', 'when it began', instant)
    .option('--end <t>', 'when it ended; ends one that runs', instant)
    .option('--name <n>', 'what to call it; empty for none')
    .option('--add-probe <p>', 'a probe that takes part; may be given again', collect)
    .option('--remove-probe <p>', 'a probe that does not; may be given again', collect)
    .option('--at <t>', 'when those come or go (default: all of the session)', instant)
    .action(async (id: string, asked: AskedEdit) => {
      const { start, end, name, addProbe, removeProbe, at } = asked;
      if ([start, end, name, addProbe, removeProbe, at].every((option) => option === undefined))
        throw new InputError('nothing to edit: give --start, --end, --name, --add-probe or --remove-probe');
      await showAfter(context, async (tx) => {
        const { joined } = await new SessionEditor(tx).edit(id, asked);
        await new AlertManager(tx).rearm(joined);
        return id;
      });
    });
  answering(session, 'split', 'give some probes of a session one of their own, which is shown')
    .argument('<id>', 'its id', publicId)
    .requiredOption('--probe <p>', 'one of its probes; may be given again', collect)
    .option('--at <t>', 'hand them over then (default: from the start)', instant)
    .action(async (id: string, { probe: probeIds, at }: { probe: string[]; at?: Date }) =>
      showAfter(context, async (tx) => {
        const begun = await new SessionEditor(tx).split(id, { probeIds, at });
        await new AlertManager(tx).rearm(begun.joined);
        return begun.publicId;
      }),
    );
  answering(session, 'import', 'readings, and their session, from a file of session export or reading export')
    .requiredOption('--email <e>', 'of the user whose they become')
    .requiredOption('--file <f>', 'JSON, or CSV as replay reads it')
    .action(async ({ email, file }: { email: string; file: string }) => {
      const user = await new UserManager(await context.manager()).getByEmail(email);
      const { sessionId, deviceId, ...counts } = await importHistory(await context.database(), user, file);
      context.show({ id: sessionId, device_id: deviceId, ...counts });
    });
  answering(session, 'restore', 'show a cancelled session again, within 7 days')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) =>
      showAfter(context, async (tx) => {
        await new SessionEditor(tx).restore(id);
        return id;
      }),
    );
}
