import { expect } from 'chai';
import { at, type CommandLine, items, openCommandLine, withReadings } from './command-line.js';

describe('grill-stats device and reading', () => {
  let cli: CommandLine;
  let deviceId: string;
  before(async () => {
    cli = await openCommandLine();
    await withReadings(cli, 'a@example.com');
    deviceId = String(at(await cli.json(['device', 'list']), '0.device_id'));
  });
  after(() => cli.close());

  it('lists devices with their probes under the names of the cloud', async () => {
    const devices = items(await cli.json(['device', 'list', '--email', 'a@example.com']));
    expect(devices).to.have.length(4);
    expect(devices[0]).to.include({ device_id: deviceId, email: 'a@example.com' });
    expect(at(devices[0], 'probes.0.probe_id')).to.equal('1');
    expect(at(devices[0], 'probes.0.last_value')).to.be.a('number');
    const { stdout } = await cli.run(['device', 'list']);
    expect(stdout).to.match(/^device_id +device +status +probe_id/);
  });

  it('names a device and a probe, and says what a probe is for', async () => {
    const set = ['device', 'set', '--email', 'a@example.com', '--device', deviceId];
    expect(at(await cli.json([...set, '--nickname', 'Smoker']), 'nickname')).to.equal('Smoker');
    const named = await cli.json([...set, '--probe', '1', '--label', 'Dome', '--role', 'pit']);
    expect(at(named, 'probes.0')).to.include({ label: 'Dome', role: 'pit' });
    await cli.json(['account', 'poll', '--email', 'a@example.com']);
    expect(at(await cli.json(['device', 'list']), '0.probes.0.label')).to.equal('Dome');
  });

  it('is found by its name too, where that names one', async () => {
    const newest = ['reading', 'list', '--limit', '1', '--device'];
    const named = await cli.json([...newest, 'sMOKER']);
    expect(named)
      .to.deep.equal(await cli.json([...newest, deviceId]))
      .and.have.length(1);
    const other = String(at(await cli.json(['device', 'list']), '1.device_id'));
    const owned = ['--email', 'a@example.com', '--device'];
    await cli.json(['device', 'set', ...owned, other, '--nickname', 'Smoker']);
    const both = await cli.run([...newest, 'Smoker']);
    expect([both.code, both.stderr]).to.deep.equal([
      1,
      `grill-stats: --device Smoker is the name of 2: give the serial, ${deviceId} or ${other}\n`,
    ]);
    // A serial is no name.
    await cli.json(['device', 'set', ...owned, other, '--nickname', deviceId]);
    expect(await cli.json([...newest, deviceId])).to.deep.equal(named);
    await cli.json(['device', 'set', ...owned, other, '--nickname', '']);
  });

  it('keeps the range of a probe in the unit that it was typed in, and refuses one that is none', async () => {
    const set = ['device', 'set', '--email', 'a@example.com', '--device', deviceId, '--probe', '1'];
    const range = ['--min-temperature', '-1.5', '--max-temperature', '5', '--temperature-unit', 'C'];
    const columns = { min_temperature: -1.5, max_temperature: 5, temperature_unit: 'C' };
    expect(at(await cli.json([...set, ...range]), 'probes.0')).to.include(columns);
    for (const [wrong, code, why] of [
      [['--min-temperature', '5'], 1, /--min-temperature 5 must be below --max-temperature 5/],
      [['--min-temperature', '20', '--temperature-unit', 'F'], 1, /changes both limits/],
      [['--max-temperature', 'warm'], 2, /at most two decimals, or none/],
    ] as const) {
      const answer = await cli.run([...set, ...wrong]);
      expect(answer.code, wrong.join(' ')).to.equal(code);
      expect(answer.stderr).to.match(why);
    }
    expect(at(await cli.json(['device', 'list']), '0.probes.0')).to.include(columns);
    const open = await cli.json([...set, '--min-temperature', 'none', '--max-temperature', 'none']);
    expect(at(open, 'probes.0')).to.include({ min_temperature: null, temperature_unit: null });
  });

  it('says what there is where a device or a probe is not', async () => {
    await cli.json(['user', 'create', '--email', 'b@example.com']);
    const foreign = await cli.run([
      'device',
      'set',
      '--email',
      'b@example.com',
      '--device',
      deviceId,
      '--nickname',
      'Mine',
    ]);
    expect([foreign.code, foreign.stderr]).to.deep.equal([
      1,
      `grill-stats: no device ${deviceId}; there is none\n`,
    ]);
    const unknown = await cli.run(['reading', 'list', '--device', 'D9']);
    expect([unknown.code, unknown.stderr.includes(deviceId)]).to.deep.equal([1, true]);
    const probe = await cli.run(['reading', 'list', '--device', deviceId, '--probe', '9']);
    expect([probe.code, probe.stderr.includes('1 (')]).to.deep.equal([1, true]);
  });

  it('lists the newest readings of a range by time', async () => {
    const all = items(await cli.json(['reading', 'list', '--device', deviceId]));
    const times = all.map((reading) => String(at(reading, 'measured_at')));
    expect(times).to.deep.equal(times.toSorted());
    const newest = items(
      await cli.json(['reading', 'list', '--device', deviceId, '--probe', '1', '--limit', '2']),
    );
    expect(newest).to.deep.equal(all.filter((reading) => at(reading, 'probe_id') === '1').slice(-2));
    const [from = '', to = ''] = newest.map((reading) => String(at(reading, 'measured_at')));
    const ranged = [
      'reading',
      'list',
      '--device',
      deviceId,
      '--probe',
      '1',
      '--from',
      from,
      '--to',
      to.replace('Z', '+00:00'),
    ];
    expect(await cli.json(ranged)).to.deep.equal(newest.slice(0, 1));
  });
});
