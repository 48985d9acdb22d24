import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { SCENARIOS } from '../../scripts/scenarios/library.js';
import type { Scenario } from '../../scripts/scenarios/scenario.js';
import { replayed, rowsOf } from '../../scripts/scenarios/variants.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import type { JobSample } from '../../src/queues/jobs.js';
import type { TraceRow } from '../../src/replay/trace.js';
import { SessionEditor } from '../../src/sessions/session-editor.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import { addHome, type Home, job, MINUTE, openDatabase } from '../ingest/household.js';

/** What a person does in a cook, which no trace can hold. */
describe('a cook that is taken in hand', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;
  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  after(() => close());

  const ownOf = (name: string) => {
    const scenario = SCENARIOS.find((one) => one.name === name);
    if (!scenario) throw new Error(`there is no ${name}`);
    const fromMs = Date.parse(scenario.begins);
    return { scenario, rows: rowsOf(scenario, '5 min'), at: (minute: number) => fromMs + minute * MINUTE };
  };
  const homeOf = ({ probes, unit }: Scenario) =>
    addHome(db, {
      user: { temperatureUnit: unit(0) },
      probes: Object.values(probes).map(({ role = null }) => ({ role })),
    });
  const take = (home: Home, rows: readonly TraceRow[]) => {
    const samples = home.probes.map((_, index) =>
      rows
        .filter(({ probeId }) => probeId === `${index + 1}`)
        .map(({ measuredAtMs, hundredths, unit }): JobSample => {
          return [measuredAtMs, hundredths === null ? 'absent' : hundredths / 100, unit ?? 'F', 0];
        }),
    );
    return ingest([job(home, ...samples)]);
  };
  const listed = ({ userId }: Home) => new SessionManager(db.manager).list(userId);

  async function shown(id: string) {
    const { session, probes } = await new SessionManager(db.manager).get(id);
    const figures = probes.map(({ stats }) => [
      stats?.readingCount ?? 0,
      stats?.minTemperature ?? null,
      stats?.maxTemperature ?? null,
    ]);
    return { session, figures };
  }

  const computed = (rows: readonly TraceRow[], probeId: string, fromMs: number, toMs: number) => {
    const values = rows
      .filter((row) => row.probeId === probeId && row.measuredAtMs >= fromMs && row.measuredAtMs <= toMs)
      .flatMap(({ hundredths }) => (hundredths === null ? [] : [hundredths / 100]));
    return values.length > 0 ? [values.length, Math.min(...values), Math.max(...values)] : [0, null, null];
  };

  it('is cold smoke when somebody says so, from then until it is ended', async () => {
    const { scenario, rows, at } = ownOf('cold-smoke');
    const home = await homeOf(scenario);
    const setCloudClock = (ms: number) =>
      db.query(
        `INSERT INTO thermoworks_credentials
           (public_id, user_id, provider, thermoworks_uid, refresh_token, cloud_read_at, last_polled_at)
         VALUES ($1, $2, 'thermoworks', 'uid', 'sealed', $3, now())
         ON CONFLICT (user_id) DO UPDATE SET cloud_read_at = excluded.cloud_read_at, last_polled_at = now()`,
        [uuidv7(), home.userId, new Date(ms)],
      );
    await take(
      home,
      rows.filter(({ measuredAtMs }) => measuredAtMs < at(60)),
    );
    expect(await listed(home)).to.deep.equal([]);
    await setCloudClock(at(56));
    const { publicId } = await db.transaction((tx) =>
      new SessionManager(tx).start(home.userId, { deviceId: home.deviceId, name: 'Bacon' }),
    );
    await take(
      home,
      rows.filter(({ measuredAtMs }) => measuredAtMs >= at(60) && measuredAtMs < at(545)),
    );
    await setCloudClock(at(541));
    await db.transaction((tx) => new SessionManager(tx).end(publicId));
    await take(
      home,
      rows.filter(({ measuredAtMs }) => measuredAtMs >= at(545)),
    );
    const { session, figures } = await shown(publicId);
    expect(session).to.include({ name: 'Bacon', sessionType: 'manual', status: 'completed' });
    expect(session.endReason).to.equal('manual');
    expect(figures).to.deep.equal(['1', '2'].map((id) => computed(rows, id, at(56), at(544))));
    expect(await listed(home)).to.have.length(1);
  });

  it('goes to a second cook with its pit, and each has the readings of their own time', async () => {
    const { scenario, rows, at } = ownOf('hand-over');
    const home = await homeOf(scenario);
    await take(home, rows);
    const [whole] = replayed(scenario, rows).sessions;
    const [session, ...more] = await listed(home);
    expect(more).to.deep.equal([]);
    expect([session?.startTime, session?.endTime]).to.deep.equal([whole?.start_time, whole?.end_time]);
    const id = session?.publicId ?? '';
    const { publicId } = await db.transaction((tx) =>
      new SessionEditor(tx).split(id, { probeIds: ['1', '3'], at: new Date(at(330)) }),
    );
    const [startMs, endMs] = [whole?.start_time.getTime() ?? 0, whole?.end_time?.getTime() ?? 0];
    expect((await shown(id)).figures).to.deep.equal([
      computed(rows, '1', startMs, at(330) - 1),
      computed(rows, '2', startMs, endMs),
      [0, null, null],
    ]);
    const hers = await shown(publicId);
    expect(hers.figures).to.deep.equal(['1', '3'].map((probe) => computed(rows, probe, at(330), endMs)));
    expect([hers.session.startTime.getTime(), hers.session.endTime?.getTime()]).to.deep.equal([
      at(330),
      endMs,
    ]);
  });
});
