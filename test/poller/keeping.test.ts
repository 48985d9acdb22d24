import { expect } from 'chai';
import { waitFor } from '../support/wait-for.js';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from './kitchen.js';
import { pollerOf } from './parts.js';

describe('poll: what it has read while our own database cannot take it', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: number;

  before(async () => {
    home = await openHome();
  });
  beforeEach(async () => {
    kitchen = await openKitchen(home);
    ({ account } = await kitchen.link());
    expect((await kitchen.poll(account)).error).to.equal(undefined);
  });
  afterEach(() => kitchen.close());
  after(() => home.close());

  const WAITING = `SELECT query_start::text AS at FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`;
  /** Waits until a statement that waited for a lock has given up, and the next one waits. */
  const hasGivenUpOnce = async () => {
    const seen = new Set<string>();
    await waitFor(
      async () => {
        for (const { at } of await kitchen.dataSource.query<{ at: string }[]>(WAITING)) seen.add(at);
        return seen.size > 1;
      },
      { timeoutMs: 30_000, what: 'a second try' },
    );
  };

  for (const [what, lock] of [
    ['the rows of its devices', 'SELECT FROM devices FOR UPDATE'],
    ['the readings, with no queue', 'LOCK TABLE readings IN ACCESS EXCLUSIVE MODE'],
  ] as const)
    it(`is stored when it can be, though the cloud shows it no more: ${what}`, async () => {
      const [device] = await kitchen.cloud.devices();
      const probe = { device_id: device?.id, probe_id: device?.probes[0], manual: true };
      const shows = async (value: number) => {
        kitchen.pass(1);
        await kitchen.readings({ ...probe, readings: [{ value }] });
      };
      await shows(200);
      const locker = kitchen.dataSource.createQueryRunner();
      await locker.startTransaction();
      await locker.query(lock);
      const poll = kitchen.poll(account);
      await hasGivenUpOnce();
      // A channel shows ten.
      for (let value = 201; value <= 212; value++) await shows(value);
      await locker.rollbackTransaction();
      await locker.release();
      expect((await poll).error).to.equal(undefined);
      expect((await kitchen.poll(account)).error).to.equal(undefined);
      expect(await storedRows(kitchen.dataSource)).to.deep.equal(kitchen.served());
      expect(kitchen.served().filter((row) => row.endsWith(' 200 F'))).to.have.length(1);
    });

  it('is let go at once when the process ends, and read again', async () => {
    kitchen.pass(120);
    let tries = 0;
    const { poller } = pollerOf({
      ...kitchen.parts,
      ending: AbortSignal.abort(),
      enqueue: async () => {
        tries += 1;
        throw new Error('Connection terminated unexpectedly');
      },
    });
    const error = await poller.pollNow(account).then(() => 'none', String);
    await poller.close();
    expect([error, tries]).to.deep.equal(['Error: Connection terminated unexpectedly', 1]);
    expect((await kitchen.poll(account)).error).to.equal(undefined);
    expect(await storedRows(kitchen.dataSource)).to.deep.equal(kitchen.served());
  });
});
