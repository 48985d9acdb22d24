import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

describe('TCP proxy', () => {
  let echo: Server;
  let proxy: TcpProxy;
  const open: Socket[] = [];

  before(async () => {
    echo = createServer((socket) => {
      open.push(socket);
      socket.on('error', () => undefined);
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const address = echo.address();
    proxy = await startTcpProxy(`127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
  });
  after(async () => {
    await proxy.close();
    echo.close();
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await proxy.set({ kind: 'pass' });
  });

  /** A connection that remembers what came back and how it ended. */
  async function client(): Promise<{ socket: Socket; seen: { text: string; fate?: string } }> {
    const socket = connect(proxy.port, '127.0.0.1');
    open.push(socket);
    const seen: { text: string; fate?: string } = { text: '' };
    socket.on('data', (chunk) => (seen.text += chunk));
    socket.on('end', () => (seen.fate ??= 'end'));
    socket.on('error', (error) => {
      seen.fate ??= 'code' in error ? String(error.code) : error.message;
    });
    await waitFor(() => !socket.connecting);
    return { socket, seen };
  }

  for (const mode of [
    { kind: 'pass' } as const,
    { kind: 'latency', delayMs: 5 } as const,
    { kind: 'throttle', bytesPerSecond: 100_000 } as const,
  ])
    it(`keeps every byte in order: ${mode.kind}`, async () => {
      await proxy.set(mode);
      const { socket, seen } = await client();
      const sent = Array.from({ length: 200 }, (_, index) => `${index};`).join('');
      socket.write(sent.slice(0, 300));
      socket.end(sent.slice(300));
      await waitFor(() => seen.fate === 'end');
      expect(seen.text).to.equal(sent);
    });

  it('swallow loses bytes without a word, and the connection stays dead', async () => {
    const [lost, unharmed] = [await client(), await client()];
    for (const { socket, seen } of [lost, unharmed]) {
      socket.write('a');
      await waitFor(() => seen.text === 'a');
    }
    const before = proxy.swallowedBytes();
    await proxy.set({ kind: 'swallow' });
    lost.socket.write('b');
    await waitFor(() => proxy.swallowedBytes() > before);
    await proxy.set({ kind: 'pass' });
    lost.socket.write('c');
    unharmed.socket.write('c');
    await waitFor(() => unharmed.seen.text === 'ac' && proxy.swallowedBytes() === before + 2);
    expect(lost.seen).to.deep.equal({ text: 'a' });
  });

  it('reset cuts open and new connections', async () => {
    const first = await client();
    await proxy.set({ kind: 'reset' });
    await waitFor(() => first.seen.fate === 'ECONNRESET');
    const second = await client();
    await waitFor(() => second.seen.fate === 'ECONNRESET');
  });

  it('refuse lets nobody in, and pass listens again on the same port', async () => {
    await proxy.set({ kind: 'refuse' });
    const { seen } = await client();
    expect(seen.fate).to.equal('ECONNREFUSED');
    await proxy.set({ kind: 'pass' });
    const again = await client();
    again.socket.write('a');
    await waitFor(() => again.seen.text === 'a');
  });

  it('truncate ends the answer in the middle', async () => {
    await proxy.set({ kind: 'truncate', bytes: 5 });
    const { socket, seen } = await client();
    socket.write('abcdefgh');
    await waitFor(() => seen.fate === 'end');
    expect(seen.text).to.equal('abcde');
    socket.destroy();
    await waitFor(() => proxy.connections() === 0);
  });
});
