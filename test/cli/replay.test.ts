import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../../src/cli/index.js';
import { pit, T0 } from '../support/traces.js';

const HEADER = 'device_id,probe_id,measured_at,value,unit';
const fire = pit({ on: 60, off: 200 });
const lines = Array.from({ length: 400 }, (_, minute) => {
  return `D1,1,${new Date(T0 + minute * 60_000).toISOString()},${fire(minute).toFixed(1)},C`;
});
const ALERTS = [{ name: 'Hot', alert_type: 'range', max_temperature: 100, temperature_unit: 'C' }];

describe('grill-stats replay', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'grill-stats-replay-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function file(name: string, content: string): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Without any server to be reached. */
  async function run(...args: string[]) {
    const written = { stdout: '', stderr: '' };
    const into = (name: keyof typeof written) => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const streams = { stdin: nothing(), stdout: into('stdout'), stderr: into('stderr') };
    const code = await runCli(['replay', ...args], {}, streams);
    return { code, ...written };
  }

  const traceFile = () => file('trace.csv', `${[HEADER, ...lines].join('\n')}\n`);

  it('answers with JSON as the contract has it', async () => {
    const alerts = file('alerts.json', JSON.stringify(ALERTS));
    const { code, stdout, stderr } = await run('--file', traceFile(), '--alerts', alerts, '--json');
    expect([code, stderr]).to.deep.equal([0, '']);
    const { sessions, events, ...more } = JSON.parse(stdout);
    expect(more).to.deep.equal({});
    const [{ probes, ...session }] = sessions;
    expect(Object.keys(session)).to.deep.equal([
      ...['device_id', 'session_type', 'status', 'end_reason', 'start_time', 'end_time', 'temperature_unit'],
      ...['reading_count', 'min_temperature', 'max_temperature', 'avg_temperature'],
    ]);
    expect(session.start_time).to.match(/^2026-06-06T0\d:\d\d:00\.000Z$/);
    expect(Object.keys(probes[0])).to.have.members([
      ...['probe_id', 'role', 'reading_count', 'min_temperature', 'min_at', 'max_temperature', 'max_at'],
      ...['avg_temperature', 'time_weighted_avg_temperature', 'seconds_known', 'seconds_unknown'],
    ]);
    expect(Object.keys(events[0])).to.deep.equal([
      ...['alert', 'kind', 'side', 'tier', 'measured_at', 'value', 'unit', 'detected_late'],
    ]);
    expect(events[0]).to.include({ alert: 'Hot', kind: 'fired', detected_late: false });
  });

  it('answers with tables', async () => {
    const alerts = file('alerts.json', JSON.stringify(ALERTS));
    const { stdout } = await run('--file', traceFile(), '--alerts', alerts, '--unit', 'C');
    expect(stdout).to.match(/^sessions\nsession +device_id.*\n1 +D1 +auto +completed +cooled .*\n\nprobes\n/);
    expect(stdout).to.match(/\nevents\nmeasured_at .*\n.* Hot +fired +high /);
    expect((await run('--file', file('none.csv', `${HEADER}\n`))).stdout).to.equal(
      'sessions\nnone\n\nprobes\nnone\n\nevents\nnone\n',
    );
  });

  it('ends at the moment asked for', async () => {
    const at = new Date(T0 + 150 * 60_000).toISOString();
    const { stdout } = await run('--file', traceFile(), '--at', at, '--json');
    expect(JSON.parse(stdout).sessions[0]).to.include({ status: 'active', end_time: null });
  });

  it('refuses a bad row with its line, and prints nothing of the good ones', async () => {
    const torn = [...lines.slice(0, 300), lines[300]?.slice(0, 20), ...lines.slice(301)];
    const bad = await run('--file', file('torn.csv', [HEADER, ...torn].join('\r\n')), '--json');
    expect(bad).to.include({ code: 1, stdout: '' });
    expect(bad.stderr).to.equal('grill-stats: torn.csv: line 302: 3 columns instead of 5\n');
  });

  it('refuses what it cannot read, and alerts by their index', async () => {
    const missing = await run('--file', join(folder, 'not-there.csv'));
    expect(missing.code).to.equal(1);
    expect(missing.stderr).to.match(/^grill-stats: cannot read .*not-there\.csv: ENOENT.*\n$/);
    const alerts = file('wrong.json', JSON.stringify([...ALERTS, { alert_type: 'deadline' }]));
    const wrong = await run('--file', traceFile(), '--alerts', alerts);
    expect(wrong).to.include({ code: 1, stdout: '' });
    expect(wrong.stderr).to.include('wrong.json: [1]: alert_type must be one of');
  });

  it('says how it is used', async () => {
    expect(await run()).to.include({ code: 2, stdout: '' });
    expect(await run('--file', 'x', '--at', '2026-11-21T18:00:00')).to.include({ code: 2, stdout: '' });
    expect(await run('--file', 'x', '--unit', 'K')).to.include({ code: 2, stdout: '' });
  });
});

async function* nothing(): AsyncGenerator<string> {}
