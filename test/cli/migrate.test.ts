import { expect } from 'chai';
import { createEmptyDatabase } from '../support/servers.js';
import { at, type CommandLine, items, openCommandLine, runBinary } from './command-line.js';

describe('grill-stats migrate', () => {
  let cli: CommandLine;
  let drop: () => Promise<void>;
  before(async () => {
    const empty = await createEmptyDatabase();
    drop = empty.drop;
    cli = await openCommandLine({ url: empty.url });
  });
  after(async () => {
    await cli.close();
    await drop();
  });
  const applied = async () => items(await cli.json(['migrate', 'status'])).map((row) => at(row, 'applied'));

  it('is asked for where migrations are pending', async () => {
    const { code, stderr } = await cli.run(['user', 'list']);
    expect(code).to.equal(1);
    expect(stderr).to.equal(
      'grill-stats: the database has pending migrations: run `grill-stats migrate up`\n',
    );
  });

  it('applies each migration once when started twice at once', async () => {
    const both = await Promise.all(
      [1, 2].map(() => runBinary(['migrate', 'up', '--json'], { env: cli.env })),
    );
    expect(both.map(({ code, stderr }) => ({ code, stderr }))).to.deep.equal(
      Array(2).fill({ code: 0, stderr: '' }),
    );
    const steps = both.flatMap(({ stdout }) => items(JSON.parse(stdout)));
    const known = await applied();
    expect(steps).to.have.length(known.length);
    expect(steps.every((step) => typeof at(step, 'seconds') === 'number')).to.equal(true);
    expect(known).to.not.include(false);
  });

  it('reverts and applies as many as it is told, a line each', async () => {
    const down = await cli.run(['migrate', 'down', '--steps', '2']);
    expect(
      down.stdout
        .trim()
        .split('\n')
        .map((line) => /^\w+ {2}\d+\.\d{3} s$/.test(line)),
    ).to.deep.equal([true, true]);
    expect((await applied()).filter((is) => !is)).to.have.length(2);
    await cli.json(['migrate', 'up', '--steps', '1']);
    expect((await applied()).filter((is) => !is)).to.have.length(1);
  });

  it('takes what is there already as applied after a stamp, and says so before', async () => {
    const [{ name } = { name: '' }]: { name: string }[] = await cli.dataSource
      .query(
        'DELETE FROM typeorm_migrations WHERE id = (SELECT min(id) FROM typeorm_migrations) RETURNING name',
      )
      .then(([rows]) => rows);
    const { code, stderr } = await cli.run(['migrate', 'up']);
    expect(code).to.equal(1);
    expect(stderr)
      .to.match(/already exists/)
      .and.to.match(/migrate stamp/);
    expect(stderr.trim().split('\n')).to.have.length(1);
    await cli.json(['migrate', 'stamp', name]);
    await cli.json(['migrate', 'up']);
    expect(await applied()).to.not.include(false);
  });

  it('makes the database when asked to', async () => {
    const url = new URL(cli.env.DATABASE_URL ?? '');
    url.pathname = `${url.pathname}_made`;
    const env = { DATABASE_URL: url.toString() };
    expect((await cli.run(['migrate', 'up'], { env })).code).to.equal(1);
    for (const _ of ['new', 'there']) await cli.json(['migrate', 'up', '--create-database'], { env });
    const { stdout } = await cli.run(['doctor'], { env });
    await cli.dataSource.query(`DROP DATABASE ${url.pathname.slice(1)}`);
    expect(stdout).to.match(/UTF8/);
  });
});
