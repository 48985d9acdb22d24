import { expect } from 'chai';
import { AlertEvent } from '../../src/entities/alert-event.js';
import { Device } from '../../src/entities/device.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { Notification } from '../../src/entities/notification.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { Probe } from '../../src/entities/probe.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { ThermoworksCredential } from '../../src/entities/thermoworks-credential.js';
import { User } from '../../src/entities/user.js';
import { PermanentError } from '../../src/errors.js';
import { createMessage, inert } from '../../src/notifications/message.js';
import type { Claimed } from '../../src/notifications/notification-manager.js';

const ID = '0199a1c2-0000-7000-8000-000000000001';
const ALERT = {
  publicId: '0199a1c2-0000-7000-8000-000000000002',
  userId: 1,
  deviceId: 'M100000001',
  probeId: '1',
  name: 'Brisket done',
  description: null,
  alertType: 'target' as const,
  targetTemperature: 203,
  preAlertDifference: null,
  severity: 'warning' as const,
  direction: 'up' as const,
  minTemperature: null,
  maxTemperature: null,
  criticalMinTemperature: null,
  criticalMaxTemperature: null,
  thresholdValue: null,
  windowSeconds: null,
  silenceMinutes: null,
  criticalSilenceMinutes: null,
  batteryPercent: null,
  criticalBatteryPercent: null,
  temperatureUnit: 'F' as const,
};
const EVENT = {
  publicId: ID,
  kind: 'fired' as const,
  side: 'up' as const,
  tier: 'warning' as const,
  value: 203.2,
  unit: 'F' as const,
  measuredAt: new Date('2026-11-21T20:59:58.000Z'),
  createdAt: new Date('2026-11-21T21:00:00.000Z'),
  durationSeconds: null,
  extreme: null,
  change: null,
};
const SESSION = { publicId: ID, name: 'Saturday', startTime: new Date('2026-11-21T10:00:00.000Z') };

function about({
  event = {},
  alert = {},
  label = 'Point',
  nickname = 'Brisket',
  session = SESSION,
}: {
  event?: Partial<AlertEvent>;
  alert?: Partial<TemperatureAlert>;
  label?: string | null;
  nickname?: string | null;
  session?: Partial<GrillingSession> | null;
} = {}): Claimed {
  const probes = [
    { userId: 2, probeId: '1', label: 'another owner’s' },
    { userId: 1, probeId: '2', label: 'another' },
    { userId: 1, probeId: '1', label },
  ].map((probe) => Object.assign(new Probe(), probe));
  const device = Object.assign(new Device(), { deviceId: ALERT.deviceId, nickname, probes });
  return Object.assign(new Notification(), {
    id: ID,
    subject: null,
    sequence: 3,
    alertEvent: Object.assign(new AlertEvent(), {
      ...EVENT,
      ...event,
      alert: Object.assign(new TemperatureAlert(), { ...ALERT, ...alert, device }),
      session: session === null ? null : Object.assign(new GrillingSession(), session),
    }),
  });
}

const range = {
  alertType: 'range' as const,
  targetTemperature: null,
  name: null,
  temperatureUnit: 'C' as const,
  minTemperature: 1,
  maxTemperature: 5,
  criticalMaxTemperature: 10,
};

describe('createMessage', () => {
  it('carries the body of the contract', () => {
    const { body, title, text } = createMessage(about());
    expect(JSON.parse(JSON.stringify(body))).to.deep.equal({
      type: 'alert.fired',
      id: ID,
      timestamp: '2026-11-21T21:00:00.000Z',
      sequence: 3,
      alert: {
        id: ALERT.publicId,
        name: 'Brisket done',
        description: null,
        type: 'target',
        severity: 'warning',
        target_temperature: 203,
        temperature_unit: 'F',
      },
      device: { device_id: 'M100000001', nickname: 'Brisket' },
      probe: { probe_id: '1', label: 'Point' },
      session: { id: ID, name: 'Saturday', started_at: '2026-11-21T10:00:00.000Z' },
      reading: { value: 203.2, unit: 'F', measured_at: '2026-11-21T20:59:58.000Z' },
    });
    expect(`${title}: ${text}`).to.equal(
      'Brisket done: Point is 203.2 °F, at or above 203 °F since 2026-11-21 20:59 UTC',
    );
  });

  it('carries what the owner wrote: as a line of its own while it fires, in the body always', () => {
    const description = `turn the fire\r\ndown\u202e ${'x'.repeat(1_900)}`;
    const { text, advice, summary, body } = createMessage(about({ alert: { description } }));
    expect(advice).to.match(/^turn the fire down {2}x+…$/);
    expect(advice).to.have.lengthOf(300);
    for (const said of [text, summary]) expect(said).to.not.include('fire');
    expect(body.alert).to.include({ description: `turn the fire down  ${'x'.repeat(1_900)}` });
    const over = createMessage(about({ alert: { description }, event: { kind: 'resolved' } }));
    expect(over).to.not.have.property('advice');
    expect(over.body.alert).to.have.property('description');
    expect(createMessage(about())).to.not.have.property('advice');
  });

  it('tells people the time by the clock of the owner, programs in UTC', () => {
    const told = (timeZone: string | null, at = EVENT.measuredAt) => {
      const user = Object.assign(new User(), { timeZone });
      const channel = Object.assign(new NotificationChannel(), { user });
      return createMessage(Object.assign(about({ event: { measuredAt: at } }), { channel }));
    };
    const said = 'Point is 203.2 °F, at or above 203 °F since';
    const { text, summary, body } = told('America/New_York');
    expect(text).to.equal(`${said} 2026-11-21 15:59 EST`);
    expect(summary).to.equal(`${said} 2026-11-21 20:59 UTC`);
    expect(body.reading).to.deep.include({ measured_at: EVENT.measuredAt });
    const clock = (iso: string, timeZone: string) =>
      told(timeZone, new Date(iso)).text.slice(said.length + 1);
    // The hour that comes twice.
    expect(clock('2026-11-01T05:30:00Z', 'America/New_York')).to.equal('2026-11-01 01:30 EDT');
    expect(clock('2026-11-01T06:30:00Z', 'America/New_York')).to.equal('2026-11-01 01:30 EST');
    expect(clock('2026-06-30T22:05:00Z', 'Europe/Berlin')).to.equal('2026-07-01 00:05 GMT+2');
    for (const unknown of [null, 'Mars/Olympus']) expect(told(unknown).text).to.equal(summary);
  });

  it('says a name once, where the title has it', () => {
    const { title, text } = createMessage(about({ alert: { name: null }, label: 'Brisket' }));
    expect(`${title}: ${text}`).to.match(/^Brisket: it is 203\.2 °F, /);
  });

  it('adds duration and extreme when it is over', () => {
    const over = { kind: 'resolved' as const, value: 190, durationSeconds: 4_500, extreme: 207.26 };
    const { type, body, text } = createMessage(about({ event: over }));
    expect(type).to.equal('alert.resolved');
    expect(body).to.include({ duration_seconds: 4_500, extreme: 207.26 });
    expect(text).to.equal(
      'Point is 190 °F at 2026-11-21 20:59 UTC, no longer at or above 203 °F, which lasted 75 min with an extreme of 207.26 °F',
    );
    expect(createMessage(about()).body).to.not.have.any.keys('duration_seconds', 'extreme');
  });

  it('says that it still lasts when it repeats', () => {
    const { type, text } = createMessage(about({ event: { kind: 'repeated' } }));
    expect(type).to.equal('alert.repeated');
    expect(text).to.equal('Point is still 203.2 °F, at or above 203 °F at 2026-11-21 20:59 UTC');
  });

  const limits: [string, Partial<AlertEvent>, string][] = [
    ['high', { side: 'high', value: 5.5 }, 'Point is 5.5 °C, above 5 °C since'],
    ['low', { side: 'low', value: 0.25 }, 'Point is 0.25 °C, below 1 °C since'],
    ['critical high', { side: 'high', tier: 'critical', value: 12 }, 'Point is 12 °C, above 10 °C since'],
    ['critical low, of which there is none', { side: 'low', tier: 'critical', value: 0 }, 'below 1 °C since'],
    [
      'high, in the unit of the reading',
      { side: 'high', value: 41.9, unit: 'F' },
      'is 41.9 °F, above 5 °C since',
    ],
    ['humidity', { side: 'high', value: 80, unit: 'H' }, 'is 80 % RH, above 5 °C since'],
    ['without a value', { side: 'high', value: null, unit: null }, 'is without a value, above 5 °C since'],
  ];
  for (const [name, event, text] of limits) {
    it(`names value and limit of a range: ${name}`, () => {
      const message = createMessage(about({ alert: range, event: { unit: 'C', ...event } }));
      expect(message.text).to.include(text);
      expect(message.title).to.equal('Brisket');
      expect(message.body.alert).to.include({
        name: null,
        min_temperature: 1,
        max_temperature: 5,
        critical_max_temperature: 10,
        severity: event.tier ?? 'warning',
      });
      expect(message.body.alert).to.not.have.any.keys('target_temperature', 'critical_min_temperature');
    });
  }

  const rising = {
    alertType: 'rising' as const,
    targetTemperature: null,
    temperatureUnit: 'C' as const,
    thresholdValue: 15,
    windowSeconds: 600,
  };
  const rose = { value: 121, unit: 'C' as const, change: 17.2 };

  it('says how far a value rose or fell, within how long and to what', () => {
    const { title, text, body } = createMessage(about({ alert: rising, event: rose }));
    expect(`${title}: ${text}`).to.equal(
      'Brisket done: Point rose 17.2 °C in 10 min, to 121 °C at 2026-11-21 20:59 UTC; the limit is 15 °C',
    );
    expect(body).to.include({ change: 17.2 });
    expect(body.alert).to.deep.include({
      type: 'rising',
      severity: 'warning',
      threshold_value: 15,
      window_seconds: 600,
      temperature_unit: 'C',
    });
    expect(body.alert).to.not.have.any.keys('target_temperature', 'min_temperature');
    const falling = { ...rising, alertType: 'falling' as const, windowSeconds: 1800 };
    const fell = { side: 'down' as const, value: 249.8, unit: 'F' as const, change: 15 };
    expect(createMessage(about({ alert: falling, event: fell })).text).to.include(
      'Point fell 15 °C in 30 min, to 249.8 °F at ',
    );
    expect(createMessage(about()).body).to.not.have.any.keys('change');
    expect(createMessage(about()).body.alert).to.not.have.any.keys('threshold_value', 'window_seconds');
  });

  it('says that a target is near', () => {
    const near = { tier: 'info' as const, value: 193.4 };
    expect(createMessage(about({ alert: { preAlertDifference: 10 }, event: near })).text).to.equal(
      'Point is 193.4 °F, within 10 °F of 203 °F since 2026-11-21 20:59 UTC',
    );
  });

  it('says of what nothing is heard, what was pulled, and that it is back', () => {
    const limits = { targetTemperature: null, silenceMinutes: 15, criticalSilenceMinutes: 180 };
    const silent = { alert: { ...limits, alertType: 'no_data' as const } };
    const nothing = { value: null, unit: null, side: 'high' as const };
    const { text, body } = createMessage(about({ ...silent, event: nothing }));
    expect(text).to.equal('nothing was heard of Point for 15 min, since 2026-11-21 20:44 UTC');
    expect(body.alert).to.deep.include({
      type: 'no_data',
      silence_minutes: 15,
      critical_silence_minutes: 180,
    });
    const worse = createMessage(about({ ...silent, event: { ...nothing, tier: 'critical' } }));
    expect(worse.text).to.include('nothing was heard of Point for 3 h, since 2026-11-21 17:59 UTC');
    const still = createMessage(about({ ...silent, event: { ...nothing, kind: 'repeated', value: 203.2 } }));
    expect(still.text).to.equal('still nothing was heard of Point since 2026-11-21 20:59 UTC');
    const pulled = { alert: { ...limits, silenceMinutes: null, alertType: 'probe_removed' as const } };
    expect(createMessage(about({ ...pulled, event: nothing })).text).to.equal(
      'Point is no longer plugged in since 2026-11-21 20:59 UTC',
    );
    const back = { ...nothing, kind: 'resolved' as const, durationSeconds: 660 };
    const told = (event: Partial<AlertEvent>, of: { alert: Partial<TemperatureAlert> } = silent) =>
      createMessage(about({ ...of, event })).text;
    const again = 'Point is there again since 2026-11-21 20:59 UTC';
    expect(told(back, pulled)).to.equal(`${again}, after 11 min`);
    // Silence began with the last reading, not with the firing.
    expect(told(back)).to.equal(`${again}, after 26 min`);
    expect(told({ ...back, tier: 'critical' })).to.equal(`${again}, after 3 h 11 min`);
    expect(told({ ...back, durationSeconds: null })).to.equal(again);
  });

  it('says of a device as a whole how many probes are silent, and since when', () => {
    const limits = { targetTemperature: null, silenceMinutes: 15, alertType: 'no_data' as const };
    const nothing = { value: null, unit: null, side: 'high' as const, silentProbes: 4 };
    const { title, text, body } = createMessage(about({ alert: limits, event: nothing }));
    expect([title, text]).to.deep.equal([
      'Brisket',
      'nothing was heard of it for 15 min, since 2026-11-21 20:44 UTC: all 4 watched probes are silent',
    ]);
    expect(body).to.include({ silent_probes: 4 });
  });

  it('says of a gateway that it is silent, whose alert it was, and how many devices are behind it', () => {
    const limits = {
      targetTemperature: null,
      silenceMinutes: 10,
      alertType: 'no_data' as const,
      name: 'Gone',
    };
    const nothing = { value: null, unit: null, side: 'high' as const, silentDevices: 3 };
    const told = (gateway: string, silentDevices = 3) => {
      const event = { ...nothing, silentDevices };
      const { title, text, body } = createMessage(about({ alert: limits, event }), {
        now: new Date(),
        gateway,
      });
      expect(body.gateway).to.deep.equal({ name: gateway, silent_devices: silentDevices });
      return `${title}: ${text}`;
    };
    const since = 'for 10 min, since 2026-11-21 20:49 UTC (11 h into session Saturday)';
    expect(told('Kettle')).to.equal(
      `Kettle: this gateway is silent, with 3 devices behind it: nothing was heard of Point of Brisket ${since}`,
    );
    expect(told('Brisket', 1)).to.equal(
      `Brisket: this gateway is silent, with 1 device behind it: nothing was heard of Point ${since}`,
    );
  });

  it('says of a battery that it is low, by the name of its device', () => {
    const alert = { alertType: 'battery' as const, probeId: null, targetTemperature: null, name: null };
    const limits = { ...alert, batteryPercent: 20, criticalBatteryPercent: 10 };
    const low = { side: 'low' as const, value: 18, unit: null };
    const { title, text, body } = createMessage(about({ alert: limits, nickname: 'Smoker', event: low }));
    expect(`${title}: ${text}`).to.equal(
      'Smoker: its battery is at 18 %, at or below 20 % since 2026-11-21 20:59 UTC',
    );
    expect(body).to.deep.include({ probe: null });
    expect(body.reading).to.include({ value: 18, unit: '%' });
    expect(body.alert).to.include({ type: 'battery', battery_percent: 20, critical_battery_percent: 10 });
    const critical = { ...low, tier: 'critical' as const, value: 9 };
    expect(createMessage(about({ alert: limits, event: critical })).text).to.include(
      'at or below 10 % since',
    );
    const over = { ...low, kind: 'resolved' as const, value: 80, durationSeconds: 7_200, extreme: 13 };
    expect(createMessage(about({ alert: limits, event: over })).text).to.equal(
      'its battery is at 80 % at 2026-11-21 20:59 UTC, no longer at or below 20 %, which lasted 2 h with an extreme of 13 %',
    );
    const named = { ...limits, name: 'Charge me' };
    expect(createMessage(about({ alert: named, event: low })).text).to.match(/^Brisket's battery is at 18 %/);
  });

  describe('around the event', () => {
    const trend = { direction: 'rising' as const, perHour: 12.3, unit: 'F' as const };
    const now = new Date(EVENT.measuredAt.getTime() + 25_400);
    const text = 'Point is 203.2 °F, at or above 203 °F since 2026-11-21 20:59 UTC';

    it('tells how old the reading is, the trend and the session; to machines what never changes', () => {
      const message = createMessage(about(), { now, trend, firedAt: null });
      const cook = '11 h into session Saturday';
      expect(message.text).to.equal(`${text} (read 25 s ago, rising 12 °F an hour, ${cook})`);
      expect(message.summary).to.equal(`${text} (rising 12 °F an hour, ${cook})`);
      expect(message.body).to.deep.include({ trend: { direction: 'rising', per_hour: 12.3, unit: 'F' } });
      const later = createMessage(about(), {
        now: new Date(now.getTime() + 3_600_000),
        trend,
        firedAt: null,
      });
      expect(later.text).to.include('(read 60 min ago, ');
      expect([later.summary, later.body]).to.deep.equal([message.summary, message.body]);
    });

    it('leaves out what is not known, and an age that a clock ahead makes', () => {
      const alone = createMessage(about({ session: null }), { now: new Date(0), trend: null, firedAt: null });
      expect(alone.text).to.equal(`${text} (read 0 s ago)`);
      expect(alone.summary).to.equal(text);
      expect(alone.body).to.not.have.any.keys('trend', 'since');
      expect(createMessage(about()).text).to.equal(text);
    });

    it('tells a trend to the tenth only below 10 degrees an hour, and none of what is over', () => {
      const told = (perHour: number, kind: AlertEvent['kind'] = 'fired') =>
        createMessage(about({ event: { kind } }), { now, trend: { ...trend, perHour } });
      expect(told(1433.5).text).to.include('rising 1434 °F an hour');
      expect(told(10.4).text).to.include('rising 10 °F an hour');
      expect(told(9.9).text).to.include('rising 9.9 °F an hour');
      const { text, summary = '', body } = told(1433.5, 'resolved');
      for (const said of [text, summary]) expect(said).to.not.include('an hour');
      expect(body.trend).to.include({ per_hour: 1433.5 });
    });

    it('says steady without a number, and a fall without its sign', () => {
      const told = (change: object) => createMessage(about(), { now, trend: { ...trend, ...change } }).text;
      expect(told({ direction: 'steady', perHour: 0.4 })).to.include(' ago, steady, ');
      expect(told({ direction: 'falling', perHour: -30 })).to.include(' ago, falling 30 °F an hour, ');
    });

    it('says that a device transmits rarely', () => {
      const slow = about({ session: null });
      if (slow.alertEvent?.alert?.device) slow.alertEvent.alert.device.transmitIntervalSeconds = 7_200;
      const { text: said, summary, body } = createMessage(slow, { now });
      expect(said).to.equal(`${text} (read 25 s ago, this device transmits every 2 h)`);
      expect(summary).to.equal(`${text} (this device transmits every 2 h)`);
      expect(body.device).to.include({ transmit_interval_seconds: 7_200 });
      if (slow.alertEvent?.alert?.device) slow.alertEvent.alert.device.transmitIntervalSeconds = 599;
      expect(createMessage(slow, { now }).text).to.equal(`${text} (read 25 s ago)`);
    });

    it('tells since when, where it is told again, and no age of silence', () => {
      const firedAt = new Date('2026-11-21T18:00:00.000Z');
      const again = createMessage(about({ event: { kind: 'repeated' }, session: null }), { now, firedAt });
      expect(again.text).to.equal(
        'Point is still 203.2 °F at 2026-11-21 20:59 UTC, at or above 203 °F since 2026-11-21 18:00 UTC (read 25 s ago)',
      );
      expect(again.body).to.include({ since: firedAt });
      const nothing = { value: null, unit: null, side: 'high' as const };
      const silent = { alertType: 'no_data' as const, targetTemperature: null, silenceMinutes: 15 };
      const missed = createMessage(about({ alert: silent, event: nothing, session: null }), { now });
      expect(missed.text).to.equal('nothing was heard of Point for 15 min, since 2026-11-21 20:44 UTC');
      const still = { ...nothing, kind: 'repeated' as const };
      const told = (firedAt: Date | null) =>
        createMessage(about({ alert: silent, event: still, session: null }), { now, firedAt }).text;
      expect(told(firedAt)).to.equal('still nothing was heard of Point since 2026-11-21 17:45 UTC');
      // By the probe's last reading, which is that of a repetition.
      expect(told(null)).to.equal('still nothing was heard of Point since 2026-11-21 20:59 UTC');
    });

    it('holds nothing of a name that is more than text', () => {
      const evil = { ...SESSION, name: 'Sat\r\n\u202eurday' };
      expect(createMessage(about({ session: evil }), { now }).text).to.include('into session Sat urday)');
    });
  });

  it('says what a value no longer does, and still does', () => {
    const over = { ...rose, kind: 'resolved' as const, change: null, durationSeconds: 900, extreme: 130 };
    expect(createMessage(about({ alert: rising, event: over })).text).to.equal(
      'Point is 121 °C at 2026-11-21 20:59 UTC, no longer rising by 15 °C or more in 10 min, which lasted 15 min with an extreme of 130 °C',
    );
    const still = { ...rose, kind: 'repeated' as const, change: null };
    expect(createMessage(about({ alert: rising, event: still })).text).to.include(
      'Point is still 121 °C, rising by 15 °C or more in 10 min at',
    );
  });

  it('names what has no name by its number, and leaves out a session that is not there', () => {
    const { title, text, body } = createMessage(
      about({ alert: { name: null }, label: null, nickname: null, session: null }),
    );
    expect(title).to.equal('M100000001');
    expect(text).to.match(/^Probe 1 is 203\.2 °F/);
    expect(body).to.include({ session: null });
  });

  it('tells about a dead account and about a test', () => {
    const user = Object.assign(new User(), {
      email: 'cook@example.com',
      thermoworksCredential: Object.assign(new ThermoworksCredential(), {
        status: 'needs_reauth',
        lastError: null,
      }),
    });
    const channel = Object.assign(new NotificationChannel(), { publicId: ID, kind: 'ntfy', user });
    const common = { id: ID, channel, createdAt: EVENT.createdAt, sequence: null };
    const dead = Object.assign(new Notification(), { ...common, subject: 'account.needs_reauth' });
    expect(createMessage(dead).body).to.deep.equal({
      type: 'account.needs_reauth',
      id: ID,
      timestamp: EVENT.createdAt,
      account: { email: 'cook@example.com', status: 'needs_reauth', last_error: null },
    });
    const test = Object.assign(new Notification(), { ...common, subject: 'channel.test' });
    const body = {
      type: 'channel.test',
      id: ID,
      timestamp: EVENT.createdAt,
      channel: { id: ID, kind: 'ntfy' },
    };
    expect(createMessage(test).body).to.deep.equal(body);
  });

  it('tells about a channel that is off, and no longer when it is on again', () => {
    const off = {
      publicId: ALERT.publicId,
      kind: 'slack' as const,
      isActive: false,
      lastError: 'it said\n404',
    };
    const disabled = Object.assign(new NotificationChannel(), off);
    const subject = 'channel.disabled' as const;
    const common = {
      id: ID,
      subject,
      createdAt: EVENT.createdAt,
      sequence: null,
      channel: new NotificationChannel(),
    };
    const given = Object.assign(new Notification(), { ...common, disabled });
    const { title, text, body, severity } = createMessage(given);
    expect(body).to.deep.equal({
      type: 'channel.disabled',
      id: ID,
      timestamp: EVENT.createdAt,
      channel: { id: ALERT.publicId, kind: 'slack', last_error: 'it said 404' },
    });
    expect(severity).to.equal('warning');
    expect(`${title}: ${text}`).to.equal(
      `Channel switched off: nothing goes to the slack channel ${ALERT.publicId} any more: it said 404. A test that arrives switches it on again`,
    );
    disabled.isActive = true;
    expect(() => createMessage(given)).to.throw(PermanentError, ID);
    expect(() => createMessage(Object.assign(given, { disabled: null }))).to.throw(PermanentError, ID);
  });

  it('gives up on what is gone', () => {
    const user = Object.assign(new User(), { email: 'cook@example.com', thermoworksCredential: null });
    const channel = Object.assign(new NotificationChannel(), { user });
    const about = { id: ID, subject: 'account.needs_reauth' as const, channel, sequence: null };
    const dead = Object.assign(new Notification(), about);
    expect(() => createMessage(dead)).to.throw(PermanentError, ID);
  });
});

describe('inert', () => {
  const payloads: [string, string, string][] = [
    ['line breaks and NUL', 'Point\r\nX-Evil: 1\0', 'Point X-Evil: 1'],
    ['terminal codes', '\u001b[31mred\u0007\u009b2J', '[31mred 2J'],
    ['the direction of writing', '\u202etxt.exe\u2066x\u2069', 'txt.exe x'],
    ['unusual line breaks', 'a\u2028b\u2029c\u0085d', 'a b c d'],
    ['half characters', 'a\ud800b', 'a b'],
  ];
  for (const [name, given, kept] of payloads) {
    it(`takes out ${name}`, () => expect(inert(given)).to.equal(kept));
  }

  it('keeps what people write', () => {
    for (const text of ['Rôti de bœuf', '牛肉', '👨‍👩‍👧 Brisket', '<!channel> @everyone {{x}}', '203 °F']) {
      expect(inert(text)).to.equal(text);
    }
  });

  it('cuts 100 KB to its length, counted in whole characters', () => {
    expect([...inert('x'.repeat(100_000))]).to.have.lengthOf(100);
    expect(inert('🔥'.repeat(100_000), 10)).to.equal(`${'🔥'.repeat(9)}…`);
    expect(inert('x'.repeat(100))).to.equal('x'.repeat(100));
  });
});
