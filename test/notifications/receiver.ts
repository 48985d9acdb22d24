import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** One request as it arrived, all of it. */
export interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** When its head was there, on the clock of `performance.now()`. */
  arrivedAtMs: number;
  /** What it was answered with; undefined: nothing, so far, or the connection was gone before the answer's end. */
  statusCode?: number;
  /** When all of that answer was handed to the system, on the same clock. */
  answeredAtMs?: number;
}

export interface Receiver {
  url: string;
  port: number;
  received: Received[];
  /** Connections that were ever opened. */
  connections: number;
  /** What it does with a request, once its body is there; 204 unless set. */
  answer: (response: ServerResponse, request: Received) => unknown;
  close(): Promise<void>;
}

/** An HTTP server of our own on loopback. */
export async function startReceiver({ host = '127.0.0.1', port = 0 } = {}): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const arrivedAtMs = performance.now();
    let isCut = false;
    response.on('close', () => {
      isCut = !response.writableFinished;
    });
    const arrived: Received = { ...(await read(request)), arrivedAtMs };
    receiver.received.push(arrived);
    response.on('finish', () => {
      // Whoever answers a request later than its sender has hung up reaches nobody.
      if (isCut) return;
      arrived.statusCode = response.statusCode;
      arrived.answeredAtMs = performance.now();
    });
    await receiver.answer(response, arrived);
  });
  server.on('connection', () => receiver.connections++);
  server.keepAliveTimeout = 50;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const receiver: Receiver = {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    received: [],
    connections: 0,
    answer: (response) => response.writeHead(204).end(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

async function read(request: IncomingMessage): Promise<Omit<Received, 'arrivedAtMs'>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks).toString('utf8'),
  };
}
