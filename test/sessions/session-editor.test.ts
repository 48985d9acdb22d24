import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { lockDevices } from '../../src/ingest/world-store.js';
import { type AskedEdit, SessionEditor } from '../../src/sessions/session-editor.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import {
  addAlert,
  addHome,
  addSession,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from '../ingest/household.js';
import { plainStats, type Taken } from '../ingest/plain-roll-up.js';
import { failureOf } from '../support/failure-of.js';

type Shown = [ms: number, value: number, unit: 'C'];

describe('SessionEditor', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  let ingest: Ingest;
  before(async () => {
    opened = await openDatabase();
    db = opened.db;
    ingest = createIngest({ dataSource: db });
  });
  after(() => opened.close());

  const edit = (id: string, asked: AskedEdit) =>
    db.transaction((tx) => new SessionEditor(tx).edit(id, asked));
  const split = (id: string, probeIds: string[], at?: Date) =>
    db.transaction((tx) => new SessionEditor(tx).split(id, { probeIds, ...(at && { at }) }));
  const restore = (id: string) => db.transaction((tx) => new SessionEditor(tx).restore(id));
  const get = (id: string) => new SessionManager(db.manager).get(id);
  const minute = (n: number): Date => new Date(T0 + n * MINUTE);

  /** A reading of each probe in each minute from 0 to before 180: its minute in °C, and 200 for each probe before. */
  const valueAt = (probe: number, at: number): number => probe * 200 + at;
  const curves = (home: Home, from = 0, to = 180): Shown[][] =>
    home.probes.map((_, probe) =>
      Array.from({ length: to - from }, (_, n) => [T0 + (from + n) * MINUTE, valueAt(probe, from + n), 'C']),
    );

  /** Three hours of readings, in a session from minute 60 to 120 (of an hour's running without an end). */
  async function cook({
    probes = 2,
    end = 120,
    type = 'manual' as GrillingSession['sessionType'],
  }: {
    probes?: number;
    end?: number | null;
    type?: GrillingSession['sessionType'];
  } = {}) {
    const home = await addHome(db, {
      user: { temperatureUnit: 'C' },
      // Of stores no cook is found: there are only those that are made here.
      probes: Array.from({ length: probes }, () => ({ role: 'storage' as const })),
    });
    await ingest([job(home, ...curves(home))]);
    const ended = { status: 'completed', phase: 'ended', endReason: 'cooled' } as const;
    const row = await addSession(db, home, {
      startTime: minute(60),
      sessionType: type,
      temperatureUnit: 'C',
      ...(end !== null && { ...ended, endTime: minute(end) }),
    });
    const { publicId: id } = await db.manager.findOneByOrFail(GrillingSession, { id: row });
    await db.transaction((tx) => new SessionManager(tx).recompute(id));
    return { home, id };
  }

  /** The counts of its probes, lowest and highest, as stored. */
  async function figures(id: string) {
    const { session, probes } = await get(id);
    const { readingCount, minTemperature, maxTemperature } = session;
    return [probes.map(({ stats }) => stats?.readingCount), readingCount, minTemperature, maxTemperature];
  }
  const lastEntry = async (id: string) => (await get(id)).log.at(-1);

  it('moves start and end, computes all figures anew and says who did it', async () => {
    const { id } = await cook({ probes: 1, type: 'auto' });
    expect(await figures(id)).to.deep.equal([[61], 61, 60, 120]);
    await edit(id, { start: minute(30), end: minute(150), name: 'Brisket' });
    expect(await figures(id)).to.deep.equal([[121], 121, 30, 150]);
    const { session, log } = await get(id);
    expect(session).to.deep.include({
      name: 'Brisket',
      sessionType: 'auto',
      status: 'completed',
      startTime: minute(30),
      endTime: minute(150),
    });
    expect(session.editedAt).to.be.instanceOf(Date);
    expect(log).to.have.length(1);
    expect(log[0]).to.include({ actor: 'operator', action: 'edited' });
    expect(log[0]?.before).to.deep.include({ name: null, start_time: minute(60).toISOString() });
    expect(log[0]?.after).to.deep.include({ name: 'Brisket', end_time: minute(150).toISOString() });
    await edit(id, { start: minute(30), name: 'Brisket' });
    expect((await get(id)).log, 'nothing changed').to.have.length(1);
  });

  it('keeps the bounds of an automatic session where they were put, whatever is computed anew', async () => {
    const { home, id } = await cook({ probes: 1, type: 'auto' });
    await db.query('DELETE FROM readings WHERE probe_id = $1 AND measured_at < $2', [
      home.probes[0],
      minute(50),
    ]);
    await edit(id, { start: new Date(T0 + 50.5 * MINUTE) });
    await db.transaction((tx) => new SessionManager(tx).recompute(id));
    expect((await get(id)).session.startTime).to.deep.equal(new Date(T0 + 50.5 * MINUTE));
    expect(await figures(id)).to.deep.equal([[70], 70, 51, 120]);
  });

  it('ends one that runs, and counts what comes then no more', async () => {
    const { home, id } = await cook({ probes: 1, end: null });
    await edit(id, { end: minute(100) });
    expect((await get(id)).session).to.include({
      status: 'completed',
      endReason: 'manual',
      name: 'Cook, midday 21 Nov',
    });
    await ingest([job(home, ...curves(home, 180, 200))]);
    expect(await figures(id)).to.deep.equal([[41], 41, 60, 100]);
  });

  it('takes a probe in and out, for all of the session or from a time on, and tells which come in', async () => {
    const { home, id } = await cook({ probes: 3, end: null });
    await edit(id, { removeProbe: ['2'], start: minute(0) });
    expect(await figures(id)).to.deep.equal([[180, 180], 360, 0, 579]);
    await edit(id, { removeProbe: ['3'], at: minute(90) });
    const { joined } = await edit(id, { addProbe: ['2'], at: minute(170) });
    expect(joined).to.deep.equal([home.probes[1]]);
    expect(await figures(id)).to.deep.equal([[180, 10, 90], 280, 0, 489]);
    await ingest([job(home, ...curves(home, 180, 190))]);
    expect(await figures(id), 'the one that left stays out').to.deep.equal([[190, 20, 90], 300, 0, 489]);
    await edit(id, { addProbe: ['3'] });
    expect(await figures(id)).to.deep.equal([[190, 20, 190], 400, 0, 589]);
  });

  it('lets no probe that was taken out join again by itself', async () => {
    const home = await addHome(db, { probes: [{ label: 'Pit' }, {}] });
    const heat = (ms: number, minutes: number, cold: number): Shown[] =>
      Array.from({ length: minutes }, (_, n) => [ms + n * MINUTE, n < cold ? 20 : 120, 'C']);
    await ingest([job(home, heat(T0, 40, 5), heat(T0, 40, 20))]);
    const [session] = await new SessionManager(db.manager).list(home.userId);
    const id = session?.publicId ?? '';
    expect((await get(id)).probes).to.have.length(2);
    await edit(id, { removeProbe: ['2'] });
    await ingest([job(home, heat(T0 + 40 * MINUTE, 10, 0), heat(T0 + 40 * MINUTE, 10, 0))]);
    expect((await get(id)).probes.map(({ member }) => member.probeId)).to.deep.equal([home.probes[0]]);
    expect((await get(id)).session).to.include({ sessionType: 'auto', status: 'active' });
  });

  it('lets no cook that is found later begin before an end that was put later', async () => {
    const home = await addHome(db, { probes: [{ role: 'pit' }] });
    const shown = (from: number, to: number): Shown[] =>
      Array.from({ length: to - from }, (_, n) => [T0 + (from + n) * MINUTE, from + n < 40 ? 20 : 120, 'C']);
    await ingest([job(home, shown(0, 44))]);
    const over = { status: 'completed', phase: 'ended', endReason: 'manual' } as const;
    const row = await addSession(db, home, { ...over, startTime: minute(0), endTime: minute(30) });
    const { publicId } = await db.manager.findOneByOrFail(GrillingSession, { id: row });
    await edit(publicId, { end: minute(43) });
    await ingest([job(home, shown(44, 60))]);
    const [found] = await new SessionManager(db.manager).list(home.userId);
    expect(found).to.deep.include({ sessionType: 'auto', status: 'active', startTime: minute(44) });
  });

  it('splits by probe: both keep their readings, each counts once', async () => {
    const { home, id } = await cook({ type: 'auto' });
    await db.query(
      `INSERT INTO session_tags (session_id, probe_id, tag, tag_from, tag_to)
       SELECT id, unnest($2::integer[]), 'lid_open', $3, $3 FROM grilling_sessions WHERE public_id = $1`,
      [id, home.probes, minute(80)],
    );
    const { publicId, joined } = await split(id, ['2']);
    expect(joined, 'it has ended').to.deep.equal([]);
    expect(await figures(id)).to.deep.equal([[61], 61, 60, 120]);
    expect(await figures(publicId)).to.deep.equal([[61], 61, 260, 320]);
    const [left, begun] = [await get(id), await get(publicId)];
    expect(begun.session).to.deep.include({ sessionType: 'auto', status: 'completed', endReason: 'cooled' });
    expect([left.tags, begun.tags].map((tags) => tags.map(({ probeId }) => probeId))).to.deep.equal([
      [home.probes[0]],
      [home.probes[1]],
    ]);
    expect(begun.log[0]).to.deep.include({ action: 'split', before: null });
    expect(begun.log[0]?.after).to.include({ split_from: id });
  });

  it('hands a probe over at a time; both sessions run on, and the new one’s alerts are armed', async () => {
    const { home, id } = await cook({ end: null, type: 'auto' });
    const { publicId, joined } = await split(id, ['2'], minute(100));
    expect(joined).to.deep.equal([home.probes[1]]);
    const hot = { type: 'range', maxTemperature: 0, temperatureUnit: 'C', holdSeconds: 0 };
    await addAlert(db, home, { ...hot, probeId: '2' });
    await ingest([job(home, ...curves(home, 180, 200))]);
    const [event] = await db.query<{ public_id: string }[]>(
      `SELECT s.public_id FROM alert_events e JOIN grilling_sessions s ON s.id = e.session_id WHERE s.device_id = $1`,
      [home.deviceId],
    );
    expect(event?.public_id, 'what happens to it is of the new one').to.equal(publicId);
    expect(await figures(id)).to.deep.equal([[140, 40], 180, 60, 299]);
    expect(await figures(publicId)).to.deep.equal([[100], 100, 300, 399]);
    const { session } = await get(publicId);
    expect(session).to.deep.include({ sessionType: 'manual', status: 'active', startTime: minute(100) });
    expect(await failureOf(edit(publicId, { start: minute(99) }))).to.have.property(
      'message',
      `probe 2 is in the session ${id} from ${minute(60).toISOString()} to ${new Date(+minute(100) - 1).toISOString()}: ` +
        'a probe belongs to one session at a time',
    );
    await edit(id, { end: minute(195) });
    await ingest([job(home, ...curves(home, 200, 210))]);
    expect(await figures(publicId), 'one goes on when the other ends').to.deep.equal([[110], 110, 300, 409]);
  });

  it('cuts a session in two at a time when all probes go', async () => {
    const { id } = await cook({ end: null, type: 'auto' });
    const { publicId } = await split(id, ['1', '2'], minute(100));
    expect(await figures(id)).to.deep.equal([[40, 40], 80, 60, 299]);
    expect(await figures(publicId)).to.deep.equal([[80, 80], 160, 100, 379]);
    expect((await get(id)).session).to.include({ status: 'completed', endReason: 'manual' });
    expect((await get(publicId)).session).to.include({ status: 'active', sessionType: 'auto' });
  });

  it('leaves no probe behind that came only after the time it is split at', async () => {
    const { id } = await cook({ probes: 3 });
    await edit(id, { addProbe: ['2'], at: minute(100) });
    await edit(id, { addProbe: ['3'], at: minute(100) });
    const { publicId } = await split(id, ['2'], minute(80));
    const probesOf = async (of: string) => (await get(of)).probes.map(({ member }) => member.probe?.probeId);
    expect(await probesOf(id)).to.deep.equal(['1', '3']);
    expect(await figures(publicId)).to.deep.equal([[21], 21, 300, 320]);
    const { publicId: rest } = await split(id, ['1', '3'], minute(90));
    expect(await probesOf(id)).to.deep.equal(['1']);
    expect(await probesOf(rest)).to.deep.equal(['1', '3']);
    await edit(id, { addProbe: ['1'], at: minute(70) });
    expect(await failureOf(split(id, ['1'], minute(65)))).to.be.instanceOf(InputError);
  });

  it('shows a cancelled session again, for seven days', async () => {
    const { home, id } = await cook({ type: 'auto' });
    expect(await failureOf(restore(id))).to.be.instanceOf(InputError);
    const cancel = (age: string) =>
      db.query(
        `UPDATE grilling_sessions SET status = 'cancelled', reading_count = 0, updated_at = now() - $2::interval WHERE public_id = $1`,
        [id, age],
      );
    await cancel('8 days');
    expect(String(await failureOf(restore(id)))).to.contain('cancelled more than 7 days ago');
    await cancel('6 days');
    expect(String(await failureOf(edit(id, { name: 'x' })))).to.contain('session restore');
    await restore(id);
    expect((await new SessionManager(db.manager).list(home.userId)).map((one) => one.publicId)).to.deep.equal(
      [id],
    );
    expect(await figures(id)).to.deep.equal([[61, 61], 122, 60, 320]);
    expect(await lastEntry(id)).to.include({ action: 'restored' });
  });

  it('refuses what cannot be, names the option, and changes nothing', async () => {
    const { home, id } = await cook();
    const other = await addHome(db, { probes: [{ probeId: '7' }] });
    await db.query(
      `INSERT INTO probes (user_id, device_id, probe_id, kind) VALUES ($1, $2, '9', 'humidity')`,
      [home.userId, home.deviceId],
    );
    const later = await addSession(
      db,
      { ...home, probes: home.probes.slice(1) },
      {
        startTime: minute(140),
        status: 'completed',
        phase: 'ended',
        endTime: minute(160),
      },
    );
    const { publicId: laterId } = await db.manager.findOneByOrFail(GrillingSession, { id: later });
    const future = new Date(Date.UTC(2100, 0));
    const wrong: [AskedEdit, RegExp][] = [
      [{ end: minute(60) }, /^--end .* must be after the session's start/],
      [{ start: minute(120) }, /^--start .* must be before the session's end/],
      [{ start: minute(90), end: minute(80) }, /^--end .* must be after/],
      [{ end: future }, /^--end 2100.* is too late: it is .* by the cloud's clock/],
      [{ start: future }, /^--start 2100.* is too late/],
      [
        { start: minute(-1) },
        /^--start .* is too early: the first reading of its probes is of 2026-11-21T12:00:00.000Z/,
      ],
      [{ end: minute(140) }, new RegExp(`^probe 2 is in the session ${laterId} from`)],
      [{ addProbe: ['7'] }, /^--add-probe: no probe 7: device .* has 1, 2, 9/],
      [{ addProbe: ['9'] }, /^--add-probe 9 measures humidity/],
      [{ removeProbe: ['9'] }, /^--remove-probe 9 measures humidity/],
      [{ removeProbe: ['1', '2'] }, /^--remove-probe: nothing would be left/],
      [{ removeProbe: ['1'], at: minute(60) }, /^--at .* is not in the session: it is from/],
      [{ removeProbe: ['1'], at: minute(121) }, /^--at /],
      [{ at: minute(70) }, /^--at says when/],
      [{ name: 'x'.repeat(101) }, /^--name/],
    ];
    const before = [await get(id), await get(laterId)];
    for (const [asked, why] of wrong)
      expect(await failureOf(edit(id, asked)), JSON.stringify(asked))
        .to.have.property('message')
        .that.match(why);
    const splits: [string[], Date | undefined, RegExp][] = [
      [['1', '2'], undefined, /^--probe: none would stay behind/],
      [['7'], undefined, /^--probe: no probe 7/],
      [['1'], minute(150), /^--at /],
    ];
    for (const [probes, at, why] of splits)
      expect(await failureOf(split(id, probes, at)))
        .to.have.property('message')
        .that.match(why);
    expect(await failureOf(edit(laterId, { addProbe: ['1'], start: minute(110) }))).to.be.instanceOf(
      InputError,
    );
    expect([await get(id), await get(laterId)]).to.deep.equal(before);
    expect(other.probes).to.have.length(1);
    expect(await failureOf(edit('0199a1c2-0000-7000-8000-000000000000', { name: 'x' }))).to.be.instanceOf(
      NotFoundError,
    );
  });

  it('corrects the history of a device that is gone, up to its last reading', async () => {
    const { home, id } = await cook({ probes: 1 });
    const next = await addHome(db);
    await db.query('UPDATE devices SET user_id = $2 WHERE device_id = $1', [home.deviceId, next.userId]);
    expect(String(await failureOf(edit(id, { end: minute(180) })))).to.contain(
      `device ${home.deviceId} has gone since, with its last reading at ${minute(179).toISOString()}`,
    );
    await edit(id, { start: minute(40), end: minute(179) });
    expect(await figures(id)).to.deep.equal([[140], 140, 40, 179]);
    await db.query('UPDATE devices SET user_id = $2, deleted_at = now() WHERE device_id = $1', [
      home.deviceId,
      home.userId,
    ]);
    await edit(id, { start: minute(50) });
    expect(await figures(id)).to.deep.equal([[130], 130, 50, 179]);
  });

  /** Of these probes in this stretch, by the definition. */
  async function plain(id: string) {
    const { session, probes } = await get(id);
    return Promise.all(
      probes.map(async ({ member }) => {
        const rows = await db.query<{ ms: number; value: number }[]>(
          `SELECT date_part('epoch', measured_at) * 1000 AS ms, value FROM readings WHERE probe_id = $1`,
          [member.probeId],
        );
        const taken = rows.map(({ ms, value }): Taken => {
          return { probe: 0, ms, hundredths: Math.round(value * 100), unit: 'C', flags: 0 };
        });
        const fromMs = Math.max(+session.startTime, +(member.memberFrom ?? 0));
        const toMs = Math.min(+(session.endTime ?? Infinity), +(member.memberTo ?? Infinity));
        return plainStats(taken, { unit: 'C', fromMs, toMs });
      }),
    );
  }

  async function expectExact(id: string): Promise<void> {
    const { session, probes } = await get(id);
    const wanted = await plain(id);
    expect(
      probes.map(
        ({ stats }) =>
          stats && [
            stats.readingCount,
            Number(stats.temperatureSumHundredths),
            +stats.minAt,
            stats.maxTemperature,
          ],
      ),
    ).to.deep.equal(wanted.map((one) => one && [one.count, one.sumHundredths, one.minAtMs, one.max]));
    expect(session.readingCount).to.equal(wanted.reduce((sum, one) => sum + (one?.count ?? 0), 0));
  }

  it('is exact though readings come at the bounds while it edits', async () => {
    const { home, id } = await cook({ end: null });
    const release = await hold(home);
    const bounds = [70, 95, 100, 130, 178];
    const work = bounds.flatMap((at, index) => [
      ingest([job(home, [[T0 + (at + 0.5) * MINUTE, 1, 'C']], [[T0 + at * MINUTE + 1, 2, 'C']])]),
      edit(id, index % 2 === 0 ? { start: minute(at) } : { removeProbe: ['2'], at: minute(179 - index) }),
    ]);
    await release();
    const outcomes = await Promise.allSettled(work);
    expect(
      outcomes.filter((one) => one.status === 'rejected' && !(one.reason instanceof InputError)),
    ).to.deep.equal([]);
    await expectExact(id);
  });

  /** Everybody waits until it is released, and then goes all at once. */
  async function hold({ device }: Home): Promise<() => Promise<void>> {
    const runner = (await opened.connect()).createQueryRunner();
    await runner.startTransaction();
    await lockDevices(runner.manager, [device]);
    return async () => {
      await runner.commitTransaction();
      await runner.release();
    };
  }

  it('leaves what a plain computation gives, after any edits, splits, late readings and repeats', async () => {
    const at = fc.integer({ min: 0, max: 360 }).map((half) => T0 + half * 30_000);
    const probe = fc.constantFrom('1', '2');
    const steps = fc.array(
      fc.oneof(
        fc.record({ start: at }),
        fc.record({ end: at }),
        fc.record({ addProbe: fc.tuple(probe) }),
        fc.record({ addProbe: fc.tuple(probe), at }),
        fc.record({ removeProbe: fc.tuple(probe), at }),
        fc.record({ removeProbe: fc.tuple(probe) }),
        fc.record({ split: probe, at }),
        fc.record({ late: fc.array(at, { minLength: 1, maxLength: 5 }) }),
      ),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), steps, async (runs, changes) => {
        const { home, id } = await cook({ end: runs ? null : 120, type: runs ? 'manual' : 'auto' });
        for (const change of changes) {
          const known = (await new SessionManager(db.manager).list(home.userId)).map((one) => one.publicId);
          if ('late' in change) {
            const shown = change.late.map((ms): Shown => [ms, 33.33, 'C']);
            for (let times = 0; times < 2; times++) await ingest([job(home, shown, shown)]);
          } else {
            const of = known[changes.indexOf(change) % known.length] ?? id;
            const { start, end, ...more }: Record<string, unknown> = change;
            const failure = await failureOf(
              'split' in change
                ? split(of, [change.split], new Date(change.at))
                : edit(of, {
                    ...more,
                    ...(typeof start === 'number' && { start: new Date(start) }),
                    ...(typeof end === 'number' && { end: new Date(end) }),
                    ...('at' in change && { at: new Date(change.at) }),
                  }),
            ).catch(() => undefined);
            if (failure) expect(failure).to.be.instanceOf(InputError);
          }
          for (const one of known) await expectExact(one);
        }
      }),
      { numRuns: 6, seed: 5, endOnFailure: true },
    );
  });
});
