import { command } from '../test/e2e/program.js';
import { at, itemsAt, openCloud } from '../test/simulator/cloud.js';
import { waitFor } from '../test/support/wait-for.js';
import { openServers, type Servers, startRoles } from './servers.js';
import type { Row } from './table.js';

const DEVICES = [1, 10, 100];

/** What a poll asks of the cloud, as the cloud counts it, beside a client that reads each document by itself. */
export async function benchRequests(): Promise<Row[]> {
  const servers = await openServers();
  try {
    startRoles(servers, 'worker');
    const rows: Row[] = [];
    for (const devices of DEVICES) rows.push(...(await measure(servers, devices)));
    return rows;
  } finally {
    await servers.close();
  }
}

async function measure({ db, env }: Servers, devices: number): Promise<Row[]> {
  const cloud = await openCloud({ accounts: 1, devices, seed: devices });
  const email = `requests${devices}@example.com`;
  const settings = { ...env, THERMOWORKS_BASE_URL: cloud.simulator.url };
  const cli = async (args: string[], stdin = '') => {
    const { code, stderr } = await command([...args, '--json'], settings, stdin);
    if (code !== 0) throw new Error(`grill-stats ${args.join(' ')}: ${stderr}`);
  };
  /** One poll, once everything that it brought is stored. @returns what it asked */
  const poll = async (): Promise<number> => {
    await cloud.request('/_control/requests', { method: 'DELETE' });
    await cli(['account', 'poll', '--email', email]);
    await waitFor(
      async () => {
        const { rows } = await db.query(
          `SELECT count(*)::integer AS stored FROM readings r JOIN probes p ON p.id = r.probe_id JOIN users u ON u.id = p.user_id
           WHERE u.email = $1`,
          [email],
        );
        return rows[0].stored === cloud.simulator.ledger().length;
      },
      { timeoutMs: 60_000, what: 'what the poll brought to be stored' },
    );
    const served = itemsAt((await cloud.request('/_control/requests')).json, 'requests');
    // The command is a process of its own: its start reads the web config, as a poller's does once.
    return served.filter((one) => !['token', 'webConfig'].includes(String(at(one, 'route')))).length;
  };
  const probes = (await cloud.devices()).map(({ id, probes: ids }) => ({ id, ids }));
  const channels = probes.reduce((sum, { ids }) => sum + ids.length, 0);
  try {
    await cli(['user', 'create', '--email', email]);
    await cli(['account', 'link', '--email', email, '--refresh-token-stdin'], cloud.account().refresh_token);
    for (const { id } of probes) await cloud.post('/_control/readings', { device_id: id, manual: true });
    await poll();
    const unchanged = await poll();
    cloud.clock.now += 1_000;
    for (const { id, ids } of probes)
      for (const probe_id of ids)
        await cloud.post('/_control/readings', { device_id: id, probe_id, readings: [{ value: 71.5 }] });
    const changed = await poll();
    const each = 2 + channels + devices;
    const anchor = { what: 'a request for each document', value: each, unit: 'requests' };
    const row = (what: string, value: number): Row => ({
      figure: 'requests',
      what: `${devices} devices, ${what}`,
      value,
      unit: 'requests',
      anchor,
      ratio: value / each,
      note: `${channels} channels`,
    });
    return [row('unchanged', unchanged), row('all changed', changed)];
  } finally {
    await cloud.simulator.close();
  }
}
