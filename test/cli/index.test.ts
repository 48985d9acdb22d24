import { expect } from 'chai';
import { freePort } from '../support/servers.js';
import { at, type CommandLine, openCommandLine, runBinary } from './command-line.js';

describe('grill-stats', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await openCommandLine();
  });
  after(() => cli.close());

  it('answers on stdout and exits 0', async () => {
    const env = { ...cli.env, LOG_LEVEL: 'info' };
    const { code, stdout, stderr } = await runBinary(
      ['user', 'create', '--email', 'a@example.com', '--json'],
      { env },
    );
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(at(JSON.parse(stdout), 'email')).to.equal('a@example.com');
  });

  it('exits 2 with one line on stderr after wrong usage', async () => {
    const { code, stdout, stderr } = await runBinary(['user', 'create']);
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.equal("error: required option '--email <e>' not specified\n");
  });

  it('exits 2 after an option, a command or a value that is not there', async () => {
    const wrong = [
      ['nonsense'],
      ['user', 'create', '--email', 'a@example.com', '--temperature-unit', 'K'],
      ['reading', 'list', '--device', 'D', '--from', '2026-11-21T18:00:00'],
      ['reading', 'list', '--device', 'D', '--limit', '0'],
      ['alert', 'show', '12'],
      ['account', 'link', '--email', 'a@example.com'],
      ['queue', 'drain', 'none'],
      ['device', 'set', '--email', 'a@example.com', '--device', 'D', '--json'],
    ];
    for (const args of wrong) {
      const { code, stdout, stderr } = await cli.run(args);
      expect({ code, stdout, lines: stderr.trim().split('\n').length }, args.join(' ')).to.deep.equal({
        code: 2,
        stdout: '',
        lines: 1,
      });
    }
  });

  it('takes --json and --help with every command', async () => {
    const commands = /^ {2}(\w+)/gm;
    const { stdout } = await cli.run(['--help']);
    const names = (help: string) =>
      [...(help.split('Commands:')[1] ?? '').matchAll(commands)].map(([, name = '']) => name);
    for (const name of names(stdout).filter((one) => one !== 'help')) {
      const { code, stdout: help } = await cli.run([name, '--help']);
      expect(code).to.equal(0);
      const leaves = names(help).filter((one) => one !== 'help');
      for (const leaf of leaves) expect((await cli.run([name, leaf, '--help'])).stdout).to.include('--json');
      if (leaves.length === 0) expect(help).to.include('--json');
    }
  });

  it('exits 2 and names a variable that is wrong', async () => {
    const { code, stderr } = await cli.run(['user', 'list'], { env: { DB_POOL_SIZE: 'many' } });
    expect(code).to.equal(2);
    expect(stderr).to.equal(
      'grill-stats: configuration: DB_POOL_SIZE must be a whole number from 1 to 1000\n',
    );
  });

  it('exits 1 with one line when a server is not there', async () => {
    const env = { DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none` };
    const { code, stdout, stderr } = await cli.run(['user', 'list', '--json'], { env });
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.match(/^grill-stats: .*ECONNREFUSED.*\n$/);
  });
});
