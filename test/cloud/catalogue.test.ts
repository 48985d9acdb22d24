import { expect } from 'chai';
import { createMetrics } from '../../src/metrics.js';
import { type Home, openHome } from '../poller/kitchen.js';
import { runApart } from '../support/other-process.js';
import { REFUSALS, ROWS, type Row } from './rows.js';
import { type AccountRow, type Name, openStage, type Stage, type StageOptions } from './stage.js';

const WELL = { status: 'active', failed_polls: 0, last_error: null, next: 30 };

describe('the cloud at its worst', function () {
  this.timeout(60_000);
  const metrics = createMetrics();
  let home: Home;
  let stage: Stage;
  let close: () => Promise<unknown> = async () => undefined;

  before(async () => {
    home = await openHome();
  });
  after(async () => {
    await close();
    await home.close();
  });

  /** All three accounts were polled once. */
  const open = async (options: StageOptions = {}) => {
    await close();
    stage = await openStage(home, metrics, options);
    close = stage.close;
    if (options.fault) await stage.fault(options.fault);
    expect(await stage.tick('victim', 'sibling', 'stranger')).to.deep.equal(['ok', 'ok', 'ok']);
  };
  const expectWell = async (...names: Name[]) => {
    for (const name of names) {
      expect(await stage.rowOf(name), name).to.deep.equal(WELL);
      expect(await stage.stored(name), name).to.deep.equal(stage.served(name));
    }
  };
  const expectColumns = async (table: 'probes' | 'devices', columns: object | undefined) => {
    if (!columns) return;
    const probe = table === 'probes' ? "AND probe_id = '1'" : '';
    const [row] = await stage.sql(`SELECT * FROM ${table} WHERE user_id = $1 AND device_id = $2 ${probe}`, [
      stage.user,
      await stage.serial(),
    ]);
    expect(row).to.include(columns);
  };
  /** The other two are polled, get their rows and are well; or the sibling as `sibling` says. */
  const expectOthers = async (sibling?: Partial<AccountRow>) => {
    stage.pass(10);
    const before = (await stage.stored('stranger')).length;
    const counts = await stage.counted(() => stage.tick('sibling', 'stranger'));
    await expectWell('stranger');
    expect((await stage.stored('stranger')).length).to.be.greaterThan(before);
    if (!sibling) {
      expect(counts['polls ok']).to.equal(2);
      await expectWell('sibling');
      return;
    }
    expect(await stage.rowOf('sibling')).to.deep.include(sibling);
    expect(counts).to.deep.include({ 'polls ok': 1, 'cloud_requests devices 200': 1 });
  };
  const expectRow = async (row: Row) => {
    const { outcome = 'ok', rejected = {}, fresh = outcome === 'ok' ? 9 : 0 } = row;
    const { calls = { 'devices 200': 1, 'channels 200': 1 } } = row;
    const prefixed = (prefix: string, counts: Record<string, number>) =>
      Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${prefix} ${name}`, count]));
    expect(await stage.counted(() => stage.tick('victim'))).to.deep.equal({
      [`polls ${outcome}`]: 1,
      ...prefixed('cloud_requests', calls),
      ...prefixed('readings_rejected', rejected),
      ...(fresh > 0 && { readings_stored: fresh }),
    });
    const failed = outcome === 'ok' ? 0 : 1;
    expect(await stage.rowOf('victim')).to.deep.equal({ ...WELL, failed_polls: failed, ...row.account });
    if (outcome === 'ok' && fresh > 0)
      expect(await stage.stored('victim')).to.deep.equal(stage.served('victim'));
    await expectColumns('probes', row.probe);
    await expectColumns('devices', row.device);
    await row.proof?.(stage);
  };

  for (const [name, rows] of Object.entries(ROWS))
    describe(name, () => {
      if (name === 'TRANSPORT') before(() => open());
      for (const row of rows)
        it(row.line, async () => {
          if (name !== 'TRANSPORT') await open(row.options);
          stage.pass(30);
          await row.given(stage);
          await expectRow(row);
          await expectOthers(row.sibling);

          // The fault is over: the next poll makes it good, whatever the host's breaker saw.
          await stage.heal();
          stage.wait(7200);
          stage.pass(30);
          expect(await stage.tick('victim')).to.deep.equal(['ok']);
          expect(await stage.rowOf('victim')).to.include({
            status: 'active',
            failed_polls: 0,
            last_error: null,
          });
          expect(await stage.stored('victim')).to.deep.equal(stage.served('victim'));
          if (row.sibling) {
            expect(await stage.tick('sibling')).to.deep.equal(['ok']);
            await expectWell('sibling');
          }
        });
    });

  for (const message of REFUSALS)
    it(`refresh 400 "${message}": to be linked again, polling stops, one message`, async () => {
      await open();
      await stage.addChannel();
      await stage.expire('victim');
      await stage.fault({ account: stage.cloud.account().email, set: 'revoked', message });
      expect(await stage.counted(() => stage.tick('victim'))).to.deep.equal({
        'polls dead_credential': 1,
        'cloud_requests refresh 400': 1,
      });
      const refused = { status: 'needs_reauth', failed_polls: 1 };
      expect(await stage.rowOf('victim')).to.include(refused);
      await expectOthers();

      // Due or not: nobody asks for it any more, also when its tokens would do again.
      await stage.heal();
      stage.pass(30);
      const counts = await stage.counted(() => stage.tick('victim', 'sibling', 'stranger'));
      expect(counts).to.include({ 'polls ok': 2, 'cloud_requests devices 200': 2 });
      expect(await stage.rowOf('victim')).to.include(refused);
      const told = await stage.sql('SELECT subject, status FROM notifications');
      expect(told).to.deep.equal([{ subject: 'account.needs_reauth', status: 'pending' }]);

      await stage.relink();
      expect(await stage.tick('victim')).to.deep.equal(['ok']);
      await expectWell('victim');
    });

  it('a cloud that stalls: given up at the deadline, and nobody waits for it', async () => {
    // The idle limit is as long: only the deadline ends a byte a second.
    await open({ accounts: 6, limits: { deadlineMs: 8_000, idleMs: 8_000 } });
    const slow: [Name, string, string, object][] = [
      ['victim', 'query', 'devices', { delay_ms: 60_000 }],
      ['second', 'query', 'devices', { drip_ms: 1_000 }],
      ['third', 'batchGet', 'channels', { drip_ms: 1_000 }],
      ['fourth', 'token', 'refresh', { drip_ms: 1_000 }],
    ];
    for (const [name, route, call, effect] of slow) {
      if (call === 'refresh') await stage.expire(name);
      await stage.fault({ route, account: stage.emailOf(name), ...effect });
    }
    const counts = await stage.counted(async () => {
      const names = slow.map(([name]) => name);
      const ended = await stage.tick(...names, 'sibling', 'stranger');
      expect(ended).to.deep.equal(['ok', 'ok', 'transient', 'transient', 'transient', 'transient']);
    });
    expect(counts).to.include({
      'cloud_requests devices timeout': 2,
      'cloud_requests channels timeout': 1,
      'cloud_requests refresh timeout': 1,
    });
    for (const [name, , call] of slow) {
      const last_error = `${call} failed: transient, timeout`;
      expect(await stage.rowOf(name)).to.deep.equal({
        status: 'degraded',
        failed_polls: 1,
        last_error,
        next: 15,
      });
    }
    await expectWell('sibling', 'stranger');
  });

  it('an account whose calls always fail opens no breaker while others get through', async () => {
    await open();
    await stage.fault({ route: 'query', status: 503 });
    for (let round = 1; round <= 4; round += 1) {
      // Two polls of it in a row, so that failures come next to each other.
      expect(await stage.tick('victim')).to.deep.equal(['transient']);
      expect(await stage.tick('victim')).to.deep.equal(['transient']);
      expect(await stage.rowOf('victim')).to.include({
        failed_polls: 2 * round,
        next: [30, 120, 450, 450][round - 1],
      });
      await expectOthers();
    }
  });

  it('a host that fails for everybody is left alone, and asked again by one call', async () => {
    await open();
    await stage.fault({ route: 'query', status: 503, account: undefined });
    expect(await stage.tick('victim')).to.deep.equal(['transient']);
    const counts = await stage.counted(() => stage.tick('sibling'));
    expect(counts).to.deep.equal({ 'polls transient': 1, 'cloud_requests devices 503': 2 });
    const last_error = 'devices failed: transient, breaker_open';
    expect(await stage.rowOf('sibling')).to.include({ status: 'degraded', failed_polls: 1, last_error });
    stage.wait(10);
    const probe = await stage.counted(() => stage.tick('victim'));
    expect(probe).to.deep.equal({ 'polls transient': 1, 'cloud_requests devices 503': 1 });
    await stage.heal();
    stage.wait(60);
    for (const name of ['victim', 'sibling'] as const) {
      expect(await stage.tick(name)).to.deep.equal(['ok']);
      await expectWell(name);
    }
  });

  it('a gzip bomb of a gigabyte costs a process little memory', async () => {
    await open();
    await stage.fault({ route: '*', account: undefined, pad_mb: 1_000, gzip: true });
    const { answer } = await runApart('test/cloud/bomb-process.ts', [stage.cloud.simulator.url]);
    expect(answer).to.include({ reason: 'too_large' });
    expect(Object(answer).maxRssMb).to.be.lessThan(500);
  });
});
