import { startReceiver } from '../test/notifications/receiver.js';
import { waitFor } from '../test/support/wait-for.js';
import { COOK, openLinkedCloud } from './cloud.js';
import { openServers, type Servers, startRoles } from './servers.js';
import { type Options, percentile, type Row } from './table.js';

const READINGS = { small: 20, full: 200 };
/** Above and below the limit in turn: each reading fires or resolves, and makes one webhook. */
const VALUES = [250, 150];
const ALERT =
  '--type range --max-temperature 200 --temperature-unit F --hold-seconds 0 --recovery-seconds 0 --hysteresis 0';

/** From the cloud's answer that shows a reading to the webhook of what it means, through three processes. */
export async function benchLatency({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  const receiver = await startReceiver();
  servers.onClose('receiver', receiver.close);
  let received = (): void => undefined;
  receiver.answer = (response) => {
    received();
    response.writeHead(204).end();
  };
  try {
    const cloud = await openLinkedCloud(servers, 1, Date.now);
    const times = { POLL_CRON: '* * * * * *', POLL_MIN_SECONDS: '1', POLL_MAX_SECONDS: '1' };
    for (const role of ['worker', 'notifier', 'poller']) startRoles(servers, role, times);
    const [device] = cloud.devices;
    const [device_id = '', probe_id = ''] = [device?.id, device?.probes[0]];
    const write = (value: number) => cloud.post('readings', { device_id, probe_id, readings: [{ value }] });
    await write(VALUES[1] ?? 0);
    await waitFor(async () => (await servers.db.query('SELECT FROM readings')).rowCount, {
      timeoutMs: 60_000,
    });
    await cloud.run(['channel', 'create', '--email', COOK, '--kind', 'webhook', '--url', receiver.url]);
    await cloud.run([
      'alert',
      'create',
      '--email',
      COOK,
      '--device',
      device_id,
      '--probe',
      probe_id,
      ...ALERT.split(' '),
    ]);
    const waits: number[] = [];
    const bare: number[] = [];
    for (let reading = 0; reading < READINGS[isSmall ? 'small' : 'full']; reading++) {
      const told = new Promise<number>((resolve) => {
        received = () => resolve(Date.now());
      });
      await write(VALUES[reading % 2] ?? 0);
      const toldMs = await told;
      waits.push(toldMs - (await cloud.requests()).channelsAtMs);
      bare.push(await bareTrip(servers, receiver.url));
    }
    say(`latency: ${waits.join(' ')}`);
    return [0.5, 0.99].map((share) => rowOf(share, waits, bare));
  } finally {
    await servers.close();
  }
}

function rowOf(share: number, waits: readonly number[], bare: readonly number[]): Row {
  const [value, least] = [percentile(waits, share), percentile(bare, share)];
  return {
    figure: 'latency',
    what: `poll's answer to webhook, p${share * 100}`,
    value,
    unit: 'ms',
    anchor: { what: 'a request and an INSERT', value: least, unit: 'ms' },
    ratio: value / least,
    note: `${waits.length} readings, one at a time`,
  };
}

/** What no way through a database to a receiver can do without. */
export async function bareTrip({ db }: Servers, url: string): Promise<number> {
  const startMs = performance.now();
  await db.query(
    "INSERT INTO dead_letters (queue, job_id, data, reason, attempts) VALUES ('b', gen_random_uuid(), '{}', '', 1)",
  );
  await fetch(url, { method: 'POST', body: '{}' });
  return performance.now() - startMs;
}
