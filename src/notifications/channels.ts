import type { ChannelKind } from '../entities/notification-channel.js';
import type { Channel } from './channel.js';
import { discord } from './discord.js';
import { ntfy } from './ntfy.js';
import { slack } from './slack.js';
import { telegram } from './telegram.js';
import { webhook } from './webhook.js';

export type Channels = Partial<Record<ChannelKind, Channel>>;

/** The kinds that can be created, one file each. */
export const CHANNELS: Channels = { webhook, ntfy, slack, discord, telegram };
