import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../../src/cli/index.js';

const TRACES = join(import.meta.dirname, 'traces');
const names = readdirSync(TRACES).flatMap((file) => (file.endsWith('.csv') ? [file.slice(0, -4)] : []));

describe('the worked traces of docs/alerts.md', () => {
  for (const name of names) {
    it(name, async () => {
      const [trace, alerts] = [join(TRACES, `${name}.csv`), join(TRACES, `${name}.alerts.json`)];
      const written = { stdout: '', stderr: '' };
      const streams = {
        stdin: nothing(),
        stdout: { write: (text: string) => (written.stdout += text) },
        stderr: { write: (text: string) => (written.stderr += text) },
      };
      const code = await runCli(['replay', '--file', trace, '--alerts', alerts, '--json'], {}, streams);
      expect([code, written.stderr]).to.deep.equal([0, '']);
      const { events } = JSON.parse(written.stdout);
      expect(events).to.deep.equal(JSON.parse(readFileSync(join(TRACES, `${name}.events.json`), 'utf8')));
    });
  }

  it('are all told of there', () => {
    const doc = readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
    for (const name of names) expect(doc).to.include(`${name}.csv`);
  });
});

async function* nothing(): AsyncGenerator<string> {}
