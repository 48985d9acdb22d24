import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
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

  it('corrects, splits, exports and takes in', async () => {
    for (const { id } of z.array(z.object({ id: z.string() })).parse(await list('--all')))
      await cli.dataSource.query('DELETE FROM grilling_sessions WHERE public_id = $1', [id]);
    const start = ['session', 'start', '--email', 'a@example.com', '--device', deviceId];
    const id = String(at(await cli.json([...start, '--probe', '1', '--probe', '2']), 'id'));
    const edited = await cli.json(['session', 'edit', id, '--name', 'Brisket']);
    expect([at(edited, 'name'), at(edited, 'log.0.actor'), at(edited, 'log.0.action')]).to.deep.equal([
      'Brisket',
      'operator',
      'edited',
    ]);
    const begun = await cli.json(['session', 'split', id, '--probe', '2']);
    expect([at(begun, 'probes.0.probe_id'), at(begun, 'log.0.after.split_from')]).to.deep.equal(['2', id]);
    for (const one of [id, String(at(begun, 'id'))]) await cli.json(['session', 'end', one]);
    const file = join(cli.dataDir, 'cook.json');
    writeFileSync(file, (await cli.run(['session', 'export', id, '--format', 'json'])).stdout);
    await cli.dataSource.query('DELETE FROM grilling_sessions WHERE public_id = $1', [id]);
    const into = ['session', 'import', '--email', 'a@example.com', '--file', file];
    expect(await cli.json(into)).to.deep.equal({
      id,
      device_id: deviceId,
      readings: 0,
      stored: 0,
      conflicts: 0,
    });
    expect(at(await cli.json(['session', 'show', id]), 'name')).to.equal('Brisket');
    await cli.dataSource.query(`UPDATE grilling_sessions SET status = 'cancelled' WHERE public_id = $1`, [
      id,
    ]);
    expect([items(await list()), items(await list('--all'))].map(({ length }) => length)).to.deep.equal([
      1, 2,
    ]);
    expect(at(await cli.json(['session', 'restore', id]), 'status')).to.equal('completed');
  });

  const list = (...options: string[]) =>
    cli.json(['session', 'list', '--email', 'a@example.com', ...options]);

  it('says in one line what is wrong with an edit', async () => {
    const id = '0199a1c2-0000-7000-8000-000000000000';
    const wrong: [args: string[], code: number, why: string][] = [
      [['edit', id], 1, 'nothing to edit: give --start, --end, --name, --add-probe or --remove-probe'],
      [['edit', id, '--name', 'x'], 1, `no session ${id}: session list shows those there are`],
      [['edit', id, '--end', '2026-11-21T18:00:00'], 2, 'Must be ISO 8601 with an offset'],
      [['split', id], 2, "required option '--probe <p>' not specified"],
      [['import', '--email', 'a@example.com', '--file', '/nowhere'], 1, 'nowhere: cannot read it: ENOENT'],
    ];
    for (const [args, code, why] of wrong) {
      const answer = await cli.run(['session', ...args]);
      expect([answer.code, answer.stdout, answer.stderr.trim().split('\n').length]).to.deep.equal([
        code,
        '',
        1,
      ]);
      expect(answer.stderr).to.contain(why);
    }
  });
});
