import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { findTool, toolsDir } from '../../scripts/tools.js';
import { freePort } from '../support/servers.js';
import { command, endPrograms, startProgram, untilItSays } from './program.js';

/** Everything in one process, with servers of its own, as on a machine that has none. */
describe('grill-stats up', function () {
  this.timeout(150_000);
  let dataDir: string;
  let env: NodeJS.ProcessEnv;
  let port: number;

  before(async () => {
    // Debian's package is fetched once for all tests.
    await findTool('redis-server');
    dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-up-'));
    symlinkSync(toolsDir(), join(dataDir, 'tools'));
    port = await freePort();
    env = { DATA_DIR: dataDir, HTTP_PORT: `${port}`, LOG_FORMAT: 'json' };
  });
  after(async () => {
    await endPrograms();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** Of the servers of DATA_DIR, those that take connections. */
  const servers = async () => {
    const names = ['postgres', 'redis'];
    const there = await Promise.all(names.map((name) => takesConnections(join(dataDir, `${name}-port`))));
    return names.filter((_, index) => there[index]);
  };
  const takesConnections = (portFile: string) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(readFileSync(portFile, 'utf8')), '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  const users = async () => JSON.parse((await command(['user', 'list', '--json'], env)).stdout);

  it('delivers the demo alert, refuses to run twice, and leaves no server behind', async () => {
    const up = startProgram(['up'], env);
    await untilItSays(up, `http://127.0.0.1:${port}`, 60_000);
    expect(await servers()).to.deep.equal(['postgres', 'redis']);
    const second = startProgram(['up'], env);
    expect(await second.ended).to.equal(1);
    expect(second.output.stderr).to.include(`process ${up.pid} at http://127.0.0.1:${port}`);

    await untilItSays(up, 'webhook delivered and verified', 60_000);
    expect(up.output.stdout).to.match(/^\d\d:\d\d:\d\d {2}Brisket · Point {2}\d+\.\d °F$/m);
    expect(up.output.stdout.match(/webhook delivered and verified/g)).to.have.lengthOf(1);
    expect((await users()).map(({ email }: { email: string }) => email)).to.deep.equal(['demo@localhost']);

    expect(await up.stop()).to.equal(0);
    expect(await servers()).to.deep.equal([]);
  });

  it('does not make the demo again after it was purged', async () => {
    const purged = await command(['user', 'delete', '--email', 'demo@localhost', '--purge'], env);
    expect(purged.code, purged.stderr).to.equal(0);
    const up = startProgram(['up', '--json'], env);
    await untilItSays(up, '"event":"up"', 60_000);
    expect(await users()).to.deep.equal([]);
    expect(await up.stop('SIGINT')).to.equal(0);
    for (const line of up.output.stdout.trim().split('\n'))
      expect(JSON.parse(line)).to.have.property('event');
  });

  it('exits 1 when HTTP_PORT is taken, and names it', async () => {
    const taken = createServer().listen(port, '127.0.0.1');
    const up = startProgram(['up'], env);
    expect(await up.ended).to.equal(1);
    taken.close();
    expect(up.output.stderr).to.match(new RegExp(`^grill-stats: .*\\b${port}\\b`, 'm'));
    expect(await servers()).to.deep.equal([]);
  });
});
