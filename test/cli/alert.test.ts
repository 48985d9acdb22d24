import { expect } from 'chai';
import { at, type CommandLine, items, openCommandLine, withReadings } from './command-line.js';

describe('grill-stats alert', () => {
  let cli: CommandLine;
  let create: string[];
  before(async () => {
    cli = await openCommandLine();
    await withReadings(cli, 'a@example.com');
    const deviceId = String(at(await cli.json(['device', 'list']), '0.device_id'));
    create = ['alert', 'create', '--email', 'a@example.com', '--device', deviceId, '--probe', '1'];
  });
  after(() => cli.close());

  it('creates, shows, lists and deletes', async () => {
    const target = [
      '--type',
      'target',
      '--target-temperature',
      '900',
      '--temperature-unit',
      'F',
      '--name',
      'Hot',
    ];
    const created = await cli.json([...create, ...target]);
    expect(created).to.include({
      alert_type: 'target',
      target_temperature: 900,
      direction: 'up',
      already_met: false,
    });
    const id = String(at(created, 'id'));
    expect(at(await cli.json(['alert', 'show', id]), 'name')).to.equal('Hot');
    expect(items(await cli.json(['alert', 'list', '--email', 'a@example.com']))).to.have.length(1);
    await cli.json(['alert', 'delete', id]);
    expect((await cli.run(['alert', 'show', id])).code).to.equal(1);
    expect(await cli.json(['alert', 'list', '--email', 'a@example.com'])).to.deep.equal([]);
  });

  it('says that a target is met already', async () => {
    const target = (...options: string[]) => [
      ...create,
      '--type',
      'target',
      '--target-temperature',
      ...options,
    ];
    const met = await cli.json(target('-50', '--temperature-unit', 'C'));
    expect(at(met, 'already_met')).to.equal(true);
    for (const [options, away] of [
      [['-50', '--temperature-unit', 'C'], '5 °C below'],
      [['900', '--temperature-unit', 'F', '--direction', 'down'], '9 °F above'],
    ] as const) {
      const { stdout } = await cli.run(target(...options));
      const sentence = `already there: it fires when the probe was more than ${away} it for 10 min and reaches`;
      expect(stdout.trimEnd().split('\n').at(-1)).to.include(sentence);
    }
    const { stdout } = await cli.run(target('900', '--temperature-unit', 'F'));
    expect(stdout)
      .to.match(/already_met +no\n/)
      .and.not.include('already there');
  });

  it('takes a range with all its numbers', async () => {
    const range = [
      '--type',
      'range',
      '--min-temperature',
      '-5',
      '--max-temperature',
      '300',
      '--hold-seconds',
      '0',
    ];
    const made = await cli.json([...create, ...range, '--hysteresis', '2.5', '--severity', 'critical']);
    expect(made).to.include({ min_temperature: -5, max_temperature: 300, hold_seconds: 0, hysteresis: 2.5 });
  });

  it('takes a change with its window, or with the defaults of the role', async () => {
    const short = ['--threshold-value', '20', '--window-seconds', '300', '--hysteresis', '5'];
    const rising = await cli.json([...create, '--type', 'rising', '--temperature-unit', 'F', ...short]);
    expect(rising).to.include({ threshold_value: 20, window_seconds: 300, hysteresis: 5, hold_seconds: 0 });
    const states = items(at(rising, 'states'));
    expect(states).to.have.length(1);
    expect(states[0]).to.include({ side: 'up', phase: 'inactive' }).and.not.have.property('recent');
    const falling = await cli.json([...create, '--type', 'falling', '--temperature-unit', 'C']);
    expect(falling).to.include({ alert_type: 'falling', threshold_value: 15, window_seconds: 600 });
    const { stdout } = await cli.run(['alert', 'list', '--email', 'a@example.com']);
    expect(stdout).to.match(/rising .*20 +300/);
    for (const made of [rising, falling]) await cli.json(['alert', 'delete', String(at(made, 'id'))]);
  });

  it('changes, snoozes and acknowledges', async () => {
    const made = await cli.json([...create, '--type', 'no_data', '--silence-minutes', '20']);
    const id = String(at(made, 'id'));
    expect(made).to.include({ alert_type: 'no_data', silence_minutes: 20, critical_silence_minutes: null });
    const set = ['alert', 'set', id, '--critical-silence-minutes', '60', '--repeat-seconds', '3600'];
    const changed = await cli.json(set);
    expect(changed).to.include({ silence_minutes: 20, critical_silence_minutes: 60, repeat_seconds: 3600 });
    const snoozed = await cli.json(['alert', 'snooze', id, '--minutes', '30']);
    expect(snoozed).to.have.keys('id', 'snoozed_until');
    const spoken = await cli.run(['alert', 'snooze', id, '--minutes', '0']);
    expect([spoken.code, spoken.stdout]).to.deep.equal([0, `no longer snoozed ${id}\n`]);
    for (const [args, message] of [
      [['ack', id], /does not fire, or is acknowledged already/],
      [['unack', id], /is not acknowledged/],
      [['set', id], /nothing to change/],
      [['set', id, '--silence-minutes', '60'], /--critical-silence-minutes must be above/],
      [['snooze', id, '--minutes', '0'], /is not snoozed/],
      [['snooze', id, '--minutes', '-1'], /--minutes must be a whole number from 0 \(no longer\) to 10080/],
      [['snooze', id, '--minutes', 'long'], /--minutes must be a whole number from 0/],
    ] as const) {
      const { code, stderr } = await cli.run(['alert', ...args]);
      expect(code).to.equal(1);
      expect(stderr).to.match(message);
    }
  });

  it('takes away what a type can do without, and no more', async () => {
    const create_ = async (...options: string[]) => String(at(await cli.json([...create, ...options]), 'id'));
    const set = (id: string, option: string) =>
      cli.run(['alert', 'set', id, `--${option}`, 'none', '--json']);
    const limits = [
      '--max-temperature',
      '800',
      '--critical-max-temperature',
      '900',
      '--cooldown-seconds',
      '60',
    ];
    const range = await create_('--type', 'range', ...limits, '--name', 'Hot');
    const target = await create_(
      '--type',
      'target',
      '--target-temperature',
      '900',
      '--pre-alert-difference',
      '5',
    );
    const silence = await create_('--type', 'no_data');
    const rising = await create_('--type', 'rising');
    for (const [id, option, value] of [
      [range, 'critical-max-temperature', null],
      [range, 'name', null],
      [range, 'cooldown-seconds', 0],
      [range, 'hold-seconds', 0],
      [range, 'hysteresis', 0],
      [target, 'pre-alert-difference', null],
      [silence, 'silence-minutes', null],
    ] as const) {
      const { code, stdout, stderr } = await set(id, option);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(at(JSON.parse(stdout), option.replaceAll('-', '_')), option).to.equal(value);
    }
    expect(items(at(await cli.json(['alert', 'show', range]), 'states'))).to.have.length(1);
    for (const [id, option, message] of [
      [range, 'max-temperature', 'a range needs --critical-min-temperature or --min-temperature or'],
      [target, 'target-temperature', 'a target needs --target-temperature'],
      [silence, 'critical-silence-minutes', 'needs --silence-minutes or --critical-silence-minutes'],
      [rising, 'threshold-value', 'a rising alert needs --threshold-value'],
      [rising, 'window-seconds', 'a rising alert needs --window-seconds'],
    ] as const) {
      const { code, stderr } = await set(id, option);
      expect([code, stderr.includes(message)], stderr).to.deep.equal([1, true]);
    }
    for (const id of [range, target, silence, rising]) await cli.json(['alert', 'delete', id]);
  });

  it('watches the battery of a device, without a probe', async () => {
    const device = create.slice(0, 6);
    const made = await cli.json([...device, '--type', 'battery', '--name', 'Low']);
    const numbers = { battery_percent: 20, critical_battery_percent: 10, hysteresis: 5, hold_seconds: 0 };
    expect(made).to.include({ probe_id: null, alert_type: 'battery', already_met: false, ...numbers });
    const id = String(at(made, 'id'));
    expect(items(at(made, 'states')).map((one) => at(one, 'side'))).to.deep.equal(['low', 'low']);
    expect((await cli.run(['alert', 'list', '--email', 'a@example.com'])).stdout).to.match(
      /Low .*battery .* 20 /,
    );
    const set = await cli.json(['alert', 'set', id, '--battery-percent', '30', '--hysteresis', '2']);
    expect(set).to.include({ battery_percent: 30, critical_battery_percent: 10, hysteresis: 2 });
    expect(await cli.json(['alert', 'snooze', id, '--minutes', '5'])).to.have.keys('id', 'snoozed_until');
    const wrong = [
      [[...device, '--type', 'battery', '--battery-percent', '0'], '--battery-percent'],
      [[...device, '--type', 'battery', '--critical-battery-percent', '30%'], '--critical-battery-percent'],
      [[...device, '--type', 'battery', '--max-temperature', '30'], '--max-temperature'],
      [['alert', 'set', id, '--critical-battery-percent', '30'], '--critical-battery-percent'],
      [['alert', 'rehearse', id], 'cannot be rehearsed'],
      [['alert', 'rehearse', ...device.slice(2), '--type', 'battery'], 'cannot be rehearsed'],
    ] as const;
    for (const [args, name] of wrong) {
      const { code, stderr } = await cli.run([...args]);
      expect([code, stderr.includes(name)], stderr).to.deep.equal([1, true]);
    }
    await cli.json(['alert', 'delete', id]);
  });

  it('names the option that is wrong', async () => {
    const wrong = [
      [['--type', 'target'], '--target-temperature'],
      [['--type', 'target', '--target-temperature', 'hot'], '--target-temperature'],
      [['--type', 'range', '--min-temperature', '300', '--max-temperature', '200'], '--min-temperature'],
      [['--type', 'target', '--target-temperature', '90', '--hold-seconds', '-1'], '--hold-seconds'],
      [['--type', 'rising', '--threshold-value', 'fast'], '--threshold-value'],
      [['--type', 'falling', '--window-seconds', '10'], '--window-seconds'],
      [['--type', 'rising', '--target-temperature', '90'], '--target-temperature'],
      [['--type', 'no_data', '--silence-minutes', '0'], '--silence-minutes'],
      [['--type', 'battery'], '--probe'],
      [['--type', 'deadline'], '--type'],
    ] as const;
    for (const [options, name] of wrong) {
      const { code, stderr } = await cli.run([...create, ...options]);
      expect(code).to.equal(1);
      expect(stderr).to.include(name);
      expect(stderr.trim().split('\n')).to.have.length(1);
    }
  });

  it('rehearses on what is stored, an alert that is there or only its options', async () => {
    // An hour of 60 °F, with ten minutes of 900 °F in it; all of it in one day, a line of which is drawn.
    await cli.dataSource.query('DELETE FROM readings');
    await cli.dataSource.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
       SELECT p.id, p.last_measured_at - minute * interval '1 minute' -
           CASE WHEN (p.last_measured_at AT TIME ZONE 'UTC')::time < '02:00' THEN interval '3 hours' ELSE interval '0' END,
         CASE WHEN minute BETWEEN 20 AND 29 THEN 900 ELSE 60 END, 'F', 0
       FROM probes p, generate_series(0, 60) AS minute WHERE p.device_id = $1 AND p.probe_id = '1'`,
      [create[5]],
    );
    const rule = [
      '--type',
      'range',
      '--max-temperature',
      '800',
      '--temperature-unit',
      'F',
      '--hold-seconds',
      '0',
    ];
    const fast = [...rule, '--recovery-seconds', '0', '--hysteresis', '5', '--severity', 'critical'];
    const planned = await cli.json(['alert', 'rehearse', ...create.slice(2), ...fast]);
    expect(at(planned, 'firings.0')).to.include({
      side: 'high',
      tier: 'critical',
      value: 900,
      unit: 'F',
      seconds: 600,
    });
    expect(items(at(planned, 'firings'))).to.have.length(1);
    expect(items(at(planned, 'variations'))).to.have.length(6);
    const made = await cli.json([...create, ...fast]);
    const id = String(at(made, 'id'));
    expect(await cli.json(['alert', 'rehearse', id])).to.deep.equal(planned);
    expect(at(await cli.json(['alert', 'rehearse', id, '--days', '1']), 'reading_count')).to.equal(61);
    const { stdout } = await cli.run(['alert', 'rehearse', id]);
    expect(stdout).to.match(/\nfirings\n.*\n.* 10 min +high +critical +900 F\n\nvariations\n/);
    expect(stdout).to.match(/ to 800 °F, █ above 800; .*\n.* 0 h .*\n(.*\n)*.*▁+█+.*10 min\n +!/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).to.be.at.most(80);
    const varied = await cli.json(['alert', 'rehearse', id, '--max-temperature', '950']);
    expect([at(varied, 'reading_count'), at(varied, 'firings')]).to.deep.equal([61, []]);
    const calm = await cli.run(['alert', 'rehearse', id, '--max-temperature', '950']);
    expect(calm.stdout).to.match(/\nfirings +none\n/);
    const kept = await cli.run(['alert', 'show', id]);
    expect(kept.stdout)
      .to.match(/\nmax_temperature +800\n/)
      .and.match(/\nno events yet\n/);
    await cli.json(['alert', 'delete', id]);
    expect((await cli.run(['alert', 'rehearse', id])).code).to.equal(1);
    const missed = await cli.json(['alert', 'rehearse', ...create.slice(2), '--type', 'no_data']);
    expect(items(at(missed, 'variations'))).to.have.length(3);
    expect((await cli.run(['alert', 'rehearse'])).code).to.equal(2);
    for (const option of ['--email', '--device', '--probe', '--type'])
      expect((await cli.run(['alert', 'rehearse', id, option, 'x'])).code, option).to.equal(2);
  });

  it('says that nothing is stored to rehearse on', async () => {
    await cli.dataSource.query('DELETE FROM readings');
    const asked = ['alert', 'rehearse', ...create.slice(2), '--type', 'range', '--max-temperature', '800'];
    const { code, stdout } = await cli.run(asked);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^no readings of probe 1 of \S+ are stored from 20.* to 20.*: nothing .*\n$/);
    await cli.dataSource.query('UPDATE probes SET last_measured_at = NULL');
    const never = await cli.run(asked);
    expect([never.code, never.stdout.startsWith('no readings of probe 1')]).to.deep.equal([0, true]);
    expect(never.stdout).to.not.include('1970');
    const answer = await cli.json(asked);
    expect(answer).to.deep.include({ reading_count: 0, firings: [] });
    expect(String(at(answer, 'from'))).to.match(/^20/);
  });
});
