import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { connectAsync } from 'mqtt';
import { findToolOrSay, type Tool } from '../../scripts/tools.js';
import { freePort } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';

export interface Broker {
  url: string;
  close(): Promise<void>;
}

/** Debian's mosquitto, or aedes where it cannot be had. */
export async function startBroker(): Promise<Broker> {
  const mosquitto = await findToolOrSay('mosquitto');
  return mosquitto ? startMosquitto(mosquitto) : startAedes();
}

/** With a password it takes in only `cook` with `secret/:@`. */
export async function startAedes({ password = false } = {}): Promise<Broker> {
  const aedes = new Aedes({
    authenticate: (_client, name, given, done) => {
      done(null, !password || (name === 'cook' && given?.toString() === 'secret/:@'));
    },
  });
  await aedes.listen();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    aedes.handle(socket);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = async () => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `mqtt://127.0.0.1:${port}`, close };
}

async function startMosquitto({ path, libraryPath }: Tool): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'grill-stats-mosquitto-'));
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\nlog_type error\n`,
  );
  // Ends with its standard input, and so with this process, however that ends.
  const script = '"$0" -c "$1" < /dev/null & broker=$!; cat > /dev/null; kill -s KILL $broker; rm -rf "$2"';
  const shell = spawn('sh', ['-c', script, path, file, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, ...(libraryPath && { LD_LIBRARY_PATH: libraryPath }) },
  });
  const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()));
  await waitFor(() => answers(port), { what: 'mosquitto' });
  const close = async () => {
    shell.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `mqtt://127.0.0.1:${port}`, close };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

interface Seen {
  topic: string;
  payload: string;
  retained: boolean;
  qos: number;
}

/** What a subscriber of everything sees: each message, and the newest of each topic. */
export async function listen(url: string) {
  const client = await connectAsync(url, { reconnectPeriod: 0 }, false);
  const messages: Seen[] = [];
  const state = new Map<string, string>();
  client.on('message', (topic, payload, { retain, qos }) => {
    messages.push({ topic, payload: payload.toString(), retained: retain, qos });
    state.set(topic, payload.toString());
  });
  await client.subscribeAsync('#', { qos: 1 });
  let marks = 0;
  /** Waits until all that was acknowledged to its sender by now has come. */
  const settle = async () => {
    const payload = `${++marks}`;
    const isMark = (one: Seen) =>
      one.topic === `test/mark/${client.options.clientId}` && one.payload === payload;
    await client.publishAsync(`test/mark/${client.options.clientId}`, payload, { qos: 1 });
    await waitFor(() => messages.some(isMark), { what: 'the mark' });
  };
  return { messages, state, settle, close: () => client.endAsync(true) };
}
