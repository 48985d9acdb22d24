import { type Command, Option } from 'commander';
import type { EntityManager } from 'typeorm';
import { UserManager, type UserSettings } from '../accounts/user-manager.js';
import type { User } from '../entities/user.js';
import { answering, type Context, type Row } from './context.js';
import { toRow } from './text.js';

type Settings = Omit<UserSettings, 'password'> & { email: string; passwordStdin?: true };
interface DeleteOptions {
  email: string;
  purge?: true;
}

const COLUMNS = ['email', 'name', 'temperature_unit', 'time_zone', 'is_locked', 'created_at'];

export function userCommand(program: Command, context: Context): void {
  const user = program.command('user').description('the people whose thermometers are watched');
  const users = async () => new UserManager(await context.manager());
  const show = async (changed: User) => context.show(view(await context.manager(), changed));
  const password = async ({ passwordStdin }: Settings) =>
    passwordStdin && { password: await context.readSecret() };

  withSettings(answering(user, 'create', 'add a user')).action(async (options: Settings) =>
    show(await (await users()).create({ ...options, ...(await password(options)) })),
  );
  answering(user, 'list', 'show all users').action(async () => {
    const db = await context.manager();
    context.list(
      (await new UserManager(db).list()).map((one) => view(db, one)),
      COLUMNS,
    );
  });
  withSettings(answering(user, 'set', 'change a user')).action(async (options: Settings) => {
    const manager = await users();
    await show(
      await manager.set(await manager.getByEmail(options.email), {
        ...options,
        ...(await password(options)),
      }),
    );
  });
  for (const [name, isLocked, description] of [
    ['lock', true, 'forbid a user to sign in'],
    ['unlock', false, 'let a user sign in again'],
  ] as const) {
    answering(user, name, description)
      .requiredOption('--email <e>', 'of the user')
      .action(async ({ email }: { email: string }) => {
        const manager = await users();
        await show(await manager.setLocked(await manager.getByEmail(email), isLocked));
      });
  }
  answering(user, 'delete', 'stop polling and alerts of a user at once, and keep the history')
    .requiredOption('--email <e>', 'of the user')
    .option('--purge', 'erase the user with everything that was stored')
    .action(async ({ email, purge }: DeleteOptions) => {
      const manager = await users();
      if (purge) {
        const { readings } = await manager.purge(email);
        return context.done(`erased ${email} with ${readings} readings`, { email, purged: true, readings });
      }
      await manager.delete(await manager.getByEmail(email));
      context.done(`deleted ${email}`, { email, purged: false });
    });
}

function withSettings(command: Command): Command {
  return command
    .requiredOption('--email <e>', 'of the user')
    .option('--name <n>', 'what to call the user')
    .addOption(new Option('--temperature-unit <unit>', 'for what the user sees').choices(['F', 'C']))
    .option('--time-zone <z>', 'such as Europe/London')
    .option('--password-stdin', 'read a password from stdin');
}

/** What was never set shows its default. */
function view(db: EntityManager, user: User): Row {
  const defaults = { temperature_unit: user.temperatureUnit ?? 'F', time_zone: user.timeZone ?? 'UTC' };
  return { ...toRow(db, user), ...defaults };
}
