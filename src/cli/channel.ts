import { type Command, Option } from 'commander';
import type { EntityManager } from 'typeorm';
import { UserManager } from '../accounts/user-manager.js';
import type { ChannelKind } from '../entities/notification-channel.js';
import { ChannelManager } from '../notifications/channel-manager.js';
import { CHANNELS, createChannels, TRANSPORTS } from '../notifications/channels.js';
import { createChartReader } from '../notifications/chart.js';
import { createMqttTransport } from '../notifications/mqtt-transport.js';
import { NotificationManager } from '../notifications/notification-manager.js';
import { createOutbound } from '../notifications/outbound.js';
import { createDeliverer, type Delivery } from '../worker/deliver.js';
import { answering, type Context, publicId } from './context.js';

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
  const managed = async () => {
    const manager = await context.manager();
    return new ChannelManager(manager, uses(context, manager));
  };
  const userId = async (email: string) =>
    (await new UserManager(await context.manager()).getByEmail(email)).id;

  answering(channel, 'create', 'add an address to send notifications to')
    .requiredOption('--email <e>', 'of the user')
    .addOption(new Option('--kind <kind>', 'what it speaks').choices(KINDS).makeOptionMandatory())
    .requiredOption(
      '--url <u>',
      'of the webhook or ntfy topic; mailto:ADDRESS for email; mqtt:homeassistant for mqtt',
    )
    .option('--secret-stdin', 'read the signing secret or access token from stdin')
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

function uses(context: Context, manager: EntityManager) {
  const { allowPrivateWebhooks, databaseUrl, smtp, mqttUrl } = context.config;
  // On embedded servers it is `up` that delivers, and `up` allows private addresses.
  const allowPrivate = allowPrivateWebhooks ?? databaseUrl === undefined;
  const mqtt = mqttUrl === undefined ? undefined : createMqttTransport({ url: mqttUrl, announces: false });
  if (mqtt) context.lifecycle.onClose('mqtt', mqtt.close);
  return {
    channels: createChannels({ smtp, mqtt, readChart: createChartReader(manager) }),
    secretBox: context.secretBox(),
    outbound: createOutbound({ allowPrivate }),
  };
}

/** By the deliverer of the service; a test that failed here is tried again by a running notifier. */
async function test(context: Context, channelId: string): Promise<void> {
  const dataSource = await context.database();
  const { publicUrl } = context.config.http;
  let delivery: Delivery | undefined;
  const onDelivery = (made: Delivery) => {
    delivery = made;
  };
  const deliver = createDeliverer({
    ...uses(context, dataSource.manager),
    dataSource,
    publicUrl,
    onDelivery,
  });
  const id = await new NotificationManager(dataSource.manager).createChannelTest(channelId);
  await deliver(id);
  context.show({
    id,
    status: delivery?.status ?? 'pending',
    outcome: delivery?.outcome ?? null,
    status_code: delivery?.statusCode ?? null,
    latency_ms: delivery?.latencyMs ?? null,
    receipt: delivery?.receipt ?? null,
    error: delivery?.error ?? null,
  });
  if (delivery?.outcome === 'delivered') return;
  context.exitCode = 1;
  context.fail(`the test did not arrive: ${delivery?.error ?? 'another process has taken it'}`);
}
