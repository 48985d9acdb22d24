import { join } from 'node:path';
import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import type { LeasedAccount } from '../../src/accounts/credential-manager.js';
import type { Poller } from '../../src/poller/poller.js';
import { at, type Cloud, items, openCloud } from '../simulator/cloud.js';
import { killHard, runApart } from '../support/other-process.js';
import { waitFor } from '../support/wait-for.js';
import { type Home, openHome } from './kitchen.js';
import { clientOf, linkAccount, openDatabase, pollerOf, pollParts } from './parts.js';

const OFTEN = { minSeconds: 1, maxSeconds: 1 };

describe('leases of polls', () => {
  let home: Home;
  let cloud: Cloud;
  let accounts: number[];
  const closing: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    home = await openHome();
    cloud = await openCloud({ accounts: 6, devices: 1 });
    const client = clientOf(cloud.simulator.url);
    accounts = [];
    for (const { email, refresh_token: refreshToken } of cloud.simulator.accounts)
      accounts.push((await linkAccount(home.dataSource, client, { email, refreshToken })).account);
    client.close();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await cloud.simulator.close();
    await home.close();
  });

  /** A poller with connections of its own, which tells of each poll's begin and end. */
  async function startPoller(watch: { begun?: (id: number) => void; ended?: (id: number) => void } = {}) {
    const dataSource = await openDatabase(home.url);
    const client = clientOf(cloud.simulator.url);
    const parts = { ...pollParts(dataSource, client), cadence: OFTEN };
    const pollOf = ({ id }: LeasedAccount) => {
      watch.begun?.(id);
      const hasTargetNear = async () => {
        watch.ended?.(id);
        return new Set<string>();
      };
      return { ...parts, hasTargetNear };
    };
    const { poller } = pollerOf(parts, { pollOf });
    closing.push(() => closeAll(poller, dataSource, client));
    return poller;
  }
  async function closeAll(poller: Poller, dataSource: DataSource, client: ReturnType<typeof clientOf>) {
    await poller.close();
    client.close();
    await dataSource.destroy();
  }
  const fault = (body: object) => cloud.post('/_control/faults', body);
  const hits = async (index: number) =>
    Number(at(items((await cloud.request('/_control/faults')).json)[index], 'hits'));
  const leased = async () =>
    (await home.dataSource.query('SELECT id FROM thermoworks_credentials WHERE lease_owner IS NOT NULL'))
      .length;

  it('share the accounts among pollers, and none is polled by two at a time', async () => {
    await fault({ route: 'query', delay_ms: 150 });
    const running = new Map<number, number>();
    const polls = new Map<string, number>();
    let overlaps = 0;
    for (const name of ['one', 'two', 'three']) {
      const poller = await startPoller({
        begun: (id) => {
          const now = (running.get(id) ?? 0) + 1;
          running.set(id, now);
          if (now > 1) overlaps += 1;
          for (const key of [name, `account ${id}`]) polls.set(key, (polls.get(key) ?? 0) + 1);
        },
        ended: (id) => running.set(id, (running.get(id) ?? 0) - 1),
      });
      poller.start();
    }
    const wanted = accounts.map((id) => `account ${id}`);
    await waitFor(() => wanted.every((key) => (polls.get(key) ?? 0) >= 3), { what: 'three polls of each' });
    expect(overlaps).to.equal(0);
    expect([...polls.keys()]).to.include.members(wanted);
  });

  it('are given back at the end of a poll, and by a poller that closes', async () => {
    await fault({ route: 'query', delay_ms: 300 });
    const poller = await startPoller();
    poller.start();
    await waitFor(async () => (await leased()) === accounts.length, { what: 'leases of all accounts' });
    await poller.close();
    expect(await leased()).to.equal(0);
    const polled = await home.dataSource.query(
      'SELECT id FROM thermoworks_credentials WHERE last_polled_at IS NOT NULL',
    );
    expect(polled, 'polls under way were finished').to.have.lengthOf(accounts.length);
  });

  it('are not kept by a poller that is closed while it takes them', async () => {
    const begun: number[] = [];
    const poller = await startPoller({ begun: (id) => begun.push(id) });
    poller.start();
    await poller.close();
    expect([await leased(), begun]).to.deep.equal([0, []]);
  });

  it('end by themselves where a poller that closes finds no database', async () => {
    const dataSource = await openDatabase(home.url);
    const client = clientOf(cloud.simulator.url);
    const { poller, entries } = pollerOf(pollParts(dataSource, client));
    await dataSource.destroy();
    await poller.close();
    client.close();
    expect(entries.map(({ message }) => message)).to.deep.equal(['leases could not be given back']);
  });

  it('refuse a poll on demand while another process polls the account', async () => {
    const [first = 0] = accounts;
    await fault({ route: 'query', delay_ms: 500, times: 1 });
    const [one, two] = [await startPoller(), await startPoller()];
    const under = one.pollNow(first);
    await waitFor(() => hits(0));
    const refused = await two.pollNow(first).catch((error: unknown) => error);
    expect(String(refused)).to.include('being polled right now');
    await under;
    expect((await two.pollNow(first)).result.status).to.equal('active');
  });

  it('outlast a slow poll, and end 15 s after a killed poller at the latest', async () => {
    const [slow = 0, ...others] = accounts;
    await home.dataSource.query("UPDATE thermoworks_credentials SET status = 'paused' WHERE id <> $1", [
      slow,
    ]);
    await fault({ route: '*', account: cloud.account(0).email, delay_ms: 6_000, times: 2 });
    const begun: number[] = [];
    const watch = { begun: (id: number) => begun.push(id) };
    const first = await startPoller(watch);
    const slowPoll = first.pollNow(slow).then(() => begun.filter((id) => id === slow).length);
    await waitFor(() => hits(0), { what: 'the slow poll' });

    const [victim = 0] = others;
    await home.dataSource.query("UPDATE thermoworks_credentials SET status = 'active' WHERE id = $1", [
      victim,
    ]);
    await fault({ route: 'query', account: cloud.account(1).email, delay_ms: 60_000, times: 1 });
    const file = join(import.meta.dirname, 'poller-process.ts');
    const { child } = await runApart(file, [home.url, cloud.simulator.url]);
    await waitFor(() => hits(1), { what: 'a poll of the other process' });
    await killHard(child);

    const second = await startPoller(watch);
    second.start();
    await waitFor(() => begun.includes(victim), { timeoutMs: 15_000, what: 'the poll of the killed one' });
    expect(await slowPoll, 'polls of the slow one until its end').to.equal(1);
    await waitFor(() => begun.filter((id) => id === slow).length > 1, { what: 'its next poll' });
  });
});
