import { type Command, Option } from 'commander';
import { UserManager } from '../accounts/user-manager.js';
import type { ChannelKind } from '../entities/notification-channel.js';
import { CHANNELS, TRANSPORTS } from '../notifications/channels.js';
import { NotificationManager } from '../notifications/notification-manager.js';
import { answering, type Context, publicId } from './context.js';
import { channelsOf, deliverNow } from './deliver-now.js';

interface CreateOptions {
  email: string;
  kind: ChannelKind;
  url: string;
  secretStdin?: true;
}

const KINDS = [...Object.keys(CHANNELS), ...Object.keys(TRANSPORTS)];
const COLUMNS = ['id', 'kind', 'url', 'is_active', 'last_delivered_at', 'last_proven_at', 'last_error'];

export function channelCommand(program: Command, context: Context): void {
  const channel = program.command('channel').description('where notifications go');
  const managed = () => channelsOf(context);
  const userId = async (email: string) =>
    (await new UserManager(await context.manager()).getByEmail(email)).id;

  answering(channel, 'create', 'add an address to send notifications to')
    .requiredOption('--email <e>', 'of the user')
    .addOption(new Option('--kind <kind>', 'what it speaks').choices(KINDS).makeOptionMandatory())
    .requiredOption(
      '--url <u>',
      'of the webhook, the ntfy topic or the Telegram chat; mailto:ADDRESS for email; mqtt:homeassistant for mqtt',
    )
    .option('--secret-stdin', 'read the signing secret, the token or the last part of the URL from stdin')
    .action(async ({ email, kind, url, secretStdin }: CreateOptions) => {
      const given = { userId: await userId(email), kind, url };
      const secret = secretStdin ? await context.readSecret() : null;
      context.show(await (await managed()).create({ ...given, secret }));
    });
  answering(channel, 'list', 'show the channels of a user')
    .requiredOption('--email <e>', 'of the user')
    .action(async ({ email }: { email: string }) => {
      const rows = await (await managed()).list(await userId(email));
      // For people the address stands in a column of its own; JSON keeps the shape of the table.
      context.list(context.json ? rows : rows.map((row) => ({ ...row, url: row.config.url })), COLUMNS);
    });
  answering(channel, 'test', 'send a test notification now, and show how it went')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => test(context, id));
  answering(channel, 'delete', 'send nothing there any more')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      await (await managed()).delete(id);
      context.done(`deleted ${id}`, { id, deleted: true });
    });
}

async function test(context: Context, channelId: string): Promise<void> {
  const id = await new NotificationManager(await context.manager()).createChannelTest(channelId);
  await deliverNow(context, id, 'test');
}
