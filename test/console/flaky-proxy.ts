import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface FlakyProxy {
  /** The URL with the proxy in place of the server. */
  url: string;
  /** Half-open from now on: takes connections and bytes and passes nothing on. */
  freeze: () => void;
  /** Gone from now on. */
  cut: () => Promise<void>;
  /** Ends what hangs; a server that can still be reached can be taken leave of first. */
  cutIfFrozen: () => Promise<void>;
}

/** Stands between the service and one of its servers. */
export async function startFlakyProxy(target: string): Promise<FlakyProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => isFrozen || to.write(bytes));
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${portOf(server.address())}`;
  const cut = async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  };
  return {
    url: url.toString(),
    freeze: () => {
      isFrozen = true;
    },
    cut,
    cutIfFrozen: async () => {
      if (isFrozen) await cut();
    },
  };
}

export function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null)
    throw new Error('unreachable: a TCP server has a port');
  return address.port;
}
