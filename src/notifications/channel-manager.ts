import type { EntityManager } from 'typeorm';
import { v7 as uuidv7, validate } from 'uuid';
import type { SecretBox } from '../accounts/secret-box.js';
import { type ChannelKind, NotificationChannel } from '../entities/notification-channel.js';
import { InputError, NotFoundError } from '../errors.js';
import { addressOf, sealTarget } from './channel.js';
import { type Channels, whyMissing } from './channels.js';
import type { Outbound } from './outbound.js';

type ChannelView = ReturnType<typeof toView>;

/** Where users are told: reads and writes of `notification_channels`. */
export class ChannelManager {
  constructor(
    private readonly db: EntityManager,
    private readonly uses: { channels: Channels; secretBox: SecretBox; outbound: Outbound },
  ) {}

  /**
   * @param secret signing secret or access token; null lets a webhook make one, which is in the answer this once
   * @throws InputError for a kind that is not there, an address that is refused or a bad secret
   */
  async create(given: {
    userId: number;
    kind: ChannelKind;
    url: string;
    secret: string | null;
  }): Promise<ChannelView & { secret?: string }> {
    const { channels, outbound, secretBox } = this.uses;
    const channel = channels[given.kind];
    if (!channel) throw new InputError(`--kind ${whyMissing(given.kind, channels)}`);
    if (!channel.hasOwnTransport) await outbound.check(given.url);
    const target = channel.prepare(given);
    const row = { publicId: uuidv7(), userId: given.userId, kind: given.kind };
    const config = sealTarget(secretBox, row, target);
    await this.db.save(Object.assign(new NotificationChannel(), { ...row, config }));
    const view = await this.get(row.publicId);
    // Not what was only moved out of the address that was given.
    const isMade = given.secret === null && target.url === given.url;
    return isMade && target.secret !== null ? { ...view, secret: target.secret } : view;
  }

  async list(userId: number): Promise<ChannelView[]> {
    const rows = await this.db.find(NotificationChannel, { where: { userId }, order: { id: 'ASC' } });
    return rows.map(toView);
  }

  /** @param id the public one @throws NotFoundError */
  async get(id: string): Promise<ChannelView> {
    const row = validate(id) && (await this.db.findOneBy(NotificationChannel, { publicId: id }));
    if (!row) throw new NotFoundError(`there is no channel ${id}`);
    return toView(row);
  }

  /** With what was sent and is still to be sent over it. @param id the public one @throws NotFoundError */
  async delete(id: string): Promise<void> {
    await this.get(id);
    await this.db.delete(NotificationChannel, { publicId: id });
  }
}

/** A channel as people see it: column names, the public id, no secret. */
function toView(row: NotificationChannel) {
  return {
    id: row.publicId,
    kind: row.kind,
    config: { url: addressOf(row).url },
    is_active: row.isActive,
    last_delivered_at: row.lastDeliveredAt,
    last_proven_at: row.lastProvenAt,
    last_error: row.lastError,
    created_at: row.createdAt,
  };
}
