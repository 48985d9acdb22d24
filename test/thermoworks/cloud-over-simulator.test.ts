import { expect } from 'chai';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.js';
import { type CloudClient, createCloudClient } from '../../src/thermoworks/cloud-client.js';
import { CloudError } from '../../src/thermoworks/cloud-error.js';

/** Two programs written from one description of the protocol, without a line in common. */
describe('cloud client against the simulator', () => {
  let simulator: Simulator;
  let clients: CloudClient[] = [];
  let time = Date.parse('2026-11-20T12:00:00Z');

  beforeEach(async () => {
    time = Date.parse('2026-11-20T12:00:00Z');
    simulator = await startSimulator({ accounts: 2, devices: 10, seed: 7, speed: 1, now: () => time });
  });

  afterEach(async () => {
    for (const client of clients) client.close();
    clients = [];
    await simulator.close();
  });

  function clientWith(apiKey = 'AIzaSyCf079iccUFc1k7VHdGXng22zXDy8Y3KEY'): CloudClient {
    const { url } = simulator;
    const client = createCloudClient({
      provider: {
        name: 'simulator',
        apiKey,
        appId: '1:78998049458:web:b41e9d405d8c7de95eefab',
        referer: 'https://cloud.thermoworks.com/',
        hosts: { firebase: url, identity: url, token: url, firestore: url, storage: url },
      },
      limits: { retryBaseMs: 1 },
    });
    clients.push(client);
    return client;
  }

  function accountAt(index: number) {
    const account = simulator.accounts[index];
    if (!account) throw new Error('no such account');
    return account;
  }

  const fault = (json: object) =>
    fetch(`${simulator.url}/_control/faults`, { method: 'POST', body: JSON.stringify(json) });

  async function signedIn(client: CloudClient) {
    const { refresh_token: refreshToken } = accountAt(0);
    const { accessToken, uid } = await client.refresh(refreshToken);
    const { accountId } = await client.user(accessToken, uid);
    return { accessToken, accountId };
  }

  async function readAll(client: CloudClient) {
    const { accessToken, accountId } = await signedIn(client);
    const { devices } = await client.devices(accessToken, accountId);
    const wanted = devices.map(({ deviceId }) => ({ deviceId, probeIds: null }));
    return { devices, ...(await client.channels(accessToken, wanted)) };
  }

  it('signs in, refreshes, and finds the account', async () => {
    const client = clientWith();
    const account = accountAt(0);
    const tokens = await client.signIn(account.email, account.password);
    expect(tokens.uid).to.equal(account.uid);
    const { accessToken, accountId } = await signedIn(client);
    expect(accountId).to.equal(account.account_id);
    const other = accountAt(1).account_id;
    const denied = await client.devices(accessToken, other).catch((error: unknown) => error);
    expect(denied).to.be.instanceOf(CloudError).and.to.include({ kind: 'forbidden' });
  });

  it('reads exactly what was served', async () => {
    time += 600_000;
    const { devices, channels, unanswered, rejected } = await readAll(clientWith());
    expect(devices).to.have.length(10);
    expect([unanswered, rejected]).to.deep.equal([[], {}]);
    const line = (...parts: unknown[]) => parts.join(' ');
    const read = channels.flatMap(({ deviceId, probeId, samples }) =>
      samples.map(({ measuredAt, value, unit }) =>
        line(deviceId, probeId, measuredAt.toISOString(), value, unit),
      ),
    );
    const served = simulator
      .ledger()
      .map((entry) => line(entry.device_id, entry.probe_id, entry.measured_at, entry.value, entry.unit));
    expect(read.length).to.be.greaterThan(20);
    expect(read.sort()).to.deep.equal(served.sort());
  });

  for (const [name, json] of Object.entries<object>({
    'batches of many documents are refused': { route: 'batchGet', status: 403, above_documents: 40 },
    'all batches are refused': { route: 'batchGet', status: 403 },
  })) {
    it(`reads the same where ${name}`, async () => {
      const before = await readAll(clientWith());
      expect((await fault(json)).ok).to.equal(true);
      const after = await readAll(clientWith());
      const byName = (a: { deviceId: string; probeId: string }, b: { deviceId: string; probeId: string }) =>
        `${a.deviceId}/${a.probeId}`.localeCompare(`${b.deviceId}/${b.probeId}`);
      expect(after.channels.sort(byName)).to.deep.equal(before.channels.sort(byName));
    });
  }

  it('calls a refused key a fault of the provider', async () => {
    const failed = await clientWith('another key')
      .refresh(accountAt(0).refresh_token)
      .catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(CloudError).and.to.include({ kind: 'provider' });
  });
});
