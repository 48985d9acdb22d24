import { expect } from 'chai';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

describe('grill-stats user', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await openCommandLine();
  });
  after(() => cli.close());

  it('creates, changes, locks and lists', async () => {
    const created = await cli.json(
      ['user', 'create', '--email', 'Ann@example.com', '--name', 'Ann', '--password-stdin'],
      {
        stdin: 'correct horse\n',
      },
    );
    expect(at(created, 'id')).to.match(/^[0-9a-f-]{36}$/);
    expect(at(created, 'created_at')).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(JSON.stringify(created)).to.not.include('argon2');
    const [{ password_hash: hash } = { password_hash: '' }] = await cli.dataSource.query<
      { password_hash: string }[]
    >('SELECT password_hash FROM users');
    expect(hash).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);

    await cli.json([
      'user',
      'set',
      '--email',
      'ann@example.com',
      '--time-zone',
      'Europe/London',
      '--temperature-unit',
      'C',
    ]);
    await cli.json(['user', 'lock', '--email', 'ann@example.com']);
    const [ann] = items(await cli.json(['user', 'list']));
    expect(ann).to.include({
      email: 'Ann@example.com',
      name: 'Ann',
      temperature_unit: 'C',
      time_zone: 'Europe/London',
    });
    expect(at(ann, 'is_locked')).to.equal(true);
    expect(at(await cli.json(['user', 'unlock', '--email', 'ann@example.com']), 'is_locked')).to.equal(false);
  });

  it('shows the same as readable text', async () => {
    const { stdout } = await cli.run(['user', 'list']);
    const [head, line] = stdout.split('\n');
    expect(head).to.match(/^email +name +temperature_unit/);
    expect(line).to.match(/^Ann@example\.com +Ann +C +Europe\/London +no /);
  });

  it('refuses an address twice, none, and a time zone that is none', async () => {
    const refused = [
      [['--email', 'ANN@example.com'], /there is a user with the e-mail ANN@example.com already/],
      [['--email', 'ann'], /--email/],
      [['--email', 'b@example.com', '--time-zone', 'Mars/Base'], /--time-zone/],
    ] as const;
    for (const [options, reason] of refused) {
      const { code, stderr } = await cli.run(['user', 'create', ...options]);
      expect(code).to.equal(1);
      expect(stderr).to.match(reason);
    }
  });

  it('deletes softly, so that the address may sign up again', async () => {
    await cli.json(['user', 'create', '--email', 'c@example.com']);
    await cli.json(['user', 'delete', '--email', 'c@example.com']);
    expect((await cli.run(['user', 'lock', '--email', 'c@example.com'])).code).to.equal(1);
    await cli.json(['user', 'create', '--email', 'c@example.com']);
    expect(await cli.json(['user', 'delete', '--email', 'c@example.com', '--purge'])).to.include({
      purged: true,
    });
    expect(await cli.dataSource.query("SELECT FROM users WHERE email = 'c@example.com'")).to.have.length(0);
  });
});
