import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { at, items } from './command-line.js';

describe('grill-stats simulator', () => {
  it('says where it is in its first line, and runs until it is told to stop', async () => {
    const binary = join(import.meta.dirname, '../../bin/grill-stats.js');
    const child = spawn(process.execPath, [binary, 'simulator', '--json', '--accounts', '2'], { env: {} });
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const told: unknown = JSON.parse(line);
    const accounts = items(at(told, 'accounts'));
    expect(accounts.map((account) => Object.keys(Object(account)))).to.deep.equal(
      Array(2).fill(['email', 'password', 'refresh_token']),
    );
    expect((await fetch(`${at(told, 'url')}/_control/ledger`)).status).to.equal(200);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).to.deep.equal([0, null]);
  });
});
