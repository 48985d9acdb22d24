import { expect } from 'chai';
import { importArchives } from '../../src/backfill/import-account.js';
import { withToken } from '../../src/poller/poll-account.js';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

const HOUR = 3_600_000;
const EMAIL = 'new@example.com';

describe('grill-stats account import', function () {
  this.timeout(180_000);
  let cli: CommandLine;
  /** With one probe, of 240 readings an hour. */
  let kettle: string;
  before(async () => {
    cli = await openCommandLine();
    await cli.json(['user', 'create', '--email', EMAIL]);
    await cli.json(['account', 'link', '--email', EMAIL, '--refresh-token-stdin'], {
      stdin: cli.simulator.accounts[0]?.refresh_token,
    });
    const devices = await (await control(`devices?account=${cli.simulator.accounts[0]?.email}`)).json();
    kettle = String(at(devices, '2.device_id'));
  });
  after(() => cli.close());

  const control = (path: string, body?: object) =>
    fetch(`${cli.simulator.url}/_control/${path}`, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
  /** Recordings that were closed so many hours ago. */
  const archive = async (device_id: string, fromHours: number, toHours: number) => {
    const iso = (hours: number) => new Date(Date.now() - hours * HOUR).toISOString();
    const times = { start: iso(fromHours), end: iso(toHours), created: iso(toHours) };
    expect((await control('archives', { device_id, ...times })).status).to.equal(200);
  };
  const lines = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
  const importing = async (...more: string[]) => {
    const { code, stdout, stderr } = await cli.run([
      'account',
      'import',
      '--email',
      EMAIL,
      '--json',
      ...more,
    ]);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    return lines(stdout);
  };
  const sql = (text: string, values: unknown[] = []) => cli.dataSource.query(text, values);
  const count = async (from: string) =>
    Number(at(await sql(`SELECT count(*)::int AS n FROM ${from}`), '0.n'));

  it('turns every archive of a newly linked account into readings and sessions, a line for each', async () => {
    // Its cooks take 2.5 of 8 hours, and one began with the simulator.
    await archive(kettle, 9, 7);
    await archive(kettle, 7, 3);
    const told = await importing();
    const archives = told.filter((line) => at(line, 'event') === 'archive');
    expect(archives.map((line) => [at(line, 'status'), at(line, 'device_id')])).to.deep.equal([
      ['imported', kettle],
      ['imported', kettle],
    ]);
    const rows = 240 * 6;
    expect(at(told.at(-1), 'event')).to.equal('done');
    expect(Number(at(told.at(-1), 'stored'))).to.be.within(rows - 6, rows + 6);
    expect(await count('readings WHERE flags & 48 = 48')).to.equal(at(told.at(-1), 'stored'));
    const sessions = await sql(
      `SELECT session_type, status, reading_count, extract(epoch FROM end_time - start_time)::float8 / 3600 AS hours
       FROM grilling_sessions`,
    );
    expect(sessions).to.have.length(1);
    expect(sessions[0]).to.include({ session_type: 'auto', status: 'completed' });
    expect(sessions[0].hours).to.be.within(2.4, 4);
    expect(sessions[0].reading_count).to.be.greaterThan(2.4 * 240);
    expect(await count('alert_events')).to.equal(0);
    expect(await count('notifications')).to.equal(0);
  });

  it('changes nothing the second time, and takes what is new', async () => {
    const before = await count('readings');
    const told = await importing();
    expect(told.map((line) => at(line, 'status'))).to.deep.equal(['known', 'known', undefined]);
    expect(told.at(-1)).to.deep.include({ archives: 2, stored: 0 });
    expect(await count('readings')).to.equal(before);
  });

  it('takes nothing from before --since, and nothing older than is kept', async () => {
    await archive(kettle, 401 * 24 + 2, 401 * 24 + 1);
    await archive(kettle, 48, 44);
    const since = new Date(Date.now() - 45 * HOUR).toISOString();
    const told = await importing('--since', since);
    const [older] = told;
    expect(older).to.include({ status: 'imported' });
    expect(Number(at(older, 'old_rows'))).to.be.within(718, 722);
    expect(Number(at(older, 'stored'))).to.be.within(238, 242);
    expect(
      at(await sql('SELECT min(measured_at) AS first FROM readings WHERE flags >= 48'), '0.first'),
    ).to.satisfy((first: Date) => first >= new Date(since));
    const all = await importing();
    expect(all[0]).to.include({ status: 'too_old', stored: 0 });
    expect(Number(at(all[0], 'old_rows'))).to.be.within(238, 242);
  });

  it('goes on where it was stopped, and never twice at once', async () => {
    await archive(kettle, 90, 70);
    const ending = new AbortController();
    const [account] = await sql('SELECT * FROM thermoworks_credentials');
    const { clientOf } = await import('../poller/parts.js');
    const client = clientOf(cli.simulator.url);
    const { accessToken } = await client.refresh(cli.simulator.accounts[0]?.refresh_token ?? '');
    const call = withToken(async () => accessToken, account);
    const range = { since: new Date(0), keptSince: new Date(Date.now() - 400 * 24 * HOUR) };
    const deps = { dataSource: cli.dataSource, client, call, signal: ending.signal };
    // Killed after the first transaction: it is stored, and nothing after it.
    const onProgress = ({ done }: { done: number }) => done === 4_000 && ending.abort();
    const before = await count('readings');
    const stopped = async () => {
      for await (const _ of importArchives({ ...deps, onProgress }, account.user_id, range));
    };
    expect(await stopped().catch((error: Error) => error.name)).to.equal('AbortError');
    expect((await count('readings')) - before).to.equal(4_000);
    expect(await count(`archive_copies WHERE rows_done = 4000 AND applied_at IS NULL`)).to.equal(1);
    client.close();

    const runner = cli.dataSource.createQueryRunner();
    await runner.query('SELECT pg_advisory_lock($1, $2)', [0x61726368, account.id]);
    const refused = await cli.run(['account', 'import', '--email', EMAIL]);
    expect([refused.code, refused.stderr]).to.deep.equal([
      1,
      'grill-stats: an import of this account is under way\n',
    ]);
    await runner.query('SELECT pg_advisory_unlock_all()');
    await runner.release();

    const told = await importing();
    const [gone] = told.filter((line) => at(line, 'status') === 'imported');
    expect(Number(at(gone, 'stored'))).to.equal(Number(at(gone, 'rows')) - 4_000);
    expect((await count('readings')) - before).to.equal(at(gone, 'rows'));
    expect(items(told).length).to.be.greaterThan(4);
  });

  it('says what is wrong with an archive and with the cloud, in one line', async () => {
    await archive(kettle, 120, 119);
    const first = { route: 'file', times: 1 };
    await control('faults', { ...first, status: 404, message: 'Not Found.' });
    const failed = await cli.run(['account', 'import', '--email', EMAIL]);
    expect(failed.stdout).to.match(/failed \(NOT_FOUND\)\n/);
    expect(failed.stdout).to.match(/1 not whole: import again later\n$/);
    await control('faults', { route: 'archives', status: 503 });
    const down = await cli.run(['account', 'import', '--email', EMAIL]);
    expect([down.code, down.stderr]).to.deep.equal([
      1,
      'grill-stats: archives failed: transient, UNAVAILABLE\n',
    ]);
    await fetch(`${cli.simulator.url}/_control/faults`, { method: 'DELETE' });
    await control('faults', { ...first, shape: 'half' });
    expect(
      at(
        (await importing()).find((line) => at(line, 'status') === 'unfinished'),
        'error',
      ),
    ).to.equal('unfinished');
    expect(
      at(
        (await importing()).find((line) => at(line, 'status') === 'imported'),
        'error',
      ),
    ).to.equal(null);
  });
});
