import { expect } from 'chai';
import { freePort } from '../support/servers.js';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

describe('grill-stats doctor', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await openCommandLine();
  });
  after(() => cli.close());

  async function findings(env: NodeJS.ProcessEnv = {}) {
    const { code, stdout, stderr } = await cli.run(['doctor', '--json'], { env });
    const rows = items(JSON.parse(stdout));
    const bad = rows.filter((row) => at(row, 'ok') === false);
    return { code, stderr, rows, bad: bad.map((row) => at(row, 'check')), text: JSON.stringify(bad) };
  }

  it('finds nothing wrong where nothing is', async () => {
    const { code, stderr, bad, rows, text } = await findings();
    expect(bad, text).to.deep.equal([]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(rows.map((row) => at(row, 'check'))).to.include.members([
      'database',
      'queue',
      'schema',
      'readings',
    ]);
  });

  it('says what to do about each thing that is wrong', async () => {
    await cli.dataSource.query("INSERT INTO readings VALUES (4711, now(), 20, 'C')");
    await cli.dataSource.query('ALTER TABLE probes ADD COLUMN by_hand integer');
    await cli.dataSource.query(
      'DELETE FROM typeorm_migrations WHERE id = (SELECT max(id) FROM typeorm_migrations)',
    );
    const { code, stderr, bad, text } = await findings({ CREDENTIALS_KEYS: '', DB_POOL_SIZE: '999' });
    expect(code).to.equal(1);
    expect(bad).to.have.members(['configuration', 'connections', 'migrations', 'schema', 'readings']);
    for (const advice of [
      'CREDENTIALS_KEYS',
      'DB_POOL_SIZE',
      'grill-stats migrate up',
      'by_hand',
      'DELETE FROM readings',
    ])
      expect(text).to.include(advice);
    expect(stderr.trim().split('\n')).to.have.length(1);
  });

  it('goes on when a server does not answer', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const { code, bad } = await findings({
      DATABASE_URL: `postgres://nobody@${nobody}/none`,
      REDIS_URL: `redis://${nobody}`,
    });
    expect(code).to.equal(1);
    expect(bad).to.have.members(['queue', 'database']);
  });
});
