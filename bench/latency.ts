import { command } from '../test/e2e/program.js';
import { startReceiver } from '../test/notifications/receiver.js';
import { at, type Cloud, itemsAt, openCloud } from '../test/simulator/cloud.js';
import { waitFor } from '../test/support/wait-for.js';
import { openServers, type Servers, startRoles } from './servers.js';
import { type Options, percentile, type Row } from './table.js';

const ACCOUNTS = 5;
const ROUNDS = 40;
const SMALL_ROUNDS = 12;
/** Values on either side of the alerts' limit, by turns. */
const VALUES = [240, 220];
const SETTLED = 219;

/** From the answer of a poll that showed a reading to the webhook that it caused; each reading fires or resolves an alert. */
export async function benchLatency({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  const cloud = await openCloud({ accounts: ACCOUNTS, devices: 1, seed: 1, speed: 1, now: Date.now });
  const receiver = await startReceiver();
  const arrivals: { path: string; value: unknown; atMs: number }[] = [];
  receiver.answer = (response, { path, body }) => {
    arrivals.push({ path, value: at(JSON.parse(body), 'reading.value'), atMs: Date.now() });
    response.writeHead(204).end();
  };
  try {
    const homes = await furnish(servers, cloud, receiver.url);
    startRoles(servers, 'poller,worker,notifier', {
      THERMOWORKS_BASE_URL: cloud.simulator.url,
      ALLOW_PRIVATE_WEBHOOKS: 'true',
      POLL_CRON: '* * * * * *',
      POLL_MIN_SECONDS: '1',
      POLL_MAX_SECONDS: '1',
    });
    await settle(servers, cloud, homes);
    const waits: number[] = [];
    const bare: number[] = [];
    const rounds = isSmall ? SMALL_ROUNDS : ROUNDS;
    for (let round = 0; round < rounds; round++) {
      // A value of its own each time: what arrives tells which reading it is about.
      const value = (VALUES[round % 2] ?? 0) + round / 10;
      waits.push(...(await Promise.all(homes.map((home) => swing(cloud, arrivals, home, value)))));
      bare.push(await bareTrip(servers, receiver.url));
      if (round % 10 === 9) say(`latency: ${waits.length} readings`);
    }
    return toRows(waits, bare);
  } finally {
    await servers.close();
    await receiver.close();
    await cloud.simulator.close();
  }
}

interface Home {
  path: string;
  account: string;
  deviceId: string;
  probeId: string;
}

async function furnish({ env }: Servers, cloud: Cloud, url: string): Promise<Home[]> {
  const settings = { ...env, THERMOWORKS_BASE_URL: cloud.simulator.url, ALLOW_PRIVATE_WEBHOOKS: 'true' };
  const cli = async (args: string[], stdin = '') => {
    const { code, stderr } = await command([...args, '--json'], settings, stdin);
    if (code !== 0) throw new Error(`grill-stats ${args.join(' ')}: ${stderr}`);
  };
  const homes: Home[] = [];
  for (let index = 0; index < ACCOUNTS; index++) {
    const email = `cook${index}@example.com`;
    const { email: account, refresh_token } = cloud.account(index);
    const [device] = await cloud.devices(index);
    const [deviceId = '', probeId = ''] = [device?.id, device?.probes[0]];
    await cli(['user', 'create', '--email', email]);
    await cli(['account', 'link', '--email', email, '--refresh-token-stdin'], refresh_token);
    await cloud.post('/_control/readings', { device_id: deviceId, manual: true });
    await cli(['account', 'poll', '--email', email]);
    await cli(['channel', 'create', '--email', email, '--kind', 'webhook', '--url', `${url}/${index}`]);
    const about = ['--email', email, '--device', deviceId, '--probe', probeId, '--type', 'range'];
    const limits = ['--max-temperature', '230', '--temperature-unit', 'F', '--hysteresis', '0'];
    await cli(['alert', 'create', ...about, ...limits, '--hold-seconds', '0', '--recovery-seconds', '0']);
    homes.push({ path: `/${index}`, account, deviceId, probeId });
  }
  return homes;
}

/** All below the limit, whatever they were. */
async function settle({ db }: Servers, cloud: Cloud, homes: readonly Home[]): Promise<void> {
  for (const { deviceId, probeId } of homes) await write(cloud, { deviceId, probeId }, SETTLED);
  const below = 'SELECT FROM probes WHERE last_value = $1';
  await waitFor(async () => (await db.query(below, [SETTLED])).rows.length === homes.length, {
    timeoutMs: 60_000,
    what: 'values below the limit',
  });
}

const write = (cloud: Cloud, { deviceId, probeId }: Pick<Home, 'deviceId' | 'probeId'>, value: number) =>
  cloud.post('/_control/readings', {
    device_id: deviceId,
    probe_id: probeId,
    readings: [{ value, unit: 'F' }],
  });

/** @returns ms from the first answer that held the reading to its webhook */
async function swing(
  cloud: Cloud,
  arrivals: readonly { path: string; value: unknown; atMs: number }[],
  { path, account, deviceId, probeId }: Home,
  value: number,
): Promise<number> {
  await write(cloud, { deviceId, probeId }, value);
  const writtenMs = Date.now();
  const arrived = await waitFor(
    () => arrivals.find((one) => one.path === path && Math.abs(Number(one.value) - value) < 0.01),
    { timeoutMs: 60_000, everyMs: 5, what: `a webhook about ${value}` },
  );
  const served = itemsAt((await cloud.request('/_control/requests')).json, 'requests')
    .filter((one) => at(one, 'route') === 'batchGet' && at(one, 'account') === account)
    .map((one) => Date.parse(String(at(one, 'at'))))
    .find((ms) => ms >= writtenMs - 1);
  if (served === undefined) throw new Error('no answer showed the reading');
  return Math.max(0, arrived.atMs - served);
}

/** A request and a row: what no delivery can do without. */
async function bareTrip({ db }: Servers, url: string): Promise<number> {
  await db.query('CREATE TABLE IF NOT EXISTS bare (at timestamptz)');
  const startMs = performance.now();
  await db.query('INSERT INTO bare VALUES (now())');
  await fetch(`${url}/bare`, { method: 'POST', body: '{}' }).then((response) => response.text());
  return performance.now() - startMs;
}

function toRows(waits: readonly number[], bare: readonly number[]): Row[] {
  const anchor = { what: 'one INSERT and one request', value: percentile(bare, 0.5), unit: 'ms' };
  return [0.5, 0.99].map((share) => {
    const value = percentile(waits, share);
    return {
      figure: 'latency',
      what: `reading in a poll's answer to webhook, p${share * 100}`,
      value,
      unit: 'ms',
      anchor,
      ratio: value / anchor.value,
      note: `${waits.length} readings of ${ACCOUNTS} accounts, each of which fires or resolves an alert`,
    };
  });
}
