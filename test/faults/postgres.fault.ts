import { expect } from 'chai';
import { waitFor } from '../support/wait-for.js';
import { defineFaults } from './define.js';
import { createDisk, fullDiskFaults, whyNoDisk } from './disk.js';
import { exhaustionFaults, postgresFaults } from './postgres.js';

defineFaults('PostgreSQL', postgresFaults);
defineFaults('PostgreSQL with few connections', exhaustionFaults, {
  postgresSettings: { max_connections: '30' },
});

describe('faults: a full disk', function () {
  this.timeout(30_000);
  const reason = whyNoDisk();
  if (reason !== undefined)
    it('needs root', function () {
      const line = [
        'fault',
        'PostgreSQL: disk full',
        'G1, G10',
        '',
        `not run: mounting needs root (${reason})`,
      ];
      process.stdout.write(`${line.join(' | ')}\n`);
      expect(process.env.CI, 'a machine that is to run everything').to.equal(undefined);
      this.skip();
    });
  else {
    const disk = createDisk(200);
    before(disk.mount);
    after(async () => {
      const isGone = () => {
        disk.unmount();
        return true;
      };
      await waitFor(isGone, { what: 'the disk to be let go' });
    });
    defineFaults('PostgreSQL on a small disk', fullDiskFaults(disk), {
      postgresDir: disk.path,
      postgresSettings: { min_wal_size: '32MB', max_wal_size: '32MB' },
    });
  }
});
