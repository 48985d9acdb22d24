import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { claimDataDir, ensureDataDir, loadOrCreateSecrets } from '../../src/embedded/data-dir.js';
import { InputError } from '../../src/errors.js';

describe('DATA_DIR', () => {
  const parent = mkdtempSync(join(tmpdir(), 'grill-stats-'));
  after(() => rmSync(parent, { recursive: true }));

  it('refuses a place where no folder can be made, and says so', () => {
    for (const place of ['/proc/nope', '/proc/nope/deeper', '/dev/null/data']) {
      expect(() => ensureDataDir(place)).to.throw(InputError, `DATA_DIR ${place} cannot be used`);
    }
  });

  it('is closed to others, and leaves its parents as they would be', () => {
    const folder = ensureDataDir(join(parent, 'a/b/data'));
    const modes = [folder, join(parent, 'a/b')].map((path) => statSync(path).mode & 0o700 & ~process.umask());
    expect(statSync(folder).mode & 0o077).to.equal(0);
    expect(statSync(join(parent, 'a/b')).mode & 0o777).to.equal(0o777 & ~process.umask());
    expect(modes).to.deep.equal([0o700, 0o700]);
  });

  it('says what to do when it cannot be made', () => {
    writeFileSync(join(parent, 'file'), '');
    expect(() => ensureDataDir(join(parent, 'file'))).to.throw(
      InputError,
      'set it to a folder that you may write',
    );
  });

  it('keeps the generated secrets in files for the owner only', () => {
    const dataDir = join(parent, 'secrets');
    const first = loadOrCreateSecrets(dataDir);
    expect(loadOrCreateSecrets(dataDir)).to.deep.equal(first);
    expect(first.credentialsKeys).to.match(/^k1:[A-Za-z0-9+/]{43}=$/);
    expect(first.consoleToken).to.have.length(32);
    expect(statSync(join(dataDir, 'credentials-keys')).mode & 0o777).to.equal(0o600);
    expect(statSync(join(dataDir, 'console-token')).mode & 0o777).to.equal(0o600);
  });

  it('is claimed once: the second is told the pid and the address of the first', () => {
    const dataDir = join(parent, 'claimed');
    const claim = claimDataDir(dataDir);
    claim.setAddress('http://127.0.0.1:8080');
    expect(() => claimDataDir(dataDir)).to.throw(
      InputError,
      `process ${process.pid} at http://127.0.0.1:8080`,
    );
    claim.release();
    claimDataDir(dataDir).release();
  });

  for (const [whose, holder] of [
    ['is gone', { pid: 4_000_000, startTime: '1' }],
    ['gave its pid to another process', { pid: process.pid, startTime: '1' }],
  ])
    it(`is free again when the claiming process ${whose}`, () => {
      const dataDir = ensureDataDir(join(parent, 'left'));
      writeFileSync(join(dataDir, 'up.lock'), JSON.stringify(holder));
      claimDataDir(dataDir).release();
    });
});
