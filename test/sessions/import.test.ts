import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { UserManager } from '../../src/accounts/user-manager.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { User } from '../../src/entities/user.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { exportText } from '../../src/readings/export.js';
import { stretches } from '../../src/readings/stretches.js';
import { toExported } from '../../src/sessions/import-file.js';
import { importHistory } from '../../src/sessions/import-history.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import { baselineReadings, sessionReadings } from '../../src/sessions/session-readings.js';
import { addHome, addSession, dump, type Home, job, MINUTE, openDatabase } from '../ingest/household.js';
import { takenReadings } from '../ingest/plain-roll-up.js';
import { failureOf } from '../support/failure-of.js';

/** Long ago by any clock. */
const T0 = Date.UTC(2025, 2, 1);

describe('importHistory', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  let folder: string;
  before(async () => {
    opened = await openDatabase();
    db = opened.db;
    folder = mkdtempSync(join(tmpdir(), 'grill-stats-import-'));
  });
  after(async () => {
    await opened.close();
    rmSync(folder, { recursive: true });
  });

  const userOf = ({ userId }: Home) => db.manager.findOneByOrFail(User, { id: userId });
  const minute = (n: number) => new Date(T0 + n * MINUTE);

  async function taken(name: string, text: string, user: User) {
    const path = join(folder, name);
    writeFileSync(path, text);
    return importHistory(db, user, path);
  }

  async function textOf(parts: AsyncIterable<string>): Promise<string> {
    let text = '';
    for await (const part of parts) text += part;
    return text;
  }

  /** As `session export` writes it. */
  async function exported(id: string, format: 'csv' | 'json'): Promise<string> {
    const manager = new SessionManager(db.manager);
    const shown = await manager.get(id);
    const { session, untilMs } = await manager.load(id);
    const names = shown.probes.map(({ member }) => {
      const { deviceId = '', probeId = '' } = member.probe ?? {};
      return [member.probeId, { deviceId, probeId, role: member.role }] as const;
    });
    async function* rows() {
      if (format === 'csv') yield await baselineReadings(db.manager, session);
      yield* sessionReadings(db.manager, session, untilMs);
    }
    return textOf(exportText(rows(), new Map(names), format, toExported(shown)));
  }

  async function figuresOf(id: string) {
    const { session, probes } = await new SessionManager(db.manager).get(id);
    const { readingCount, minTemperature, maxTemperature, avgTemperature, name, temperatureUnit } = session;
    const own = { readingCount, minTemperature, maxTemperature, avgTemperature, name, temperatureUnit };
    return {
      ...own,
      probes: probes.map(({ member, stats }) => [
        member.role,
        stats && { ...stats, sessionId: 0, probeId: 0 },
      ]),
    };
  }

  async function cook(home: Home, given: Partial<GrillingSession> = {}): Promise<string> {
    const row = await addSession(db, home, {
      startTime: minute(0),
      endTime: minute(60),
      status: 'completed',
      phase: 'ended',
      endReason: 'manual',
      name: 'Brisket, "flat"',
      ...given,
    });
    const { publicId } = await db.manager.findOneByOrFail(GrillingSession, { id: row });
    await db.transaction((tx) => new SessionManager(tx).recompute(publicId));
    return publicId;
  }

  /** The owner of the device, anew: nothing is left of what there was. */
  async function purged(home: Home): Promise<User> {
    const users = new UserManager(db.manager);
    const { email } = await userOf(home);
    await users.purge(email);
    await users.create({ email });
    return users.getByEmail(email);
  }

  it('restores a session with the same figures and the same file, and once', async () => {
    const readings = takenReadings(2, { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        readings,
        fc.constantFrom<'F' | 'C'>('F', 'C'),
        fc.option(fc.nat(60)),
        fc.option(fc.nat(60)),
        async (all, temperatureUnit, from, to) => {
          const home = await addHome(db, { probes: [{ role: 'pit' }, {}] });
          const moved = all.map(({ probe, ms, hundredths, unit, flags }) => ({
            probe,
            sample: [ms - Date.UTC(2026, 10, 21, 12) + T0, hundredths / 100, unit, flags] as [
              number,
              number,
              'F',
              number,
            ],
          }));
          const of = (n: number) => moved.filter(({ probe }) => probe === n).map(({ sample }) => sample);
          await createIngest({ dataSource: db })([job(home, of(0), of(1))]);
          const id = await cook(home, { temperatureUnit });
          await db.query('UPDATE session_members SET member_from = $2, member_to = $3 WHERE probe_id = $1', [
            home.probes[1],
            from === null ? null : minute(from),
            to === null ? null : minute(to),
          ]);
          await db.transaction((tx) => new SessionManager(tx).recompute(id));
          const [figures, file] = [await figuresOf(id), await exported(id, 'json')];
          const user = await purged(home);
          const first = await taken('session.json', file, user);
          expect(first).to.include({ sessionId: id, deviceId: home.deviceId, stored: first.readings });
          expect(await exported(id, 'json')).to.equal(file);
          expect(await figuresOf(id)).to.deep.equal(figures);
          const before = await dump(db);
          expect(await taken('session.json', file, user)).to.deep.equal({ ...first, stored: 0 });
          expect(await dump(db)).to.deep.equal(before);
          await new UserManager(db.manager).purge(user.email);
        },
      ),
      { numRuns: 4, seed: 7 },
    );
  });

  /** A pit that is hot from minute 20 to 200, each minute. */
  const fire = (): [number, number, 'C'][] =>
    Array.from({ length: 300 }, (_, n) => [T0 + n * MINUTE, n < 20 || n >= 200 ? 20 : 120, 'C']);

  it('finds in a CSV the session that was exported', async () => {
    const home = await addHome(db, { user: { temperatureUnit: 'C' }, probes: [{ role: 'pit' }] });
    await createIngest({ dataSource: db })([job(home, fire())]);
    const [found] = await new SessionManager(db.manager).list(home.userId);
    const id = found?.publicId ?? '';
    const [figures, csv] = [await figuresOf(id), await exported(id, 'csv')];
    expect(figures.readingCount).to.be.above(150);
    const user = await purged(home);
    await db.manager.save(User, Object.assign(user, { temperatureUnit: 'C' }));
    const outcome = await taken('session.csv', csv, user);
    expect(outcome.stored).to.equal(figures.readingCount + 1);
    const again = await new SessionManager(db.manager).list(user.id);
    expect(again).to.have.length(1);
    expect(await figuresOf(again[0]?.publicId ?? '')).to.deep.equal(figures);
    expect(await exported(again[0]?.publicId ?? '', 'csv')).to.equal(csv);
    const before = await dump(db);
    expect(await taken('session.csv', csv, user)).to.deep.include({ stored: 0, conflicts: 0 });
    expect(await dump(db)).to.deep.equal(before);
  });

  it('adds what is missing to a device that is the user’s, and counts it in the sessions that are there', async () => {
    const home = await addHome(db, { device: { cloudUpdateTime: 'x' }, probes: [{ role: 'food' }] });
    const shown: [number, number][] = [1, 2, 3].map((n) => [T0 + n * MINUTE, 100 + n]);
    await createIngest({ dataSource: db })([job(home, shown)]);
    const id = await cook(home);
    const names = new Map(
      home.probes.map((probe) => [probe, { deviceId: home.deviceId, probeId: '1', role: 'food' as const }]),
    );
    const file = await textOf(
      exportText(stretches(db.manager, home.probes, { fromMs: T0, toMs: T0 + 10 * MINUTE }), names, 'json'),
    );
    await db.query('DELETE FROM readings WHERE probe_id = $1 AND value > 102', [home.probes[0]]);
    await db.query('UPDATE readings SET value = 50 WHERE probe_id = $1 AND value > 101', [home.probes[0]]);
    await db.transaction((tx) => new SessionManager(tx).recompute(id));
    const outcome = await taken('readings.json', file, await userOf(home));
    expect(outcome).to.deep.equal({
      sessionId: null,
      deviceId: home.deviceId,
      readings: 3,
      stored: 1,
      conflicts: 1,
    });
    expect(await figuresOf(id)).to.include({ readingCount: 3, minTemperature: 50, maxTemperature: 103 });
  });

  it('refuses what is not right with the number of its line, and stores nothing', async () => {
    const home = await addHome(db, { device: { cloudUpdateTime: 'x' } });
    const [user, other] = [await userOf(home), await userOf(await addHome(db))];
    const header = 'device_id,probe_id,measured_at,value,unit';
    const row = (of: Partial<Record<'device' | 'probe' | 'at' | 'value', string>> = {}) =>
      `${of.device ?? home.deviceId},${of.probe ?? '1'},${of.at ?? minute(0).toISOString()},${of.value ?? '70'},F`;
    const many = Array.from({ length: 6_000 }, (_, n) => row({ at: new Date(T0 + n * 1_000).toISOString() }));
    const session = {
      id: '0199a1c2-0000-7000-8000-000000000000',
      device_id: home.deviceId,
      name: null,
      session_type: 'manual',
      status: 'completed',
      end_reason: 'manual',
      start_time: minute(0).toISOString(),
      end_time: minute(60).toISOString(),
      temperature_unit: 'F',
      probes: [{ probe_id: '1', role: 'food', member_from: null, member_to: null }],
    };
    const reading = {
      device_id: home.deviceId,
      probe_id: '1',
      measured_at: minute(0),
      value: 70,
      unit: 'F',
      flags: 0,
    };
    const json = (meta: object, ...rows: object[]) =>
      `{"session":${JSON.stringify({ ...session, ...meta })},"readings":[\n${rows.map((one) => JSON.stringify(one)).join(',\n')}\n]}\n`;
    const probe = session.probes[0];
    const wrong: [text: string, why: string][] = [
      ['', 'it is empty'],
      [`${header}\n`, 'it has no reading'],
      ['a,b\n', 'line 1: the header must be'],
      [[header, ...many, row({ value: 'hot' })].join('\n'), 'line 6002: value "hot" is not a number'],
      [
        [header, row({ at: '2025-03-01T00:00:00' })].join('\n'),
        'line 2: measured_at "2025-03-01T00:00:00" is not ISO 8601 with an offset',
      ],
      [
        [header, row({ at: '2100-01-01T00:00:00Z' })].join('\n'),
        'line 2: measured_at 2100-01-01T00:00:00.000Z is in the future',
      ],
      [[header, row(), row({ device: 'M2' })].join('\n'), `line 3: device_id M2 is not ${home.deviceId}`],
      [[header, row({ probe: '7' })].join('\n'), `no probe 7: device ${home.deviceId} has 1`],
      [`${header}\n${'x'.repeat(70_000)}`, 'line 2: it is too long'],
      [json({}, reading).slice(0, -4), 'it is torn: its end is missing'],
      [json({}, { ...reading, probe_id: '2' }), 'line 2: probe_id 2 is not in the session'],
      [json({}, { ...reading, flags: 64 }), 'line 2: flags: '],
      [json({ end_time: minute(-1) }), 'line 1: end_time is before start_time'],
      [json({ end_time: minute(60 * 24 * 40) }), 'line 1: the session has more than 31 days'],
      [json({ start_time: '2025-03-01' }), 'line 1: start_time: '],
      [json({ end_time: '2100-01-01T00:00:00Z' }), 'line 1: the session is in the future'],
      [json({ start_time: '0000-01-01T00:00:00Z', end_time: '0000-01-01T00:00:00Z' }), 'is before 2015'],
      [json({ name: 'a\0b' }), 'line 1: name: has a character that no text has'],
      [
        [header, ...Array.from({ length: 101 }, (_, n) => row({ probe: `${n}` }))].join('\n'),
        'line 102: it has more than 100 probes',
      ],
      [json({ probes: [probe, probe] }), 'line 1: a probe is in the session twice'],
      [JSON.stringify({ session, readings: [reading] }, null, 2), 'line 1: it is not as an export writes it'],
    ];
    const before = await dump(db);
    for (const [text, why] of wrong) expect(String(await failureOf(taken('f', text, user)))).to.contain(why);
    const file = [header, row()].join('\n');
    expect(String(await failureOf(taken('f', file, other)))).to.contain(`${other.email} never had it`);
    const id = await cook(home, { startTime: minute(30), endTime: minute(90) });
    expect(String(await failureOf(taken('f', json({}, reading), user)))).to.contain(
      `in the session ${id} from`,
    );
    await db.query('DELETE FROM grilling_sessions WHERE public_id = $1', [id]);
    expect(await dump(db)).to.deep.equal(before);
    expect(String(await failureOf(importHistory(db, user, join(folder, 'none'))))).to.contain(
      'cannot read it',
    );
  });
});
