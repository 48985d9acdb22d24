import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { connectAsync, type MqttClient, type OnMessageCallback } from 'mqtt';

/** Retained: `online` while a notifier is connected, else `offline`. */
export const STATUS_TOPIC = 'grill-stats/status';

const MARK_TOPIC = 'grill-stats/marks';

/** Sent with QoS 1. */
export interface Publication {
  topic: string;
  payload: string;
  retain: boolean;
}

/** One connection to the broker; another follows when it is lost. */
export interface Connection {
  /** Resolves when the broker has acknowledged all of them. @throws when it does not in time, or the connection is lost */
  publish(publications: readonly Publication[], signal?: AbortSignal): Promise<void>;
  /** The retained topics that match these filters, as far as the broker tells them in time and allows to ask. */
  retained(filters: readonly string[]): Promise<string[]>;
}

export interface MqttTransport {
  /** The connection that there is, else a new one. @throws when the broker does not answer in time, or refuses */
  connect(): Promise<Connection>;
  close(): Promise<void>;
}

const CLOSE_MS = 1_000;

/**
 * A broker, dialled when there is something to tell. What a lost connection still held is not sent over the next one: it
 * would come after newer states; who asked for it hears of the failure and asks again.
 * @param announces whether this process keeps {@link STATUS_TOPIC}
 * @param timeoutMs of each of three steps: to connect, to announce, to have what was published acknowledged
 */
export function createMqttTransport({
  url,
  announces,
  timeoutMs = 2_500,
}: {
  url: string;
  announces: boolean;
  timeoutMs?: number;
}): MqttTransport {
  let current: Promise<Opened> | undefined;

  const open = (): Promise<Opened> => {
    const forget = () => {
      if (current === opening) current = undefined;
    };
    const opening = dial({ url, announces, timeoutMs }).then(async (client) => {
      client.on('close', forget);
      const giveUp = () => {
        forget();
        client.end(true);
      };
      client.on('error', giveUp);
      const connection = createConnection({ client, timeoutMs, giveUp });
      if (announces) await announce(client, connection);
      return { client, connection };
    });
    opening.catch(forget);
    return opening;
  };

  return {
    async connect() {
      current ??= open();
      return (await current).connection;
    },

    async close() {
      const opened = await current?.catch(() => undefined);
      if (!opened) return;
      const { client, connection } = opened;
      client.removeAllListeners('message');
      const leave = async () => {
        if (announces) await connection.publish([status('offline')]);
        await client.endAsync();
      };
      await Promise.race([leave().catch(() => undefined), after(CLOSE_MS, undefined, { ref: false })]);
      client.end(true);
    },
  };
}

const status = (payload: 'online' | 'offline') => ({ topic: STATUS_TOPIC, payload, retain: true });

function dial({
  url,
  announces,
  timeoutMs,
}: {
  url: string;
  announces: boolean;
  timeoutMs: number;
}): Promise<MqttClient> {
  const { protocol, host, username, password } = new URL(url);
  const will = { topic: STATUS_TOPIC, payload: Buffer.from('offline'), qos: 1, retain: true } as const;
  const options = {
    clientId: `grill-stats-${randomBytes(6).toString('hex')}`,
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(announces && { will }),
    keepalive: 15,
    reconnectPeriod: 0,
    connectTimeout: timeoutMs,
  };
  return connectAsync(`${protocol}//${host}`, options, false);
}

/** Another notifier that goes says `offline` for all: whoever hears it and is there says otherwise. */
async function announce(client: MqttClient, connection: OwnConnection): Promise<void> {
  client.on('message', (_topic, payload) => {
    if (payload.toString() === 'offline') connection.publish([status('online')]).catch(() => undefined);
  });
  await connection.within(client.subscribeAsync(STATUS_TOPIC, { qos: 1 }));
  await connection.publish([status('online')]);
}

interface OwnConnection extends Connection {
  /** The answer, unless it is late, the connection is lost, or the signal comes first: then the connection is given up. */
  within<T>(work: Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Opened {
  client: MqttClient;
  connection: OwnConnection;
}

function createConnection({
  client,
  timeoutMs,
  giveUp,
}: {
  client: MqttClient;
  timeoutMs: number;
  giveUp: () => void;
}): OwnConnection {
  const waiting = new Set<(error: Error) => void>();
  client.on('close', () => {
    for (const fail of waiting) fail(new Error('the connection was lost'));
  });

  const within = async <T>(work: Promise<T>, signal?: AbortSignal): Promise<T> => {
    let stop = () => {};
    const failed = new Promise<never>((_resolve, reject) => {
      const abort = () => reject(signal?.reason);
      const late = () => reject(new Error(`no answer within ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      waiting.add(reject);
      signal?.addEventListener('abort', abort);
      stop = () => {
        clearTimeout(timer);
        waiting.delete(reject);
        signal?.removeEventListener('abort', abort);
      };
    });
    try {
      return await Promise.race([work, failed]);
    } catch (error) {
      giveUp();
      throw error;
    } finally {
      stop();
    }
  };

  const publish: Connection['publish'] = async (publications, signal) => {
    const sent = publications.map(({ topic, payload, retain }) =>
      client.publishAsync(topic, payload, { qos: 1, retain }),
    );
    await within(Promise.all(sent), signal);
  };

  return {
    within,
    publish,
    async retained(filters) {
      const mark = `${MARK_TOPIC}/${client.options.clientId}`;
      const found = new Set<string>();
      let marked = () => {};
      const isMarked = new Promise<void>((resolve) => {
        marked = resolve;
      });
      const note: OnMessageCallback = (topic, payload, { retain }) => {
        if (topic === mark) marked();
        else if (retain && payload.length > 0) found.add(topic);
      };
      client.on('message', note);
      // With QoS 0 no broker drops some of many; what it keeps comes before what is published after the subscription.
      const asked = client.subscribeAsync([mark, ...filters], { qos: 0 });
      await within(asked.catch(() => undefined));
      await publish([{ topic: mark, payload: '', retain: false }]);
      await Promise.race([isMarked, after(timeoutMs, undefined, { ref: false })]);
      await within(client.unsubscribeAsync([mark, ...filters]));
      client.off('message', note);
      return [...found];
    },
  };
}
