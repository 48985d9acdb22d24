import { expect } from 'chai';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from './kitchen.js';

describe('poll: requests', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: number;
  let serials: string[];

  before(async () => {
    home = await openHome();
  });
  /** An account with so many devices that do nothing unless told to, read once. */
  async function open(devices: number) {
    kitchen = await openKitchen(home, { devices });
    ({ account } = await kitchen.link());
    serials = (await kitchen.cloud.devices()).map(({ id }) => id);
    for (const device_id of serials) await kitchen.readings({ device_id, manual: true });
    return kitchen.poll(account);
  }
  afterEach(() => kitchen.close());
  after(() => home.close());

  const write = (device_id: string, more: object = {}) =>
    kitchen.readings({ device_id, probe_id: '1', readings: [{ value: 71.5 }], ...more });
  const polled = async () => (await kitchen.poll(account)).counts;
  const expectExact = async () => {
    expect(await storedRows(kitchen.dataSource)).to.deep.equal(kitchen.served());
  };

  for (const devices of [1, 10, 20])
    it(`one for ${devices} devices that did not change, else one more for nine that did`, async () => {
      const first = await open(devices);
      expect(first.counts).to.deep.equal({ devices: 1, channels: Math.ceil(devices / 9) });
      expect(await polled()).to.deep.equal({ devices: 1 });
      for (const changed of [1, 9, 10, devices].filter((count) => count <= devices)) {
        kitchen.pass(1);
        for (const serial of serials.slice(0, changed)) await write(serial);
        expect(await polled(), `${changed} changed`).to.deep.equal({
          devices: 1,
          channels: Math.ceil(changed / 9),
        });
        expect(await polled()).to.deep.equal({ devices: 1 });
      }
      await expectExact();
    });

  it('as many again after a job was lost, until it is stored', async () => {
    await open(10);
    kitchen.pass(1);
    for (const serial of serials) await write(serial);
    kitchen.queue.fate = 'lost';
    const lost = await kitchen.poll(account);
    const again = await kitchen.poll(account);
    expect(again.counts).to.deep.equal({ devices: 1, channels: 2 });
    expect(again.jobs.map(({ probes }) => probes)).to.deep.equal(lost.jobs.map(({ probes }) => probes));
    kitchen.queue.fate = 'ingested';
    expect(await polled()).to.deep.equal({ devices: 1, channels: 2 });
    expect(await polled()).to.deep.equal({ devices: 1 });
    await expectExact();
  });

  it('stop after a lost job where the cloud does not show the reading any more', async () => {
    await open(1);
    const [serial = ''] = serials;
    kitchen.pass(1);
    kitchen.queue.fate = 'lost';
    await write(serial);
    await polled();
    kitchen.queue.fate = 'ingested';
    await kitchen.readings({
      device_id: serial,
      probe_id: '1',
      readings: [{ value: null, status: 'NO PROBE' }],
    });
    // Once more, since now the device is ahead of what its channels show.
    for (const _ of [1, 2]) expect(await polled()).to.deep.equal({ devices: 1, channels: 1 });
    expect(await polled()).to.deep.equal({ devices: 1 });
  });

  it('once more, not for ever, for a device that was seen before its channel', async () => {
    await open(1);
    const [serial = ''] = serials;
    for (const published of [false, true]) {
      kitchen.pass(5);
      await write(serial, { publish: false, touch_device: true });
      expect(await polled()).to.deep.equal({ devices: 1, channels: 1 });
      if (published) await write(serial, { readings: [], publish: true, touch_device: false });
      expect(await polled()).to.deep.equal({ devices: 1, channels: 1 });
      expect(await polled()).to.deep.equal({ devices: 1 });
    }
    await expectExact();
  });

  it('find a channel that changed without its device in the sweep after ten minutes', async () => {
    await open(1);
    const [serial = ''] = serials;
    kitchen.pass(300);
    await write(serial, { touch_device: false });
    expect(await polled()).to.deep.equal({ devices: 1 });
    kitchen.pass(301);
    expect(await polled()).to.deep.equal({ devices: 1, channels: 1 });
    kitchen.pass(1);
    expect(await polled()).to.deep.equal({ devices: 1 });
    await expectExact();
    expect(kitchen.served().filter((row) => row.includes(' 71.5 '))).to.have.lengthOf(1);
  });

  it('are none for a device that another account has', async () => {
    await open(10);
    const other = await kitchen.link(0, 'other@here.test');
    expect((await kitchen.poll(other.account)).counts).to.deep.equal({ devices: 1 });
  });

  it('ask only for the channels that are there, gaps included', async () => {
    await open(2);
    const cooler = (await kitchen.cloud.devices()).find(({ type }) => type === 'datalogger');
    expect(cooler?.probes).to.deep.equal(['1', '3']);
    await kitchen.fault({ route: 'batchGet', status: 403, above_documents: 2 });
    kitchen.pass(1);
    await kitchen.readings({ device_id: cooler?.id, probe_id: '3', readings: [{ value: 55.5 }] });
    expect(await polled()).to.deep.equal({ devices: 1, channels: 1 });
    await expectExact();
    kitchen.pass(86_400);
    await kitchen.noFaults();
    expect((await polled()).channels).to.equal(1);
  });
});
