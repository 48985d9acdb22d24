import { expect } from 'chai';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from './kitchen.js';

describe('poll: what comes of it', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: number;
  let serials: string[];

  before(async () => {
    home = await openHome();
  });
  beforeEach(async () => {
    kitchen = await openKitchen(home, { accounts: 2, devices: 4 });
    ({ account } = await kitchen.link());
    serials = (await kitchen.cloud.devices()).map(({ id }) => id);
  });
  afterEach(() => kitchen.close());
  after(() => home.close());

  const sql = (text: string, values: unknown[] = []) => kitchen.dataSource.query(text, values);
  const deviceRow = async (serial: string) =>
    (
      await sql('SELECT id, user_id, is_active, status, missed_polls FROM devices WHERE device_id = $1', [
        serial,
      ])
    )[0];
  const probeRow = async (serial: string, probe = '1') =>
    (
      await sql(
        'SELECT state, last_value, unknown_unit, label, kind FROM probes WHERE device_id = $1 AND probe_id = $2',
        [serial, probe],
      )
    )[0];
  const expectExact = async () => {
    expect(await storedRows(kitchen.dataSource)).to.deep.equal(kitchen.served());
  };
  const good = async () => {
    const { error, counts } = await kitchen.poll(account);
    expect(error).to.equal(undefined);
    return counts;
  };

  it('stores row by row what the cloud showed, over half an hour of polls', async () => {
    for (let minute = 0; minute < 30; minute += 2) {
      await good();
      kitchen.pass(120);
    }
    await expectExact();
    expect(kitchen.served().length).to.be.greaterThan(250);
    const behind = await sql(
      `SELECT DISTINCT m.model AS device, g.model AS gateway FROM devices m
       JOIN devices g ON g.iot_device_id = m.gateway_id AND g.user_id = m.user_id`,
    );
    expect(behind).to.deep.equal([{ device: 'rfx meat', gateway: 'rfx gateway' }]);
  });

  it('loses nothing when it dies between its rows and its job, and blames nobody', async () => {
    kitchen.queue.fate = 'broken';
    const { error } = await kitchen.poll(account);
    expect(String(error)).to.include('no queue');
    expect(await kitchen.accountRow(account)).to.include({ status: 'active', failed_polls: 0 });
    expect((await kitchen.accountRow(account)).next_in).to.be.within(0, 5);
    kitchen.queue.fate = 'ingested';
    await good();
    await expectExact();
  });

  it('refreshes once and asks once more when the cloud refuses the token half-way', async () => {
    await kitchen.fault({ route: 'batchGet', status: 401, times: 1 });
    expect(await good()).to.deep.equal({ devices: 1, channels: 2, refresh: 1 });
    await expectExact();
  });

  it('is a failed poll when the cloud refuses the new token too', async () => {
    await kitchen.fault({ route: 'batchGet', status: 401 });
    const { counts } = await kitchen.poll(account);
    expect(counts).to.deep.equal({ devices: 1, channels: 2, refresh: 1 });
    expect(await kitchen.accountRow(account)).to.include({ status: 'degraded', failed_polls: 1 });
  });

  it('finds a device that is new', async () => {
    const [serial = ''] = serials;
    await kitchen.fault({ device: serial, set: 'removed' });
    await good();
    expect(await deviceRow(serial)).to.equal(undefined);
    await kitchen.fault({ device: serial, set: 'ok' });
    kitchen.pass(30);
    expect(await good()).to.include({ channels: 1 });
    expect(await deviceRow(serial)).to.include({ is_active: true, status: 'online' });
    await expectExact();
  });

  it('puts a device to rest that was gone three polls in a row, and wakes it with its history', async () => {
    const [serial = ''] = serials;
    await good();
    const { id } = await deviceRow(serial);
    await kitchen.fault({ device: serial, set: 'removed' });
    for (const missed of [1, 2]) {
      await good();
      expect(await deviceRow(serial)).to.include({ is_active: true, missed_polls: missed });
    }
    await good();
    expect(await deviceRow(serial)).to.include({ is_active: false, status: 'offline' });
    await kitchen.fault({ device: serial, set: 'ok' });
    kitchen.pass(30);
    await good();
    expect(await deviceRow(serial)).to.include({ id, is_active: true, missed_polls: 0, status: 'online' });
    await expectExact();
  });

  it('takes an empty list for no error, reads the user again, and rests the devices after three', async () => {
    const [serial = ''] = serials;
    await good();
    await kitchen.fault({ route: 'query', json: [{ readTime: '2026-11-20T10:00:00Z' }] });
    expect(await good()).to.deep.equal({ devices: 1 });
    expect(await kitchen.accountRow(account)).to.include({ status: 'active', failed_polls: 0 });
    expect(await good()).to.deep.equal({ user: 1, devices: 1 });
    expect(await deviceRow(serial)).to.include({ is_active: true });
    expect(await good()).to.deep.equal({ devices: 1 });
    expect(await deviceRow(serial)).to.include({ is_active: false });
    expect(await good()).to.deep.equal({ user: 1, devices: 1 });
    expect(await good()).to.deep.equal({ devices: 1 });
    await kitchen.noFaults();
    await good();
    expect(await deviceRow(serial)).to.include({ is_active: true });
  });

  it('leaves a device with the account that had it first, says so once, and moves it after the unlinking', async () => {
    const [serial = ''] = serials;
    await good();
    const { user_id: first } = await deviceRow(serial);
    const other = await kitchen.link(0, 'other@here.test');
    const told = () => kitchen.report.entries.filter(({ deviceId }) => deviceId === serial);
    for (const _ of [1, 2, 3]) await kitchen.poll(other.account);
    expect(told().map(({ reason, level }) => [reason, level])).to.deep.equal([['device_in_use', 'warn']]);
    expect(await storedRows(kitchen.dataSource, other.user)).to.deep.equal([]);
    expect((await deviceRow(serial)).user_id).to.equal(first);

    const before = await storedRows(kitchen.dataSource, first);
    await sql("UPDATE devices SET nickname = 'mine'");
    await sql('DELETE FROM thermoworks_credentials WHERE id = $1', [account]);
    kitchen.pass(30);
    expect((await kitchen.poll(other.account)).error).to.equal(undefined);
    expect((await deviceRow(serial)).user_id).to.equal(other.user);
    expect(await sql('SELECT nickname FROM devices WHERE nickname IS NOT NULL')).to.deep.equal([]);
    expect(await storedRows(kitchen.dataSource, first)).to.deep.equal(before);
    const now = await storedRows(kitchen.dataSource, other.user);
    expect(now.filter((row) => !kitchen.served().includes(row))).to.deep.equal([]);
    expect(now.length).to.be.greaterThan(20);
  });

  it('gives a device to one account where two show it for the first time at the same moment', async () => {
    const other = await kitchen.link(0, 'other@here.test');
    await kitchen.fault({ route: 'batchGet', delay_ms: 150 });
    await Promise.all([kitchen.poller.pollNow(account), kitchen.poller.pollNow(other.account)]);
    const owners = await sql('SELECT DISTINCT user_id FROM devices');
    expect(owners).to.have.lengthOf(1);
    expect(await sql('SELECT DISTINCT user_id FROM probes')).to.deep.equal(owners);
    expect(kitchen.report.entries.map(({ deviceId }) => deviceId)).to.have.members(serials);
    await expectExact();
  });

  it('moves a device that the first account has not shown for three polls', async () => {
    const [serial = ''] = serials;
    await good();
    await sql('UPDATE devices SET is_active = false, missed_polls = 3 WHERE device_id = $1', [serial]);
    const other = await kitchen.link(0, 'other@here.test');
    await kitchen.poll(other.account);
    expect((await deviceRow(serial)).user_id).to.equal(other.user);
    expect(kitchen.report.entries.map(({ deviceId }) => deviceId)).to.have.members(serials.slice(1));
  });

  describe('probes', () => {
    const state = async (reading: object) => {
      const [serial = ''] = serials;
      for (const device_id of serials) await kitchen.readings({ device_id, manual: true });
      await good();
      const before = (await storedRows(kitchen.dataSource)).length;
      kitchen.pass(5);
      await kitchen.readings({ device_id: serial, probe_id: '1', readings: [reading] });
      await good();
      await expectExact();
      const stored = (await storedRows(kitchen.dataSource)).length - before;
      return { ...(await probeRow(serial)), stored };
    };
    const table: [string, object, object][] = [
      ['a whole number', { value: 72 }, { state: 'ok', stored: 1, last_value: 72 }],
      [
        'an alarm of the cloud',
        { value: 72.5, status: 'HIGH' },
        { state: 'ok', stored: 1, last_value: 72.5 },
      ],
      ['another unit', { value: 22.5, unit: 'C' }, { state: 'ok', stored: 1, last_value: 22.5 }],
      ['null', { value: null }, { state: 'absent', stored: 0 }],
      ['no value', {}, { state: 'absent', stored: 0 }],
      ['NaN', { value: 'NaN' }, { state: 'absent', stored: 0 }],
      ['NO PROBE', { value: 72, status: 'NO PROBE' }, { state: 'absent', stored: 0 }],
      ['OFFLINE', { value: 72, status: 'OFFLINE' }, { state: 'absent', stored: 0 }],
      ['an unknown unit', { value: 72, unit: 'K' }, { state: 'fault', stored: 0, unknown_unit: 'K' }],
      [
        'an unknown unit of any length',
        { value: 72, unit: 'K'.repeat(80) },
        { state: 'fault', stored: 0, unknown_unit: 'K'.repeat(50) },
      ],
    ];
    for (const [name, reading, expected] of table)
      it(name, async () => {
        expect(await state(reading)).to.include(expected);
      });

    it('have the high alarm of the cloud while it is on', async () => {
      const probe = { device_id: serials[0] ?? '', probe_id: '1' };
      const stored = async (alarm: { enabled: boolean; value: number; units: string }) => {
        const { enabled, value, units } = alarm;
        const text = { stringValue: units };
        const fields = { enabled: { booleanValue: enabled }, value: { doubleValue: value }, units: text };
        kitchen.pass(600);
        await kitchen.fault({ probe, patch: { alarmHigh: { mapValue: { fields } } } });
        await good();
        const rows = await sql(
          'SELECT high_alarm_celsius FROM probes WHERE device_id = $1 AND probe_id = $2',
          Object.values(probe),
        );
        return rows[0].high_alarm_celsius;
      };
      expect(await stored({ enabled: true, value: 203, units: 'F' })).to.equal(95);
      expect(await stored({ enabled: true, value: 49.5, units: 'C' })).to.equal(49.5);
      expect(await stored({ enabled: false, value: 49.5, units: 'C' })).to.equal(null);
    });

    it('are disabled where the cloud says so', async () => {
      const [serial = ''] = serials;
      const probe = { device_id: serial, probe_id: '1' };
      await kitchen.fault({ probe, patch: { enabled: { booleanValue: false } } });
      await good();
      expect(await probeRow(serial)).to.include({ state: 'disabled', last_value: null });
    });

    it('are stale after ten minutes without a reading, and well with the next one', async () => {
      const [serial = ''] = serials;
      await good();
      await kitchen.fault({ device: serial, set: 'off' });
      kitchen.pass(590);
      await good();
      expect(await probeRow(serial)).to.include({ state: 'ok' });
      kitchen.pass(30);
      await good();
      expect(await probeRow(serial)).to.include({ state: 'stale' });
      expect((await deviceRow(serial)).status).to.equal('offline');
      expect((await kitchen.poll(account)).jobs).to.deep.equal([]);
      await kitchen.fault({ device: serial, set: 'ok' });
      kitchen.pass(20);
      await good();
      expect(await probeRow(serial)).to.include({ state: 'ok' });
      await expectExact();
    });

    it('that report changes only are stale when nobody heard of them, not when nothing changed', async () => {
      const [, , , serial = ''] = serials;
      await kitchen.readings({ device_id: serial, manual: true });
      await good();
      kitchen.pass(660);
      const heard = { device_id: serial, probe_id: '1', readings: [], publish: false, touch_device: true };
      await kitchen.readings(heard);
      await good();
      expect(await probeRow(serial)).to.include({ state: 'ok' });
      kitchen.pass(660);
      await good();
      expect(await probeRow(serial)).to.include({ state: 'stale' });
    });
  });

  it('survives texts of any length', async () => {
    const [serial = ''] = serials;
    const long = { stringValue: 'ß'.repeat(300) };
    await kitchen.fault({ device: serial, patch: { type: long, device: long, label: long } });
    await kitchen.fault({ probe: { device_id: serial, probe_id: '1' }, patch: { label: long } });
    await good();
    expect((await probeRow(serial)).label).to.equal('ß'.repeat(100));
  });

  it('adopts preferences only where the user set none', async () => {
    const other = await kitchen.link(1, 'other@here.test', { temperatureUnit: 'F', timeZone: 'Asia/Tokyo' });
    await sql('UPDATE thermoworks_credentials SET user_read_at = NULL');
    expect(await good()).to.include({ user: 1 });
    expect((await kitchen.poll(other.account)).counts).to.include({ user: 1 });
    expect(await good()).to.not.have.property('user');
    expect(await sql('SELECT email, temperature_unit, time_zone FROM users ORDER BY id')).to.deep.equal([
      { email: 'cook1@here.test', temperature_unit: 'F', time_zone: 'America/Denver' },
      { email: 'other@here.test', temperature_unit: 'F', time_zone: 'Asia/Tokyo' },
    ]);
  });

  it('reads the user once a day', async () => {
    await good();
    await sql("UPDATE thermoworks_credentials SET user_read_at = now() - interval '23 hours 59 minutes'");
    expect(await good()).to.deep.equal({ devices: 1 });
    await sql("UPDATE thermoworks_credentials SET user_read_at = now() - interval '24 hours 1 second'");
    expect(await good()).to.deep.equal({ user: 1, devices: 1 });
  });
});
