import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { z } from 'zod';
import { loadConfig } from '../../src/config.js';
import { startReceiver } from '../../src/demo.js';
import { createCloudClients } from '../../src/poller/cloud-clients.js';
import { waitFor } from '../support/wait-for.js';

describe('closing', () => {
  it('ends calls to a cloud that hangs, and takes none of many for a leak', async () => {
    const asked: string[] = [];
    const warnings: string[] = [];
    const warned = ({ name }: Error) => warnings.push(name);
    process.on('warning', warned);
    const silent: Server = createServer(({ url = '' }) => asked.push(url));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = z.object({ port: z.number() }).parse(silent.address());
    const env = { THERMOWORKS_BASE_URL: `http://127.0.0.1:${port}`, THERMOWORKS_PROJECT_ID: 'p' };
    const clients = createCloudClients(loadConfig(env).providers, () => undefined);
    try {
      const calls = Array.from({ length: 24 }, () =>
        clients
          .of('thermoworks')
          .devices('token', 'account')
          .then(String, ({ reason }) => String(reason)),
      );
      await waitFor(() => asked.length === 24);
      clients.abort();
      expect(new Set(await Promise.all(calls))).to.deep.equal(new Set(['aborted']));
      expect(warnings).to.deep.equal([]);
    } finally {
      process.off('warning', warned);
      clients.close();
      silent.closeAllConnections();
      await new Promise((resolve) => silent.close(resolve));
    }
  });

  it('of a connection in the middle of a request does not end the receiver of the demo', async () => {
    const heard: boolean[] = [];
    const receiver = await startReceiver((verified) => heard.push(verified));
    const socket = connect(Number(new URL(receiver.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve)); // the receiver waits for the body
    socket.destroy();
    await waitFor(() => heard.length === 1);
    expect(heard).to.deep.equal([false]);
    await receiver.close();
  });
});
