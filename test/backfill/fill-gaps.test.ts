import { expect } from 'chai';
import { createGapFiller } from '../../src/backfill/fill-gaps.js';
import { claimDue } from '../../src/backfill/start.js';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from '../poller/kitchen.js';
import { captureLog } from '../support/captured-log.js';

const HOUR = 3_600;

describe('gaps and archives', function () {
  this.timeout(60_000);
  let home: Home;
  let kitchen: Kitchen;
  let account: number;
  let user: number;
  let closed: string[];
  let log: ReturnType<typeof captureLog>;

  before(async () => {
    home = await openHome();
  });
  after(() => home.close());
  afterEach(() => kitchen.close());

  const open = async (devices = 1) => {
    kitchen = await openKitchen(home, { devices });
    ({ account, user } = await kitchen.link());
    closed = [];
    log = captureLog();
  };
  const sql = (text: string, values: unknown[] = []) => home.dataSource.query(text, values);
  const serials = async () => (await kitchen.cloud.devices()).map(({ id }) => id);
  const watch = async (polls: number) => {
    for (let n = 0; n < polls; n += 1) {
      kitchen.pass(15);
      await kitchen.poller.pollNow(account);
    }
  };
  const archive = async (body: object = {}) => {
    for (const device_id of await serials())
      await kitchen.cloud.post('/_control/archives', { device_id, ...body });
  };
  const filler = (signal?: AbortSignal) =>
    createGapFiller({
      dataSource: home.dataSource,
      clientOf: () => kitchen.client,
      tokens: kitchen.parts.tokens,
      logger: log.logger,
      onStored: () => undefined,
      onClosed: (outcome, count) => closed.push(...Array<string>(count).fill(outcome)),
      signal,
    });
  /** What a tick and the jobs that it made do. */
  const fill = async () => {
    const due = await claimDue(home.dataSource);
    for (const device of due) await filler()({ device });
    return due.length;
  };
  const gaps = () =>
    sql(`SELECT status, count(*)::int AS n FROM reading_gaps GROUP BY status ORDER BY status`);
  const dueIn = async (): Promise<number | null> => {
    const [row] = await sql('SELECT extract(epoch FROM archives_due_at - now())::float8 AS s FROM devices');
    return row.s;
  };

  it('a poller that was stopped for two hours ends equal to what the cloud has', async () => {
    await open(4);
    await watch(4);
    kitchen.pass(2 * HOUR);
    await watch(2);
    const found = await gaps();
    expect(found).to.deep.equal([{ status: 'open', n: 10 }]);
    // No recording is closed yet: there is nothing to take.
    await sql('UPDATE devices SET archives_due_at = now()');
    expect(await fill()).to.equal(4);
    expect(await gaps()).to.deep.equal(found);
    expect(await fill()).to.equal(0);

    await archive();
    await watch(1);
    const before = (await storedRows(home.dataSource, user)).length;
    expect(await fill()).to.equal(4);
    const stored = await storedRows(home.dataSource, user);
    expect(stored.length - before).to.be.greaterThan(3 * 700);
    expect(stored).to.deep.equal(kitchen.served());
    expect(await gaps()).to.deep.equal([{ status: 'filled', n: 10 }]);
    expect(closed).to.deep.equal(Array(10).fill('filled'));
    const [{ live, filled }] = await sql(
      'SELECT count(*) FILTER (WHERE flags = 0)::int AS live, count(*) FILTER (WHERE flags = 48)::int AS filled FROM readings',
    );
    expect([live + filled, filled]).to.deep.equal([stored.length, stored.length - before]);
    // Nothing is open: nobody looks again.
    expect(await sql('SELECT FROM devices WHERE archives_due_at IS NOT NULL')).to.deep.equal([]);
    await sql('UPDATE devices SET archives_due_at = now()');
    await fill();
    expect(await storedRows(home.dataSource, user)).to.deep.equal(stored);
  });
});
