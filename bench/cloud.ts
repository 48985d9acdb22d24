import { command } from '../test/e2e/program.js';
import { at, items, openCloud, PROJECT } from '../test/simulator/cloud.js';
import type { Servers } from './servers.js';

export const COOK = 'cook@bench.test';

/** Runs one command and reads its JSON. @throws with what it said if it fails */
export async function runCommand({ env }: Servers, args: string[], stdin?: string): Promise<unknown> {
  const { code, stdout, stderr } = await command([...args, '--json'], env, stdin);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A cloud with one account of so many devices of four probes, which report when told to, linked as a user links it. */
export async function openLinkedCloud(servers: Servers, devices: number, now: () => number) {
  // Of the simulator's four kinds two have four probes; the others leave the account.
  const cloud = await openCloud({ accounts: 1, devices: 2 * devices, deviceDelayMs: 0, now });
  servers.onClose('cloud', () => cloud.simulator.close());
  const post = async (path: string, body: object) => {
    const { status, text } = await cloud.post(`/_control/${path}`, body);
    if (status !== 200) throw new Error(text);
  };
  const all = await cloud.devices();
  for (const { id, probes } of all)
    if (probes.length === 4) await post('readings', { device_id: id, manual: true });
    else await post('faults', { device: id, set: 'removed' });
  Object.assign(servers.env, {
    THERMOWORKS_BASE_URL: cloud.simulator.url,
    // Else each process asks for them once.
    THERMOWORKS_PROJECT_ID: PROJECT,
    THERMOWORKS_STORAGE_BUCKET: `${PROJECT}.appspot.com`,
    ALLOW_PRIVATE_WEBHOOKS: 'true',
  });
  const run = (args: string[], stdin?: string) => runCommand(servers, args, stdin);
  await run(['user', 'create', '--email', COOK]);
  await run(['account', 'link', '--email', COOK, '--refresh-token-stdin'], cloud.account().refresh_token);
  return {
    run,
    post,
    devices: all.filter(({ probes }) => probes.length === 4),
    /** Since the last call: how many were answered, and when the last one for channels was (epoch ms). */
    requests: async () => {
      const { json } = await cloud.request('/_control/requests');
      await cloud.request('/_control/requests', { method: 'DELETE' });
      const served = items(at(json, 'requests'));
      const channels = served.filter((request) => at(request, 'route') === 'batchGet');
      return { count: served.length, channelsAtMs: Date.parse(String(at(channels.at(-1), 'at'))) };
    },
  };
}
