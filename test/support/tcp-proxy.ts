import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What happens to connections, open and new:
 * - `pass`: everything gets through
 * - `latency`: each piece is late by `delayMs`, both ways
 * - `throttle`: both ways no faster than `bytesPerSecond`
 * - `swallow`: half-open: nothing gets through, not even an end, and nobody is told; one that lost something by it
 *   stays dead after the mode changed
 * - `reset`: cut with RST at once
 * - `refuse`: open ones are cut with RST, nobody listens
 * - `truncate`: each connection ends after `bytes` more of the server's answer
 */
type ProxyMode =
  | { kind: 'pass' }
  | { kind: 'latency'; delayMs: number }
  | { kind: 'throttle'; bytesPerSecond: number }
  | { kind: 'swallow' }
  | { kind: 'reset' }
  | { kind: 'refuse' }
  | { kind: 'truncate'; bytes: number };

export interface TcpProxy {
  port: number;
  /** The same address through the proxy. */
  through(url: string): string;
  set(mode: ProxyMode): Promise<void>;
  /** Connections that a client still holds open. */
  connections(): number;
  /** Connections that clients ever made, cut ones too. */
  opened(): number;
  /** Bytes lost by `swallow` so far. */
  swallowedBytes(): number;
  close(): Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
  isDead: boolean;
  /** Bytes of answer that may still pass under `truncate`. */
  allowance: number;
}

/** A proxy on 127.0.0.1 in front of the server of `url` (or `host:port`) that breaks the network on demand. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target.includes('://') ? target : `tcp://${target}`);
  const pairs = new Set<Pair>();
  let mode: ProxyMode = { kind: 'pass' };
  let swallowed = 0;
  let opened = 0;

  const cut = ({ client, server }: Pair) => {
    // One that is being ended cannot be reset: Node would leave it open for ever, and the test run with it.
    if (client.writableEnded) client.destroy();
    else client.resetAndDestroy();
    server.destroy();
  };
  const deliver = async (pair: Pair, chunk: Buffer, to: Socket): Promise<void> => {
    if (mode.kind === 'latency') await sleep(mode.delayMs);
    if (mode.kind === 'throttle') await sleep((chunk.length / mode.bytesPerSecond) * 1000);
    if (mode.kind === 'swallow') pair.isDead = true;
    if (pair.isDead) swallowed += chunk.length;
    if (pair.isDead || to.destroyed) return;
    const isCutShort = mode.kind === 'truncate' && to === pair.client && chunk.length >= pair.allowance;
    const part = isCutShort ? chunk.subarray(0, pair.allowance) : chunk;
    if (to === pair.client) pair.allowance -= part.length;
    if (!to.write(part)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
    if (!isCutShort) return;
    pair.client.end();
    pair.server.destroy();
  };
  const pipe = (pair: Pair, from: Socket, to: Socket) => {
    // One piece after the other, so that order is kept and the end comes after the data.
    let delivered = Promise.resolve();
    from.on('data', (chunk) => {
      from.pause();
      delivered = delivered.then(() => deliver(pair, chunk, to)).finally(() => from.resume());
    });
    from.on('end', () => {
      void delivered.then(() => {
        if (mode.kind === 'swallow') pair.isDead = true;
        if (!pair.isDead) to.end();
      });
    });
    from.on('error', () => {
      if (mode.kind !== 'swallow' && !pair.isDead) to.destroy();
    });
  };

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    opened += 1;
    if (mode.kind === 'reset') return void client.resetAndDestroy();
    const server = dial({ host: hostname, port: Number(port), allowHalfOpen: true });
    const allowance = mode.kind === 'truncate' ? mode.bytes : 0;
    const pair: Pair = { client, server, isDead: false, allowance };
    pairs.add(pair);
    client.on('close', () => {
      if (!pair.isDead && mode.kind !== 'swallow') server.destroy();
    });
    server.on('close', () => pairs.delete(pair));
    pipe(pair, client, server);
    pipe(pair, server, client);
  });
  const listen = (wanted: number) => {
    listener.listen(wanted, '127.0.0.1');
    return once(listener, 'listening');
  };
  const stopListening = () => {
    if (listener.listening) listener.close();
  };
  await listen(0);
  const own = portOf(listener.address());
  return {
    port: own,
    through(url) {
      const other = new URL(url);
      other.hostname = '127.0.0.1';
      other.port = `${own}`;
      return other.toString();
    },
    async set(next) {
      mode = next;
      if (next.kind === 'truncate') for (const pair of pairs) pair.allowance = next.bytes;
      if (next.kind === 'reset' || next.kind === 'refuse') for (const pair of pairs) cut(pair);
      if (next.kind === 'refuse') stopListening();
      else if (!listener.listening) await listen(own);
    },
    connections: () => [...pairs].filter(({ client }) => !client.destroyed && !client.readableEnded).length,
    opened: () => opened,
    swallowedBytes: () => swallowed,
    async close() {
      stopListening();
      for (const pair of pairs) cut(pair);
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
