import type { ChannelKind } from '../entities/notification-channel.js';
import type { Channel } from './channel.js';
import type { ReadChart } from './chart.js';
import { discord } from './discord.js';
import { createEmail } from './email.js';
import { createMqtt } from './mqtt.js';
import type { MqttTransport } from './mqtt-transport.js';
import { ntfy } from './ntfy.js';
import { slack } from './slack.js';
import type { SmtpSettings } from './smtp-url.js';
import { telegram } from './telegram.js';
import { webhook } from './webhook.js';

export type Channels = Partial<Record<ChannelKind, Channel>>;

/** The kinds that are there without any setting, one file each. */
export const CHANNELS: Channels = { webhook, ntfy, slack, discord, telegram };

/** The variables that bring the other kinds. */
export const TRANSPORTS: Partial<Record<ChannelKind, string>> = { email: 'SMTP_URL', mqtt: 'MQTT_URL' };

/** All kinds whose transport is configured. */
export function createChannels({
  smtp,
  mqtt,
  readChart,
}: {
  smtp?: SmtpSettings;
  mqtt?: MqttTransport;
  readChart: ReadChart;
}): Channels {
  return {
    ...CHANNELS,
    ...(smtp && { email: createEmail({ smtp, readChart }) }),
    ...(mqtt && { mqtt: createMqtt(mqtt) }),
  };
}

/** What to say where a kind is asked for that is not among them. */
export function whyMissing(kind: ChannelKind, channels: Channels): string {
  const variable = TRANSPORTS[kind];
  if (variable) return `${kind} needs ${variable}, which is not set`;
  return `${kind} is none of ${Object.keys(channels).join(', ')}`;
}
