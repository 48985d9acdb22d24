import type { DataSource } from 'typeorm';
import type { SecretBox } from '../accounts/secret-box.js';
import type { NotificationStatus } from '../entities/notification.js';
import type { ChannelKind } from '../entities/notification-channel.js';
import { messageOf, PermanentError } from '../errors.js';
import type { ActionLink, LinkSigner } from '../notifications/action-link.js';
import { addressOf, openTarget, type Receipt } from '../notifications/channel.js';
import { type Channels, whyMissing } from '../notifications/channels.js';
import { DeliveryError, type DeliveryFate } from '../notifications/delivery-error.js';
import { toOneMessage } from '../notifications/group-message.js';
import { HostTurns } from '../notifications/host-turns.js';
import { createMessage, type Message } from '../notifications/message.js';
import { type Attempt, type Claimed, NotificationManager } from '../notifications/notification-manager.js';
import type { Outbound } from '../notifications/outbound.js';
import { nextWaitMs } from '../notifications/schedule.js';
import { createSurroundingsReader, type Surroundings } from '../notifications/surroundings.js';
import { insist } from './outage.js';

/** How one attempt ended, for metrics and for whoever watches. */
export interface Delivery extends Attempt {
  notificationId: string;
  kind: ChannelKind;
  /** Of the notification from now on. */
  status: NotificationStatus;
}

/**
 * Makes one attempt to deliver a stored notification, if one is due. Says what to deliver then: the same again after a
 * while, or at once what has waited for it; undefined: nothing for now. A repeated call is harmless: one at a time holds
 * the row, and a receiver sees the same id.
 * @throws what the database throws, and the reason when `signal` ends an attempt; the notification stays pending
 */
export type Deliverer = (
  notificationId: string,
  signal?: AbortSignal,
) => Promise<{ id: string; inMs: number } | undefined>;

interface Uses {
  /** With a transaction's manager, each attempt is part of that transaction. */
  dataSource: Pick<DataSource, 'manager'>;
  channels: Channels;
  secretBox: SecretBox;
  outbound: Outbound;
  /** Of the console, for links. */
  publicUrl?: string;
  links?: LinkSigner;
  now?: () => Date;
  /** False: by this process's settings no address is judged; one that it may not reach switches no channel off. */
  isService?: boolean;
  /** In [0, 1). */
  random?: () => number;
  /** At once, from this process. */
  limitPerHost?: number;
  onDelivery?: (delivery: Delivery) => void;
}

const LINK_LIVES_MS = 24 * 3_600_000;
const DISABLES = {
  retry: false,
  moot: false,
  permanent: 'unless_last',
  refused: 'unless_last',
  gone: true,
} as const satisfies Record<DeliveryFate, boolean | 'unless_last'>;
/** An answer that is not written down is asked for again. About as long as the claim: after it another may send. */
const INSIST_FOR_MS = 10_000;

/** No database connection is held while a notification waits for its turn or is sent. */
export function createDeliverer(uses: Uses): Deliverer {
  const { dataSource, random = Math.random, limitPerHost = 2, onDelivery } = uses;
  const notifications = new NotificationManager(dataSource.manager);
  const turns = new HostTurns(limitPerHost);
  const after = async (done: string | readonly string[]) => {
    const next = await notifications.nextAfter(done);
    return next === undefined ? undefined : { id: next, inMs: 0 };
  };

  return async (id, signal) => {
    const notification = await notifications.claim(id);
    if (!notification?.channel) return after(id);
    const { id: first, attempts, replayedAfter, channel, others = [] } = notification;
    const ids = [first, ...others.map((one) => one.id)];
    const { host } = addressOf(channel);
    const busyMs = await turns.take(host);
    if (busyMs !== undefined) {
      const inMs = Math.round(busyMs * (1 + random()));
      await notifications.release(ids, inMs);
      return { id: first, inMs };
    }
    const startMs = performance.now();
    const { attempt, failure } = await tryOnce(uses, notification, signal)
      .finally(() => turns.give(host, performance.now() - startMs))
      .catch(async (error: unknown) => {
        await notifications.release(ids, 0);
        throw error;
      });
    const retries = failure?.fate === 'retry';
    const tried = attempts - (replayedAfter ?? 0) + 1;
    const waitMs = retries ? nextWaitMs(tried, random(), failure.retryAfterMs) : null;
    const isOurs = failure?.fate === 'refused' && uses.isService === false;
    const next = { waitMs, disable: failure && !isOurs ? DISABLES[failure.fate] : false };
    const end = () =>
      failure ? notifications.markFailed(ids, attempt, next) : notifications.markDelivered(ids, attempt);
    const status = await insist(end, INSIST_FOR_MS);
    onDelivery?.({ ...attempt, notificationId: first, kind: channel.kind, status });
    return status === 'pending' && waitMs !== null ? { id: first, inMs: waitMs } : after(ids);
  };
}

/** @throws only when `signal` ended the attempt */
async function tryOnce(
  uses: Uses,
  notification: Claimed,
  signal?: AbortSignal,
): Promise<{ attempt: Attempt; failure?: DeliveryError }> {
  const startedAt = uses.now?.() ?? new Date();
  const startMs = performance.now();
  const result = await send(uses, notification, startedAt, signal).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    return toDeliveryError(error);
  });
  const measured = { startedAt, latencyMs: Math.round(performance.now() - startMs) };
  if (!(result instanceof DeliveryError)) {
    return { attempt: { ...measured, ...result, outcome: 'delivered', error: null } };
  }
  const { statusCode, fate } = result;
  const outcome = fate === 'refused' ? 'refused' : 'failed';
  const attempt = { ...measured, outcome, statusCode, receipt: null, error: messageOf(result) } as const;
  return { attempt, failure: result };
}

async function send(uses: Uses, notification: Claimed, at: Date, signal?: AbortSignal): Promise<Receipt> {
  const { channels, secretBox, outbound, publicUrl } = uses;
  const { id, channel: row } = notification;
  if (!row) throw new PermanentError(`notification ${id} has no channel`);
  const channel = channels[row.kind];
  // Another attempt finds what the operator has set by then, or a newer process.
  if (!channel) throw new Error(whyMissing(row.kind, channels));
  const target = openTarget(secretBox, row);
  const message = await messageOfAll(uses, notification, at);
  const rendered = channel.render(message, target, publicUrl);
  return channel.send(target, rendered, {
    outbound,
    notificationId: id,
    ownerId: row.user?.publicId,
    at,
    signal,
  });
}

/** One of them alone, or all in a list; what an alert that is gone by now had to say is left out. */
async function messageOfAll(uses: Uses, notification: Claimed, now: Date): Promise<Message> {
  const all: Claimed[] = [
    notification,
    ...(notification.others ?? []).map((one) => ({ ...one, sequence: null })),
  ];
  const there = all.filter(({ alertEvent }) => alertEvent?.alert);
  const told = there.length > 0 ? there : all.slice(0, 1);
  const around = await aroundOf(
    uses,
    there.map(({ id }) => id),
  );
  return toOneMessage(
    told.map((one) => ({
      ...createMessage(one, { now, ...around?.get(one.id) }),
      links: linksOf(uses, one),
    })),
  );
}

/** A message without it is better than none. */
async function aroundOf(
  { dataSource }: Uses,
  ids: readonly string[],
): Promise<Map<string, Surroundings> | undefined> {
  if (ids.length === 0) return undefined;
  return createSurroundingsReader(dataSource.manager)(ids).catch(() => undefined);
}

/** The same on every attempt; for a day after the event. */
function linksOf({ publicUrl, links }: Uses, { alertEvent }: Claimed): Message['links'] {
  if (!publicUrl || !links || !alertEvent?.alert || !['fired', 'repeated'].includes(alertEvent.kind))
    return undefined;
  const about = {
    alertId: alertEvent.alert.publicId,
    eventId: alertEvent.publicId,
    untilMs: alertEvent.createdAt.getTime() + LINK_LIVES_MS,
  };
  const to = (action: ActionLink['action']) => `${publicUrl}/actions/${links.sign({ action, ...about })}`;
  return { acknowledge: to('ack'), snooze: to('snooze') };
}

/** Anything unforeseen, such as a key that is missing for now, is tried again. */
function toDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error;
  return new DeliveryError(messageOf(error), error instanceof PermanentError ? 'moot' : 'retry');
}
