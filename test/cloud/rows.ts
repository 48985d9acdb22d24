import { expect } from 'chai';
import type { AccountRow, Stage, StageOptions } from './stage.js';

/** A line of the failure catalogue and how it is brought about. */
export interface Row extends Outcome {
  line: string;
  given: (stage: Stage) => unknown;
}

/** What must come of it. */
interface Outcome {
  options?: StageOptions;
  /** The victim's row after its poll. Default: active, no error, next poll after 30 s. */
  account?: Partial<AccountRow>;
  /** Of `polls_total`; default ok. */
  outcome?: string;
  /** `cloud_requests_total` of the victim's poll by call and status. Default: devices and channels, once each. */
  calls?: Record<string, number>;
  rejected?: Record<string, number>;
  /** Readings stored by the victim's poll. Default: all nine of 30 s where it succeeds, else none. */
  fresh?: number;
  /** Columns of probe 1 and of the first device. */
  probe?: object;
  device?: object;
  /** The row of the other account of the provider, where the fault is the whole provider's: it makes no request. */
  sibling?: Partial<AccountRow>;
  proof?: (stage: Stage) => Promise<unknown>;
}

const row = (line: string, given: Row['given'], outcome: Outcome = {}): Row => ({ line, given, ...outcome });

const DOCUMENTS = 'projects/thermoworks-cloud-production/databases/(default)/documents';
const at = (seconds: number) => new Date(Date.parse('2026-11-20T10:00:00Z') + seconds * 1000).toISOString();
const text = (stringValue: string) => ({ stringValue });
const map = (fields: object) => ({ mapValue: { fields } });

const patch =
  (fields: object, probe_id = '1') =>
  async (stage: Stage) =>
    stage.fault({ probe: { device_id: await stage.serial(), probe_id }, patch: fields });
const setProbe = (set: string) => async (stage: Stage) =>
  stage.fault({ probe: { device_id: await stage.serial(), probe_id: '1' }, set });
const onDevice = (fault: object) => async (stage: Stage) =>
  stage.fault({ device: await stage.serial(), ...fault });
const onAccount = (fault: object) => (stage: Stage) =>
  stage.fault({ account: stage.cloud.account().email, ...fault });
const route = (name: string, fault: object) => (stage: Stage) => stage.fault({ route: name, ...fault });
/** From now on nothing is recorded but what is scripted for probe 1. */
const script =
  (...readings: object[]) =>
  async (stage: Stage) =>
    stage.readings({ device_id: await stage.serial(), manual: true, probe_id: '1', readings });
const all =
  (...steps: ((stage: Stage) => unknown)[]) =>
  async (stage: Stage) => {
    for (const step of steps) await step(stage);
  };
const poll = (stage: Stage) => stage.tick('victim');
const pass = (seconds: number) => (stage: Stage) => stage.pass(seconds);
const expire = (stage: Stage) => stage.expire('victim');
const readUser = (stage: Stage) => stage.sql('UPDATE thermoworks_credentials SET user_read_at = NULL');

/** A channel document as the cloud shows it now; the ledger knows of it then. */
async function channel(stage: Stage, probe: number) {
  const path = `/v1/${DOCUMENTS}/devices/${await stage.serial()}/channels/${probe}`;
  const { json } = await stage.cloud.request(path, { headers: await stage.cloud.bearer() });
  return { found: json, readTime: at(30) };
}
/** The next channels are answered with these probes as `shape` makes it of them. */
const batch = (probes: number[], shape: (channels: object[]) => unknown) => async (stage: Stage) => {
  const channels = await Promise.all(probes.map((probe) => channel(stage, probe)));
  await stage.fault({ route: 'batchGet', json: shape(channels), times: 1 });
};

const ABSENT: Outcome = { rejected: { number: 1 }, probe: { state: 'absent' } };
const NO_DEVICE: Outcome = { account: { next: 300 }, calls: { 'devices 200': 1 }, fresh: 0 };
const failed = (kind: string, call: string, reason: string, calls: Record<string, number>): Outcome => ({
  account: { status: 'degraded', next: 15, last_error: `${call} failed: ${kind}, ${reason}` },
  outcome: kind,
  calls,
});
const twice = (first: object, second: object) => all(script(first), poll, pass(10), script(second));

const VALUES: Row[] = [
  row('value flips double to integer', twice({ value: 71.3 }, { value: 72 }), {
    fresh: 1,
    probe: { state: 'ok', last_value: 72 },
  }),
  row('value flips integer to double', twice({ value: 72 }, { value: 71.3 }), {
    fresh: 1,
    probe: { state: 'ok', last_value: 71.3 },
  }),
  ...Object.entries({ null: 15, absent: 15, unplugged: 12, no_probe: 12, offline: 12 }).map(([set, fresh]) =>
    row(`value null or absent: ${set}`, all(setProbe(set), pass(30)), { fresh, probe: { state: 'absent' } }),
  ),
  row('value NaN', all(setProbe('nan'), pass(30)), { ...ABSENT, fresh: 15 }),
  ...['Infinity', '-Infinity', 'NaN'].map((doubleValue) =>
    row(`value ${doubleValue} while the recent ones are well`, patch({ value: { doubleValue } }), ABSENT),
  ),
  row('value frozen: true repeats are readings', all(setProbe('frozen'), pass(30)), { fresh: 18 }),
  row('value frozen, device off', all(poll, onDevice({ set: 'off' }), pass(660)), {
    account: { next: 300 },
    calls: { 'devices 200': 1, 'channels 200': 1 },
    fresh: 0,
    probe: { state: 'stale' },
    device: { status: 'offline', is_active: true },
  }),
  row(
    'one of four RFX sensors stuck while others move: each is stored as shown',
    async (stage) => {
      await stage.fault({ probe: { device_id: await stage.serial(3), probe_id: '1' }, set: 'frozen' });
      stage.pass(30);
    },
    { options: { devices: 4 }, fresh: 18 + 10 + 1 + 16 },
  ),
  row('deviceId and serial absent', onDevice({ patch: { deviceId: null, serial: null } })),
  row(
    'deviceOrder, system and the like absent',
    all(
      onAccount({ patch: { deviceOrder: null, system: null, notificationSettings: null, fcmTokens: null } }),
      onAccount({ patch: { exportVersion: null, lastLogin: null, emailStatus: null } }),
      readUser,
    ),
    { calls: { 'user 200': 1, 'devices 200': 1, 'channels 200': 1 } },
  ),
  ...[null, text(''), { integerValue: '7' }].map((accountId) =>
    row(
      `accountId absent or empty: ${JSON.stringify(accountId)}`,
      all(onAccount({ patch: { accountId } }), readUser),
      failed('no_account', 'user', 'no_account', { 'user 200': 1 }),
    ),
  ),
  row(
    'unknown field, type key, type, device and status',
    all(
      onDevice({
        patch: { type: text('gizmo'), device: text('gizmo 9'), status: text('DANCING'), news: map({}) },
      }),
      patch({ status: text('SINGING'), type: text('laser'), alarmHigh: { quantumValue: 1 }, news: map({}) }),
    ),
    { probe: { state: 'ok', kind: 'temperature' }, device: { type: 'gizmo', model: 'gizmo 9' } },
  ),
  row('unknown type key of a value', patch({ value: { quantumValue: 7 } }), ABSENT),
  row('unknown units', patch({ units: text('K') }), { probe: { state: 'fault', unknown_unit: 'K' } }),
  row(
    'bool field as integer',
    all(
      onDevice({ patch: { batteryAlertSent: { integerValue: '0' } } }),
      patch({ enabled: { integerValue: '1' } }),
    ),
    { probe: { state: 'ok' } },
  ),
  row('bool field as integer 0: a probe switched off', patch({ enabled: { integerValue: '0' } }), {
    fresh: 6,
    probe: { state: 'disabled' },
  }),
  row(
    'alarm value double, minimum and maximum integer',
    patch({
      alarmHigh: map({ enabled: { booleanValue: true }, value: { doubleValue: 203.5 }, units: text('F') }),
      minimum: map({ reading: map({ value: { integerValue: '2' }, units: text('F') }) }),
      maximum: map({ reading: map({ value: { integerValue: '999' }, units: text('F') }) }),
    }),
    { probe: { state: 'ok' } },
  ),
  row('battery 189', onDevice({ set: 'battery_189' }), { device: { battery_percent: null } }),
  row('positive wifi', onDevice({ set: 'positive_wifi' }), { device: { signal_dbm: null } }),
  ...[
    { timestampValue: '2026-11-20T10:00:05Z' },
    { timestampValue: '2026-11-20T10:00:25.1Z' },
    { timestampValue: '2026-11-20T10:00:25.123456Z' },
    { timestampValue: '2026-11-20T10:00:25.123456789Z' },
    text('2026-11-20T10:00:25.123Z'),
    text('2026-11-20T12:00:25.5+02:00'),
  ].map((lastTelemetrySaved) =>
    row(`timestamp ${Object.values(lastTelemetrySaved)}`, patch({ lastTelemetrySaved }), { fresh: 10 }),
  ),
  row(
    'timestamp that is none, while the recent ones are well',
    patch({ lastTelemetrySaved: text('yesterday') }),
  ),
  row(
    'empty map or array without fields or values',
    patch({
      recentReadings: { arrayValue: {} },
      minimum: { mapValue: {} },
      maximum: { mapValue: {} },
      alarmHigh: { mapValue: {} },
    }),
    { fresh: 7 },
  ),
  row(
    'a document without a field that was asked for',
    all(
      patch(
        { value: null, units: null, status: null, type: null, label: null, enabled: null, lastSeen: null },
        '4',
      ),
      patch({ alarmHigh: null, recentReadings: null, lastTelemetrySaved: null }, '4'),
    ),
  ),
  row(
    'measured-at in the future, within a day: kept, flagged, no high-water mark',
    all(script({ value: 80, measured_at: at(630) }), pass(10), script({ value: 81 })),
    { fresh: 9 + 2, probe: { last_value: 81 }, proof: (stage) => flagged(stage, 80, 4) },
  ),
  row('measured-at in the future, beyond a day', script({ value: 80, measured_at: at(90_100) }), {
    fresh: 9,
    rejected: { clock: 2 },
  }),
  row('measured-at before 2015', script({ value: 80, measured_at: '2014-12-31T23:59:59Z' }), {
    fresh: 9,
    rejected: { clock: 1 },
  }),
  row(
    'measured-at going backwards: kept as late, the mark stays',
    all(script({ value: 80 }), poll, script({ value: 70, measured_at: at(15) })),
    { fresh: 1, probe: { last_value: 80 }, proof: (stage) => flagged(stage, 70, 16) },
  ),
  row(
    'same measured-at, other value: the first is kept, the second counted',
    all(script({ value: 80 }), poll, script({ value: 79, measured_at: at(30) })),
    { fresh: 0, rejected: { conflict: 1 }, probe: { last_value: 80 } },
  ),
  row(
    'label with control characters or escape codes',
    all(
      onDevice({ patch: { label: text('Bris\u0000ket\u001b[31m\u202e') } }),
      patch({ label: text('\u001b[2JP\u0007it\r\n') }),
    ),
    { probe: { label: 'Pit' }, device: { label: 'Brisket' } },
  ),
  row('a value of maps within maps', patch({ label: nested(20), value: nested(20) }), {
    rejected: { number: 1 },
  }),
];

function nested(depth: number): object {
  return depth === 0 ? text('deep') : map({ a: nested(depth - 1) });
}

async function flagged(stage: Stage, value: number, flags: number): Promise<void> {
  const rows = await stage.sql('SELECT flags FROM readings WHERE value = $1', [value]);
  expect(rows).to.deep.equal([{ flags }]);
}

const LISTS: Row[] = [
  row('gap in channel numbers', pass(300), {
    options: { devices: 2 },
    fresh: 10 * 3 + 2 * 5,
    proof: async (stage) => {
      const rows = await stage.sql(
        'SELECT probe_id FROM probes WHERE user_id = $1 AND device_id = $2 ORDER BY 1',
        [stage.user, await stage.serial(1)],
      );
      expect(rows).to.deep.equal([{ probe_id: '1' }, { probe_id: '3' }]);
    },
  }),
  row(
    'channel disappears: its history stays, the others go on',
    async (stage) => {
      const missing = `${DOCUMENTS}/devices/${await stage.serial()}/channels/1`;
      await batch([2, 3], (channels) => [{ missing, readTime: at(30) }, ...channels])(stage);
    },
    { fresh: 6, probe: { state: 'ok' } },
  ),
  row(
    'device disappears: at rest after three polls, its history stays',
    all(onDevice({ set: 'removed' }), poll, poll),
    { ...NO_DEVICE, device: { is_active: false, status: 'offline' } },
  ),
  ...[[], [{ readTime: at(30) }]].map((json) =>
    row(
      `runQuery ${JSON.stringify(json)}: no device, no error, and none forgotten`,
      route('query', { json }),
      { ...NO_DEVICE, device: { is_active: true, status: 'online' } },
    ),
  ),
  ...[{}, { documents: [] }, { document: null }].map((json) =>
    row(
      `runQuery body is an object: ${JSON.stringify(json)}`,
      route('query', { json }),
      failed('transient', 'devices', 'no_array', { 'devices 200': 1 }),
    ),
  ),
  row(
    'runQuery with elements that are no documents',
    route('query', { json: [null, 7, { document: { name: 'x' } }, { document: [] }, { done: true }] }),
    { ...NO_DEVICE, rejected: { document: 2 } },
  ),
  row(
    'batchGet in another order, with missing and with what nobody asked for',
    batch([1, 2, 3], (channels) => [
      { missing: `${DOCUMENTS}/devices/FOREIGN/channels/1` },
      ...channels.reverse(),
      { transaction: 'x' },
    ]),
  ),
  row(
    'batchGet with fewer elements than asked: unanswered is not missing, and asked again',
    all(
      batch([1], (channels) => channels),
      poll,
    ),
    { fresh: 6, probe: { state: 'ok' } },
  ),
  row('batchGet answers nothing at all', route('batchGet', { json: [] }), {
    calls: { 'devices 200': 1, 'channels 200': 1 },
    fresh: 0,
    probe: { state: 'ok' },
  }),
  row('nothing for an hour right after connecting, then fine', pass(3600), {
    options: { fault: { route: 'query', json: [{ readTime: at(0) }] } },
    account: { next: 300 },
    calls: { 'devices 200': 1 },
    fresh: 0,
    proof: async (stage) =>
      expect(await stage.sql('SELECT 1 FROM devices WHERE user_id = $1', [stage.user])).to.deep.equal([]),
  }),
];

const TWO_WAYS = { 'devices 200': 1, 'channels 403': 1, 'channel_list 403': 1 };
const AUTH: Row[] = [
  row('401 mid-poll: refreshed once, repeated once', route('batchGet', { status: 401, times: 1 }), {
    calls: { 'devices 200': 1, 'channels 401': 1, 'refresh 200': 1, 'channels 200': 1 },
  }),
  row('401 as all access tokens end', onAccount({ set: 'expire_tokens' }), {
    calls: { 'devices 401': 1, 'refresh 200': 1, 'devices 200': 1, 'channels 200': 1 },
  }),
  row(
    '401 for the new token too: a back-off, not a dead account',
    route('query', { status: 401 }),
    failed('unauthorized', 'devices', 'UNAUTHENTICATED', { 'devices 401': 2, 'refresh 200': 1 }),
  ),
  row('403 on batchGet only: another way is taken', route('batchGet', { status: 403 }), {
    calls: { 'devices 200': 1, 'channels 403': 1, 'channel_list 200': 1 },
  }),
  row(
    '403 on batchGet and on lists: each channel by itself',
    all(route('batchGet', { status: 403 }), route('list', { status: 403 })),
    { calls: { ...TWO_WAYS, 'channel 200': 4 } },
  ),
  row(
    '403 on everything',
    route('*', { status: 403, message: 'Missing or insufficient permissions.' }),
    failed('forbidden', 'devices', 'PERMISSION_DENIED', { 'devices 403': 1 }),
  ),
  row(
    '403 on every channel',
    // The first channel at once: the poll waits for the other three all the same.
    all(
      ...['batchGet', 'list'].map((name) => route(name, { status: 403 })),
      route('channel', { status: 403, times: 1 }),
      route('channel', { status: 403, delay_ms: 100 }),
    ),
    failed('forbidden', 'channel', 'PERMISSION_DENIED', { ...TWO_WAYS, 'channel 403': 4 }),
  ),
];

const KEY = 'API key not valid. Please pass a valid API key.';
const REFERER = 'Requests from referer <empty> are blocked.';
/** The second account finds the breaker open: it asks nothing, and is what it was. */
const untouched = { status: 'active', failed_polls: 0, next: 15 };
const PROVIDER: Row[] = [
  ...(
    [
      ['query', 'devices', 400, KEY, 'INVALID_ARGUMENT'],
      ['token', 'refresh', 400, KEY, 'INVALID_ARGUMENT'],
      ['token', 'refresh', 403, REFERER, 'PERMISSION_DENIED'],
      ['token', 'refresh', 403, 'The request is missing a valid API key.', 'PERMISSION_DENIED'],
    ] as const
  ).map(([name, call, status, message, reason]) =>
    row(
      `${call} ${status} "${message}": the provider's fault, users stay connected`,
      all(expire, route(name, { status, message })),
      {
        account: { ...untouched, last_error: `${call} failed: provider, ${reason}` },
        outcome: 'provider',
        calls: { ...(name === 'query' && { 'refresh 200': 1 }), [`${call} ${status}`]: 1 },
        sibling: { ...untouched, last_error: 'devices failed: provider, breaker_open' },
      },
    ),
  ),
  ...(
    [
      [{}, 60, 75],
      [{ retry_after: 7 }, 60, 75],
      [{ retry_after: 3000 }, 3000, 3750],
    ] as const
  ).map(([more, leastSeconds, openSeconds]) =>
    row(
      `429 ${JSON.stringify(more)}: nobody asks the provider for ${leastSeconds} s and more`,
      route('query', { status: 429, ...more }),
      {
        account: {
          status: 'degraded',
          next: leastSeconds * 1.25,
          last_error: 'devices failed: rate_limited, RESOURCE_EXHAUSTED',
        },
        outcome: 'rate_limited',
        calls: { 'devices 429': 1 },
        sibling: {
          status: 'degraded',
          failed_polls: 1,
          next: openSeconds * 1.25,
          last_error: 'devices failed: rate_limited, breaker_open',
        },
      },
    ),
  ),
  row(
    'web config refused: the project id is kept in the process',
    route('webConfig', { status: 403, message: REFERER, account: undefined }),
  ),
  row('web config refused after a start: the project id of the configuration is taken', async (stage) => {
    stage.restart({ projectId: 'thermoworks-cloud-production' });
    await stage.fault({ route: 'webConfig', status: 403, message: REFERER, account: undefined });
  }),
  row(
    'web config refused after a start, and none configured',
    async (stage) => {
      stage.restart();
      await stage.fault({ route: 'webConfig', status: 403, message: REFERER, account: undefined });
    },
    {
      account: { ...untouched, last_error: 'web_config failed: provider, PERMISSION_DENIED' },
      outcome: 'provider',
      calls: { 'web_config 403': 1 },
      sibling: { ...untouched, last_error: 'web_config failed: provider, breaker_open' },
    },
  ),
];

/** Route by route: the call, and how often it is made where another try may mend it. */
const ROUTES = { query: ['devices', 3], batchGet: ['channels', 3], token: ['refresh', 2] } as const;
/** @param seen how each request is counted, and what the account's error says */
const tries = (
  line: string,
  fault: object,
  [seen, reason]: [string, string],
  names: (keyof typeof ROUTES)[] = ['query', 'batchGet', 'token'],
): Row[] =>
  names.map((name) => {
    const [call, times] = ROUTES[name];
    return row(`${line}, on ${name}`, all(...(name === 'token' ? [expire] : []), route(name, fault)), {
      account: { status: 'degraded', next: 15, last_error: `${call} failed: transient, ${reason}` },
      outcome: 'transient',
      calls: {
        ...(name === 'batchGet' && { 'devices 200': 1 }),
        [`${call} ${seen}`]: seen === 'too_large' ? 1 : times,
      },
    });
  });

const DEEP = 100_000;
const ARRAYS = '['.repeat(DEEP) + ']'.repeat(DEEP);
const MAPS = `[${'{"mapValue":{"fields":{"a":'.repeat(DEEP)}1${'}}}'.repeat(DEEP)}]`;
const WRAPPED = [{ readTime: at(30) }, { error: { code: 503, status: 'UNAVAILABLE' } }];
const UNWRAPPED = { error: { code: 500, status: 'INTERNAL' } };
const TRANSPORT: Row[] = [
  ...tries('500', { status: 500 }, ['500', 'INTERNAL'], ['query']),
  ...tries('503', { status: 503 }, ['503', 'UNAVAILABLE']),
  ...tries('504', { status: 504 }, ['504', 'DEADLINE_EXCEEDED'], ['batchGet']),
  ...tries('502 with a page', { status: 502, html: true }, ['502', 'HTTP_502'], ['query', 'token']),
  ...tries('array-wrapped error in a 200', { json: WRAPPED }, ['200', 'UNAVAILABLE'], ['query', 'batchGet']),
  ...tries('error that is not wrapped', { status: 500, json: UNWRAPPED }, ['500', 'INTERNAL'], ['batchGet']),
  ...tries('reset', { drop: true }, ['network', 'network'], ['query', 'token']),
  ...tries('half a body', { cut: true }, ['network', 'network']),
  ...tries('half a body, ended well', { body: '[{"document":{"na' }, ['200', 'not_json'], ['batchGet']),
  ...tries('a sign-in page with 200', { html: true }, ['200', 'not_json']),
  ...tries('wrong content type', { content_type: 'text/plain' }, ['200', 'not_json'], ['query', 'token']),
  ...tries('50 MB', { pad_mb: 50 }, ['too_large', 'too_large'], ['query', 'batchGet']),
  ...tries('a gzip bomb of 200 MB', { pad_mb: 200, gzip: true }, ['too_large', 'too_large']),
  ...tries(`${DEEP} arrays`, { body: ARRAYS }, ['200', 'not_json'], ['query', 'token']),
  ...tries(`${DEEP} nested maps`, { body: MAPS }, ['200', 'not_json'], ['query', 'batchGet']),
  row('a gzipped megabyte: an answer like any other', route('*', { gzip: true, pad_mb: 1 })),
];

/** By what the fault is in. Those of transport leave nothing behind: they come one after the other to the same accounts. */
export const ROWS: Record<string, Row[]> = { VALUES, LISTS, AUTH, PROVIDER, TRANSPORT };

/** Answers to a refresh that say that the account must be linked again. */
export const REFUSALS = [
  'TOKEN_EXPIRED',
  'USER_DISABLED',
  'USER_NOT_FOUND',
  'INVALID_REFRESH_TOKEN',
  'PROJECT_NUMBER_MISMATCH',
  'TOKEN_EXPIRED : The credential is no longer valid.',
];
