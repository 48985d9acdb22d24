import { expect } from 'chai';
import fc from 'fast-check';
import { FLAG } from '../../src/readings/sample.js';
import { readChannel, readDevice, readUser } from '../../src/thermoworks/payload.js';
import { CHANNEL, DOCS, NODE, READ_TIME, RFX } from './documents.js';

type Fields = Record<string, unknown>;
const map = (fields: Fields) => ({ mapValue: { fields } });
const text = (stringValue: string) => ({ stringValue });
const list = (...values: unknown[]) => ({ arrayValue: { values } });
const extreme = (value: number, units = 'F') =>
  map({ reading: map({ value: { doubleValue: value }, units: text(units) }) });
const at = (offsetMs: number) => ({ timestampValue: new Date(READ_TIME.getTime() + offsetMs).toISOString() });
const HOUR = 3_600_000;

/** The example channel with some fields changed; undefined takes one away. */
function channelWith(changes: Fields) {
  const changed = Object.entries({ ...CHANNEL.fields, recentReadings: undefined, ...changes });
  const fields = Object.fromEntries(changed.filter(([, value]) => value !== undefined));
  return readOrThrow({ ...CHANNEL, fields });
}

function readOrThrow(document: unknown) {
  const read = readChannel(document, READ_TIME);
  if (!read) throw new Error('not read as a channel');
  return { ...read.channel, rejected: read.rejected };
}

describe('readChannel', () => {
  it('reads the documented example', () => {
    const [first, second] = [
      { measuredAt: new Date('2026-11-20T10:15:10.455Z'), value: 72.3, unit: 'F', flags: 0 },
      { measuredAt: new Date('2026-11-20T10:15:40.470Z'), value: 72.4, unit: 'F', flags: 0 },
    ];
    expect(readOrThrow(CHANNEL)).to.deep.equal({
      deviceId: 'M100000001',
      probeId: '1',
      label: null,
      kind: 'temperature',
      condition: 'ok',
      samples: [first, second],
      current: second,
      unknownUnit: null,
      lastSeenAt: new Date('2026-11-20T10:15:40.717Z'),
      alarmHigh: { enabled: true, value: 165, unit: 'F' },
      rejected: [],
    });
  });

  const values: [string, Fields, string, number | null, string[]][] = [
    ['an integer', { value: { integerValue: '72' } }, 'ok', 72, []],
    ['a double', { value: { doubleValue: 71.3 } }, 'ok', 71.3, []],
    ['float32 noise', { value: { doubleValue: -5.199999809265137 } }, 'ok', -5.2, []],
    ['null', { value: { nullValue: null } }, 'absent', null, []],
    ['nothing', { value: undefined }, 'absent', null, []],
    ['NaN', { value: { doubleValue: 'NaN' } }, 'absent', null, ['number']],
    ['Infinity', { value: { doubleValue: 'Infinity' } }, 'absent', null, ['number']],
    ['words', { value: text('hot') }, 'absent', null, ['number']],
    ['NO PROBE', { status: text('NO PROBE') }, 'absent', null, []],
    ['no probe in lower case', { status: text('no probe') }, 'absent', null, []],
    ['OFFLINE', { status: text('OFFLINE') }, 'offline', null, []],
    ['OFFLINE without a value', { status: text('offline'), value: undefined }, 'offline', null, []],
    ['LOW', { status: text('LOW') }, 'ok', 72.4, []],
    ['HIGH', { status: text('HIGH') }, 'ok', 72.4, []],
    ['an unknown status', { status: text('SPARKLING') }, 'ok', 72.4, []],
    ['no status', { status: undefined }, 'ok', 72.4, []],
    ['enabled false', { enabled: { booleanValue: false } }, 'disabled', null, []],
    ['enabled 0', { enabled: { integerValue: '0' } }, 'disabled', null, []],
    ['enabled true', { enabled: { booleanValue: true } }, 'ok', 72.4, []],
    ['an unknown unit', { units: text('K') }, 'fault', null, []],
    ['no unit', { units: undefined }, 'fault', null, []],
    ['1000 °C', { value: { integerValue: '1000' }, units: text('C') }, 'ok', 1000, []],
    ['over 1000 °C', { value: { doubleValue: 1000.01 }, units: text('C') }, 'ok', 1000.01, []],
    ['1832 °F', { value: { integerValue: '1832' } }, 'ok', 1832, []],
    ['over 1832 °F', { value: { integerValue: '1833' } }, 'ok', 1833, []],
    ['more than single precision holds', { value: { doubleValue: 3.5e38 } }, 'fault', null, ['range']],
    [
      'what single precision rounds down',
      { value: { doubleValue: 3.4028235677e38 } },
      'fault',
      null,
      ['range'],
    ],
  ];
  for (const [name, changes, condition, value, rejected] of values) {
    it(`takes ${name} as ${condition}`, () => {
      const read = channelWith(changes);
      expect(read.condition).to.equal(condition);
      expect(read.samples.map((sample) => sample.value)).to.deep.equal(value === null ? [] : [value]);
      expect(read.current?.value ?? null).to.equal(value);
      expect(read.rejected).to.deep.equal(rejected);
    });
  }

  it('flags what no thermometer measures as suspect', () => {
    const flagsOf = (changes: Record<string, unknown>) => channelWith(changes).current?.flags;
    expect(flagsOf({ value: { integerValue: '1832' } })).to.equal(0);
    expect(flagsOf({ value: { integerValue: '1833' } })).to.equal(FLAG.suspect);
    expect(flagsOf({ value: { doubleValue: -1000.01 }, units: text('C') })).to.equal(FLAG.suspect);
  });

  it('keeps the raw text of an unknown unit', () => {
    expect(channelWith({ units: text('K\u0000') }).unknownUnit).to.equal('K');
    expect(channelWith({}).unknownUnit).to.equal(null);
  });

  it('reads humidity, whose alarm says F and means percent', () => {
    const read = channelWith({ units: text('H'), type: text('HumidityHumidity') });
    expect(read.kind).to.equal('humidity');
    expect(read.current?.unit).to.equal('H');
    expect(read.alarmHigh).to.deep.equal({ enabled: true, value: 165, unit: 'H' });
  });

  it('reads an alarm whose value is a double, and none where it has no value', () => {
    const alarm = map({ enabled: { booleanValue: false }, value: { doubleValue: 74.04 }, units: text('C') });
    expect(channelWith({ alarmHigh: alarm }).alarmHigh).to.deep.equal({
      enabled: false,
      value: 74.04,
      unit: 'C',
    });
    expect(channelWith({ alarmHigh: map({}) }).alarmHigh).to.equal(null);
    expect(channelWith({ alarmHigh: { nullValue: null } }).alarmHigh).to.equal(null);
  });

  const labels: [string, string | null][] = [
    ['  Point ', 'Point'],
    ['', null],
    ['a\u001b[31mred\u001b[0m\u0007b', 'aredb'],
    ['a\u0000\u009fb', 'ab'],
    ['pay \u202egro.evil', 'pay gro.evil'],
    ['half \ud800 pair', 'half  pair'],
    ['👩‍🍳 Küche', '👩‍🍳 Küche'],
    ['🔥'.repeat(200), '🔥'.repeat(100)],
  ];
  for (const [label, expected] of labels) {
    it(`shows the label ${JSON.stringify(label).slice(0, 40)} as plain text`, () => {
      expect(channelWith({ label: text(label) }).label).to.equal(expected);
    });
  }

  describe('time', () => {
    it('is lastTelemetrySaved, cut to milliseconds', () => {
      const read = channelWith({ lastTelemetrySaved: { timestampValue: '2026-11-20T10:15:40.470999Z' } });
      expect(read.current?.measuredAt).to.deep.equal(new Date('2026-11-20T10:15:40.470Z'));
    });

    it('is lastSeen and flagged where lastTelemetrySaved is missing', () => {
      const { current, samples } = channelWith({ lastTelemetrySaved: undefined });
      expect(current).to.deep.include({
        measuredAt: new Date('2026-11-20T10:15:40.717Z'),
        flags: FLAG.estimatedTime,
      });
      expect(samples).to.deep.equal([current]);
    });

    it('is that of the newest recent reading, not an estimate, where that is the same value', () => {
      const recentReadings = CHANNEL.fields.recentReadings;
      const same = channelWith({ lastTelemetrySaved: undefined, recentReadings });
      expect(same.current).to.deep.include({ measuredAt: new Date('2026-11-20T10:15:40.470Z'), flags: 0 });
      expect(same.samples).to.have.length(2);
      const other = channelWith({
        lastTelemetrySaved: undefined,
        recentReadings,
        value: { integerValue: '80' },
      });
      expect(other.current?.flags).to.equal(FLAG.estimatedTime);
      expect(other.samples).to.have.length(3);
    });

    it('is needed', () => {
      const read = channelWith({ lastTelemetrySaved: undefined, lastSeen: undefined });
      expect(read).to.deep.include({ condition: 'ok', samples: [], current: null, rejected: ['time'] });
    });

    const clocks: [string, unknown, number | null][] = [
      ['2 min ahead', at(120_000), 0],
      ['just over 2 min ahead', at(120_001), FLAG.skewed],
      ['24 h ahead', at(24 * HOUR), FLAG.skewed],
      ['just over 24 h ahead', at(24 * HOUR + 1), null],
      ['years old', { timestampValue: '2015-01-01T00:00:00Z' }, 0],
      ['before 2015', { timestampValue: '2014-12-31T23:59:59.999Z' }, null],
    ];
    for (const [name, lastTelemetrySaved, flags] of clocks) {
      it(`is judged against the cloud's: ${name}`, () => {
        const read = channelWith({ lastTelemetrySaved });
        expect(read.current?.flags ?? null).to.equal(flags);
        expect(read.rejected).to.deep.equal(flags === null ? ['clock'] : []);
      });
    }
  });

  describe('zero', () => {
    const cases: [string, Fields, number][] = [
      ['below the minimum', { minimum: extreme(69.6) }, FLAG.suspect],
      ['above the maximum', { minimum: undefined, maximum: extreme(-4) }, FLAG.suspect],
      ['between the extremes', { minimum: extreme(-4), maximum: extreme(40) }, 0],
      ['at the minimum', { minimum: extreme(0) }, 0],
      ['without extremes', { minimum: undefined }, 0],
      ['0 °F and a minimum of -10 °C', { minimum: extreme(-10, 'C') }, FLAG.suspect],
      ['0 °F and a minimum of -20 °C', { minimum: extreme(-20, 'C') }, 0],
      ['0 °C and a minimum of 30 °F', { units: text('C'), minimum: extreme(30) }, 0],
      ['0 °C and a minimum of 33 °F', { units: text('C'), minimum: extreme(33) }, FLAG.suspect],
      ['negative zero', { value: { doubleValue: -0 } }, FLAG.suspect],
      ['almost zero', { value: { doubleValue: 0.01 } }, 0],
    ];
    for (const [name, changes, flags] of cases) {
      it(`is ${flags ? 'suspect' : 'believed'}: ${name}`, () => {
        const { current } = channelWith({ value: { integerValue: '0' }, ...changes });
        expect(current?.flags).to.equal(flags);
        expect(Object.is(current?.value, -0)).to.equal(false);
      });
    }
  });

  describe('recent readings', () => {
    const entry = (v: unknown, ts: unknown, u?: unknown) => map({ v, ts, ...(u !== undefined && { u }) });
    const read = (recentReadings: unknown, changes: Fields = { value: { nullValue: null } }) =>
      channelWith({ ...changes, recentReadings });

    it('are past measurements also while the value is empty', () => {
      const { samples, current, condition } = read(list(entry(text('67.000'), at(-2000), text('F'))));
      expect(condition).to.equal('absent');
      expect(current).to.equal(null);
      expect(samples.map(({ value }) => value)).to.deep.equal([67]);
    });

    it('of a disabled or unplugged probe are none', () => {
      const recent = list(entry(text('67.000'), at(-2000), text('F')));
      for (const changes of [
        { enabled: { booleanValue: false } },
        { status: text('NO PROBE') },
        { status: text('offline') },
      ])
        expect(read(recent, changes).samples).to.deep.equal([]);
    });

    it('carry their own unit, else the channel’s', () => {
      const recent = list(
        entry(text('20'), at(-3000), text('C')),
        entry({ doubleValue: 68 }, at(-2000)),
        entry({ integerValue: '69' }, at(-1000), text('')),
        entry(text('300'), at(-500), text('K')),
      );
      const { samples, rejected } = read(recent);
      expect(samples.map(({ value, unit }) => `${value} ${unit}`)).to.deep.equal(['20 C', '68 F', '69 F']);
      expect(rejected).to.deep.equal(['unit']);
    });

    it('are sorted, and of two with one time the first counts, the value itself before all', () => {
      const recent = list(
        entry(text('3'), at(-1000)),
        entry(text('1'), at(-3000)),
        entry(text('9'), at(-1000)),
        entry(text('8'), CHANNEL.fields.lastTelemetrySaved),
      );
      const { samples } = read(recent, {});
      expect(samples.map(({ value }) => value)).to.deep.equal([72.4, 1, 3]);
    });

    it('that are broken fall out alone', () => {
      const recent = list(
        entry(text('67'), at(-1000)),
        entry({ nullValue: null }, at(-2000)),
        entry(text('67'), text('yesterday')),
        entry(text('1e39'), at(-3000)),
        null,
        'x',
        {},
      );
      const { samples, rejected } = read(recent);
      expect(samples).to.have.length(1);
      expect(rejected).to.deep.equal(['number', 'time', 'range', 'number', 'number', 'number']);
    });

    it('may be an empty array in either form, or something else', () => {
      for (const recent of [
        { arrayValue: {} },
        { arrayValue: { values: [] } },
        text('none'),
        { nullValue: null },
      ])
        expect(read(recent).samples).to.deep.equal([]);
    });
  });

  it('takes its key from the name only, and refuses one that could not be stored', () => {
    for (const name of [
      `${DOCS}/devices/M1`,
      `${DOCS}/devices/M1/archive/1`,
      `${DOCS}/devices/M1/channels/1/x/y`,
      `${DOCS}/devices/M1/channels/`,
      `${DOCS}/devices/M1/channels/1\u0000`,
      `${DOCS}/devices/${'M'.repeat(51)}/channels/1`,
      'elsewhere',
      7,
      undefined,
    ])
      expect(readChannel({ ...CHANNEL, name }, READ_TIME), String(name)).to.equal(null);
    expect(readOrThrow({ name: CHANNEL.name }).condition).to.equal('absent');
  });

  it('never throws, and gives only samples that can be stored, whatever a document holds', () => {
    const strange = fc.oneof(
      fc.anything({ maxDepth: 3 }),
      fc.record({ doubleValue: fc.oneof(fc.double(), fc.constantFrom('NaN', 'Infinity')) }),
      fc.record({ integerValue: fc.oneof(fc.integer(), fc.bigInt().map(String)) }),
      fc.record({ stringValue: fc.string({ unit: 'binary' }) }),
      fc.record({ timestampValue: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()) }),
      fc.record({ mapValue: fc.anything() }),
      fc.record({ arrayValue: fc.anything() }),
      fc.record({ nullValue: fc.constant(null) }),
    );
    const name = fc.constantFrom(...Object.keys(CHANNEL.fields), 'maximum', 'enabled');
    const recent = fc
      .array(fc.dictionary(fc.constantFrom('v', 'ts', 'u'), strange).map(map))
      .map((e) => list(...e));
    fc.assert(
      fc.property(fc.dictionary(name, strange), fc.option(recent), (changes, recentReadings) => {
        const fields = { ...CHANNEL.fields, ...changes, ...(recentReadings && { recentReadings }) };
        const { samples, current, label, unknownUnit } = readOrThrow({ ...CHANNEL, fields });
        for (const { measuredAt, value, unit, flags } of current ? [...samples, current] : samples) {
          expect(Number.isFinite(Math.fround(value))).to.equal(true);
          if (Math.abs(value) > 1832) expect(flags & FLAG.suspect).to.equal(FLAG.suspect);
          else expect(value).to.equal(Math.round(value * 100) / 100);
          expect(['F', 'C', 'H']).to.include(unit);
          expect(measuredAt.getTime()).to.be.within(Date.UTC(2015, 0), READ_TIME.getTime() + 24 * HOUR);
          expect(flags & ~(FLAG.suspect | FLAG.skewed | FLAG.estimatedTime)).to.equal(0);
        }
        const times = samples.map(({ measuredAt }) => measuredAt.getTime());
        expect(times).to.deep.equal([...new Set(times)].sort((a, b) => a - b));
        for (const shown of [label, unknownUnit]) expect(shown ?? '').not.to.match(/\p{Cc}|\p{Cs}/u);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.anything(), (anything) => void readChannel(anything, READ_TIME)));
  });
});

describe('readDevice', () => {
  it('reads the documented examples', () => {
    expect(readDevice(NODE, READ_TIME)).to.deep.equal({
      deviceId: 'AA:BB:CC:00:11:22',
      updateTime: '2026-11-20T10:15:07.918273Z',
      label: 'Walk-in',
      type: 'datalogger',
      model: 'node',
      batteryPercent: 87,
      isCharging: false,
      signalDbm: -72,
      lastSeenAt: new Date('2026-11-20T10:15:07.702Z'),
      lastTelemetryAt: new Date('2026-11-20T10:10:00.000Z'),
      lastArchiveAt: null,
      transmitIntervalSeconds: 7200,
      recordingIntervalSeconds: 600,
      iotDeviceId: null,
      gatewayId: null,
    });
    expect(readDevice(RFX, READ_TIME)).to.deep.include({
      deviceId: 'M100000001',
      signalDbm: -55,
      lastTelemetryAt: new Date('2026-11-20T10:15:40.470Z'),
      recordingIntervalSeconds: null,
      gatewayId: 'TAABBCC001133',
    });
  });

  const facts: [string, Fields, Fields][] = [
    ['battery 189', { battery: { integerValue: '189' } }, { batteryPercent: null }],
    ['battery as a double', { battery: { doubleValue: 87 } }, { batteryPercent: 87 }],
    ['a battery that charges', { batteryState: { stringValue: ' Charging' } }, { isCharging: true }],
    ['a full battery', { batteryState: { stringValue: 'full' } }, { isCharging: true }],
    ['another word of a battery', { batteryState: { stringValue: 'constructor' } }, { isCharging: null }],
    [
      'no word of a battery',
      { battery: { nullValue: null }, batteryState: { nullValue: null } },
      { batteryPercent: null, isCharging: null },
    ],
    ['battery below 0', { battery: { integerValue: '-1' } }, { batteryPercent: null }],
    ['positive wifi', { wifi_stength: { integerValue: '55' } }, { signalDbm: null }],
    [
      'positive wifi and a gateway',
      { wifi_stength: { integerValue: '55' }, gatewayRSSI: { doubleValue: -60 } },
      { signalDbm: -60 },
    ],
    ['interval 0', { recordingIntervalInSeconds: { integerValue: '0' } }, { recordingIntervalSeconds: null }],
    [
      'interval of years',
      { transmitIntervalInSeconds: { integerValue: '1e9' } },
      { transmitIntervalSeconds: null },
    ],
    ['no label', { label: { nullValue: null } }, { label: null }],
    ['a label with codes', { label: text('\u001b[2JGrill\u0007') }, { label: 'Grill' }],
    ['a broken time', { lastSeen: text('soon') }, { lastSeenAt: null }],
    ['both times', { latestReading: at(-1000) }, { lastTelemetryAt: new Date(READ_TIME.getTime() - 1000) }],
  ];
  for (const [name, changes, expected] of facts) {
    it(`reads ${name}`, () => {
      const device = readDevice({ ...NODE, fields: { ...NODE.fields, ...changes } }, READ_TIME);
      expect(device).to.deep.include(expected);
    });
  }

  it('needs a name and nothing else', () => {
    expect(readDevice({ name: NODE.name }, READ_TIME)).to.deep.include({
      deviceId: 'AA:BB:CC:00:11:22',
      updateTime: READ_TIME.toISOString(),
      label: null,
    });
    for (const updateTime of ['\0', '2026-11-20T10:15:41.1\ud800', 'x'.repeat(41), '', 5])
      expect(readDevice({ ...NODE, updateTime }, READ_TIME)).to.include({
        updateTime: READ_TIME.toISOString(),
      });
    expect(readDevice({ fields: NODE.fields }, READ_TIME)).to.equal(null);
    expect(readDevice(CHANNEL, READ_TIME)).to.equal(null);
    fc.assert(fc.property(fc.anything(), (anything) => void readDevice(anything, READ_TIME)));
  });
});

describe('readUser', () => {
  const user = (fields: Fields) => readUser({ name: `${DOCS}/users/uidDemo0001`, fields });

  it('reads the account and what is known of the person', () => {
    const fields = {
      accountId: text('accDemo01'),
      preferredUnits: text('C'),
      timeZone: text('America/Chicago'),
    };
    const expected = { accountId: 'accDemo01', preferredUnit: 'C', timeZone: 'America/Chicago' };
    expect(user(fields)).to.deep.equal(expected);
  });

  it('needs the account only', () => {
    const bare = { accountId: 'accDemo01', preferredUnit: null, timeZone: null };
    expect(user({ accountId: text('accDemo01') })).to.deep.equal(bare);
    const odd = { accountId: text('accDemo01'), preferredUnits: text('K'), timeZone: text('Mars/Olympus') };
    expect(user(odd)).to.deep.equal(bare);
    for (const accountId of [
      text(''),
      text(' '),
      { nullValue: null },
      text('a'.repeat(101)),
      text('a\0'),
      text('\ud800'),
      undefined,
    ])
      expect(user({ accountId })).to.equal(null);
    expect(readUser(undefined)).to.equal(null);
  });
});
