import type { ChannelKind } from '../entities/notification-channel.js';
import type { Channel } from './channel.js';
import { ntfy } from './ntfy.js';
import { webhook } from './webhook.js';

export type Channels = Partial<Record<ChannelKind, Channel>>;

/** The kinds that can be created, one file each. */
export const CHANNELS: Channels = { webhook, ntfy };
