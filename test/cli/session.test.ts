import { expect } from 'chai';
import { at, type CommandLine, items, openCommandLine, withReadings } from './command-line.js';

describe('grill-stats session', () => {
  let cli: CommandLine;
  let deviceId: string;
  before(async () => {
    cli = await openCommandLine();
    await withReadings(cli, 'a@example.com');
    deviceId = String(at(await cli.json(['device', 'list']), '0.device_id'));
  });
  after(() => cli.close());

  it('begins, shows, lists and ends', async () => {
    const start = ['session', 'start', '--email', 'a@example.com', '--device', deviceId];
    const begun = await cli.json([...start, '--probe', '1', '--probe', '2', '--name', 'Saturday']);
    expect(begun).to.include({
      device_id: deviceId,
      name: 'Saturday',
      session_type: 'manual',
      status: 'active',
    });
    expect(items(at(begun, 'probes')).map((probe) => at(probe, 'probe_id'))).to.deep.equal(['1', '2']);
    const id = String(at(begun, 'id'));
    const second = await cli.run(start);
    expect([second.code, second.stderr.includes(id)]).to.deep.equal([1, true]);
    const ended = await cli.json(['session', 'end', id]);
    expect(ended).to.include({ status: 'completed', end_reason: 'manual', reading_count: 0 });
    expect(await cli.json(['session', 'show', id])).to.deep.equal(ended);
    expect((await cli.run(['session', 'end', id])).code).to.equal(1);
    expect(at(await cli.json(['session', 'list', '--email', 'a@example.com']), '0.id')).to.equal(id);
    expect((await cli.run(['session', 'show', id])).stdout).to.match(/^probes\nprobe_id +label +role +/m);
  });

  it('arms one-shot alerts of its probes again', async () => {
    const options = [
      '--probe',
      '1',
      '--type',
      'target',
      '--target-temperature',
      '-50',
      '--temperature-unit',
      'C',
    ];
    const create = ['alert', 'create', '--email', 'a@example.com', '--device', deviceId, ...options];
    const alert = await cli.json(create);
    expect(at(alert, 'states.0.is_armed')).to.equal(false);
    await cli.json(['session', 'start', '--email', 'a@example.com', '--device', deviceId]);
    const shown = await cli.json(['alert', 'show', String(at(alert, 'id'))]);
    expect(at(shown, 'states.0.is_armed')).to.equal(true);
  });
});
