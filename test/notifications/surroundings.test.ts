import { expect } from 'chai';
import { v4, v7 } from 'uuid';
import { createSurroundingsReader } from '../../src/notifications/surroundings.js';
import { FLAG } from '../../src/readings/sample.js';
import { addAlert, addChannel, addNotification, FIRED_AT, startWorld, type World } from './world.js';

describe('what is stored around an event', () => {
  let world: World;
  let id: string;

  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  beforeEach(async () => {
    await world.dataSource.query('DELETE FROM readings');
    await world.dataSource.query('DELETE FROM notification_channels');
    await world.dataSource.query('UPDATE devices SET transmit_interval_seconds = NULL');
    const channel = await addChannel(world, 'webhook', 'http://127.0.0.1:9/in');
    id = await addNotification(world, channel.id);
  });

  /** Readings of the alert's probe, each [minutes before the event (below 0: after it), value]. */
  const stored = (rows: [minutes: number, value: number][], { unit = 'F', flags = 0 } = {}) =>
    world.dataSource.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
       SELECT p.id, $2::timestamptz - (r->>0)::float8 * interval '1 minute', (r->>1)::real, $3, $4
       FROM probes p, jsonb_array_elements($1) AS r WHERE p.probe_id = '1'`,
      [JSON.stringify(rows), FIRED_AT, unit, flags],
    );
  const every = (
    minutes: number,
    count: number,
    value: (minutesBefore: number) => number,
  ): [number, number][] =>
    Array.from({ length: count }, (_, index) => [index * minutes, value(index * minutes)]);
  const read = async () => (await createSurroundingsReader(world.dataSource.manager)([id])).get(id);

  it('is a trend: rising, falling or steady, in an hour', async () => {
    await stored(every(1, 16, (before) => 203 - before / 2));
    expect(await read()).to.deep.equal({
      firedAt: null,
      gateway: null,
      trend: { direction: 'rising', perHour: 30, unit: 'F' },
    });
    await world.dataSource.query('DELETE FROM readings');
    await stored(every(1, 16, (before) => 203 + before * 0.05));
    expect((await read())?.trend).to.deep.equal({ direction: 'falling', perHour: -3, unit: 'F' });
    await world.dataSource.query('DELETE FROM readings');
    await stored(every(1, 16, (before) => 203 - before * 0.029));
    expect((await read())?.trend).to.deep.equal({ direction: 'steady', perHour: 1.7, unit: 'F' });
  });

  it('counts neither what came before or after, nor another unit, nor what is not believed', async () => {
    await stored(every(5, 3, () => 203));
    await stored([
      [15, 0],
      [16, 0],
      [-1, 900],
    ]);
    await stored([[1, 95]], { unit: 'C' });
    for (const flags of [FLAG.suspect, FLAG.stuck, FLAG.skewed, FLAG.late, FLAG.backfilled])
      await stored([[1.5 + flags / 4, 900]], { flags });
    expect((await read())?.trend).to.deep.equal({ direction: 'steady', perHour: 0, unit: 'F' });
  });

  it('is none of two readings, or of less than five minutes', async () => {
    await stored(every(6, 2, () => 203));
    expect((await read())?.trend).to.equal(null);
    await world.dataSource.query('DELETE FROM readings');
    await stored(every(1, 5, () => 203));
    expect((await read())?.trend).to.equal(null);
    await stored([[5, 203]]);
    expect((await read())?.trend).to.include({ direction: 'steady' });
  });

  it('looks back three intervals of a slow device', async () => {
    await stored(every(100, 4, (before) => 203 - before / 10));
    expect((await read())?.trend).to.equal(null);
    await world.dataSource.query('UPDATE devices SET transmit_interval_seconds = 7200');
    expect((await read())?.trend).to.deep.equal({ direction: 'rising', perHour: 6, unit: 'F' });
  });

  it('knows when what is told again has fired', async () => {
    const alert = await addAlert(world);
    const channel = await addChannel(world, 'webhook', 'http://127.0.0.1:9/again');
    const first = await addNotification(world, channel.id, { alert });
    id = await addNotification(world, channel.id, { alert });
    await world.dataSource.query(
      `UPDATE alert_events e SET kind = CASE n.id WHEN $1 THEN 'repeated' ELSE 'fired' END,
         measured_at = CASE n.id WHEN $1 THEN e.measured_at ELSE e.measured_at - interval '2 hours' END
       FROM notifications n WHERE n.alert_event_id = e.id AND n.id = ANY($2::uuid[])`,
      [id, [first, id]],
    );
    expect((await read())?.firedAt).to.deep.equal(new Date(FIRED_AT.getTime() - 7_200_000));
  });

  it('is nothing where a notification is about no event', async () => {
    id = v4();
    await world.dataSource.query(
      `INSERT INTO notifications (id, subject, subject_id, channel_id, expires_at)
       SELECT $1, 'channel.test', $2, id, now() + interval '1 day' FROM notification_channels LIMIT 1`,
      [id, v7()],
    );
    expect(await read()).to.equal(undefined);
  });
});
