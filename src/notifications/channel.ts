import { z } from 'zod';
import type { SecretBox } from '../accounts/secret-box.js';
import type { NotificationChannel } from '../entities/notification-channel.js';
import type { Message } from './message.js';
import type { Outbound } from './outbound.js';

/** Where a channel sends, in the clear. */
export interface Target {
  url: string;
  /** Signs (webhook) or opens the door (the others); what is secret in a given address is moved here. */
  secret: string | null;
}

export interface Receipt {
  statusCode: number | null;
  /** What the receiver calls the message, if it says so. */
  receipt: string | null;
}

/** One way to reach somebody. */
export interface Channel {
  /** Set where the address is no URL that is dialled: what is reached is the operator's own server. */
  hasOwnTransport?: true;
  /** The target to keep for what the user gave. @throws InputError */
  prepare(given: Target): Target;
  /** The text that is sent; to machines the same on every attempt. @param publicUrl of the console, for a link */
  render(message: Message, target: Target, publicUrl?: string): string;
  /** @throws DeliveryError */
  send(
    target: Target,
    rendered: string,
    context: {
      outbound: Outbound;
      notificationId: string;
      /** The public id of the channel's owner. */
      ownerId?: string;
      at: Date;
      signal?: AbortSignal;
    },
  ): Promise<Receipt>;
}

const stored = z.object({ url: z.string(), secret: z.string().nullable() });

/** `config` as it is stored: the secret sealed for this row alone. */
export function sealTarget(
  secretBox: SecretBox,
  row: Pick<NotificationChannel, 'publicId' | 'userId'>,
  { url, secret }: Target,
): z.infer<typeof stored> {
  return { url, secret: secret === null ? null : secretBox.seal(secret, ownerOf(row)) };
}

/** @throws SecretError */
export function openTarget(secretBox: SecretBox, row: NotificationChannel): Target {
  const { url, secret } = stored.parse(row.config);
  return { url, secret: secret === null ? null : secretBox.open(secret, ownerOf(row)) };
}

/** What may be shown of the address: all but the query, which may hold a key; its host, for fairness. */
export function addressOf({ config }: Pick<NotificationChannel, 'config'>): { url: string; host: string } {
  const { protocol, origin, pathname, host } = new URL(stored.parse(config).url);
  // Such as mailto: and mqtt:, where all of a kind reach one server.
  if (host === '') return { url: `${protocol}${pathname}`, host: protocol };
  return { url: `${origin}${pathname}`, host };
}

function ownerOf({ userId, publicId }: Pick<NotificationChannel, 'publicId' | 'userId'>): string {
  return `notification_channels.config.${userId}.${publicId}`;
}
