import type { EntityManager } from 'typeorm';
import { createLinkSigner } from '../notifications/action-link.js';
import { ChannelManager } from '../notifications/channel-manager.js';
import { createChannels } from '../notifications/channels.js';
import { createChartReader } from '../notifications/chart.js';
import { createMqttTransport } from '../notifications/mqtt-transport.js';
import { NotificationHistory } from '../notifications/notification-history.js';
import { createOutbound } from '../notifications/outbound.js';
import { createDeliverer, type Delivery } from '../worker/deliver.js';
import type { Context } from './context.js';

/** With the rules for addresses that the service has. */
export async function channelsOf(context: Context): Promise<ChannelManager> {
  const manager = await context.manager();
  return new ChannelManager(manager, uses(context, manager));
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

/**
 * One attempt by the deliverer of the service, shown; one that failed here is tried again by a running notifier.
 * @param name of what is sent, for the line that says why it did not arrive
 */
export async function deliverNow(context: Context, id: string, name: string): Promise<void> {
  const dataSource = await context.database();
  const { publicUrl } = context.config.http;
  let delivery: Delivery | undefined;
  const onDelivery = (made: Delivery) => {
    delivery = made;
  };
  const shared = uses(context, dataSource.manager);
  const links = createLinkSigner(context.keyRing());
  await createDeliverer({ ...shared, dataSource, publicUrl, links, onDelivery, isService: false })(id);
  const sent = await new NotificationHistory(dataSource.manager).get(id);
  const { last_proven_at, is_active } = await new ChannelManager(dataSource.manager, shared).get(
    sent.channel_id,
  );
  context.show({
    id,
    status: sent.status,
    outcome: delivery?.outcome ?? null,
    status_code: delivery?.statusCode ?? null,
    latency_ms: delivery?.latencyMs ?? null,
    receipt: delivery?.receipt ?? null,
    error: delivery?.error ?? null,
    last_proven_at,
  });
  if (delivery?.outcome === 'delivered') return;
  context.exitCode = 1;
  const reason = delivery?.error ?? sent.last_error ?? 'another process has taken it';
  const off = is_active ? '' : '; the channel is switched off until a test gets through';
  context.fail(`the ${name} did not arrive: ${reason}${off}`);
}
