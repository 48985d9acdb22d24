import { waitFor } from '../test/support/wait-for.js';
import { COOK, openLinkedCloud } from './cloud.js';
import { openServers, startRoles } from './servers.js';
import type { Options, Row } from './table.js';

const SIZES = [1, 10, 100];
const PROBES = 4;
const UNSTORED =
  'SELECT FROM probes WHERE shown_at IS NOT NULL AND last_measured_at IS DISTINCT FROM shown_at';

/** Requests of one poll, as the simulator counts them, beside those of the public client: 2 + Σ(channels + 1). */
export async function benchRequests({ say }: Options): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of SIZES) {
    const { unchanged, changed } = await countRequests(size);
    const anchor = { what: 'public client', value: 2 + size * (PROBES + 1), unit: 'requests' };
    const rowOf = (what: string, value: number): Row => {
      const named = { figure: 'requests', what: `${size} devices, ${what}`, value, unit: 'requests' };
      return { ...named, anchor, ratio: value / anchor.value };
    };
    rows.push(rowOf('unchanged', unchanged), rowOf('all changed', changed));
    say(`requests, ${size} devices: ${unchanged} unchanged, ${changed} changed`);
  }
  return rows;
}

async function countRequests(size: number): Promise<{ unchanged: number; changed: number }> {
  const servers = await openServers();
  try {
    const clock = { now: Date.now() };
    const cloud = await openLinkedCloud(servers, size, () => clock.now);
    startRoles(servers, 'worker');
    const poll = async () => {
      await cloud.requests();
      await cloud.run(['account', 'poll', '--email', COOK]);
      const { count } = await cloud.requests();
      await waitFor(async () => (await servers.db.query(UNSTORED)).rowCount === 0, { timeoutMs: 60_000 });
      return count;
    };
    await poll(); // signs in, and finds out which channels there are
    const unchanged = await poll();
    clock.now += 1_000;
    for (const { id, probes } of cloud.devices)
      for (const probe_id of probes)
        await cloud.post('readings', { device_id: id, probe_id, readings: [{ value: 71.5 }] });
    return { unchanged, changed: await poll() };
  } finally {
    await servers.close();
  }
}
