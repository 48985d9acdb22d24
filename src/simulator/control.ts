import type { Account, Accounts } from './accounts.js';
import { bodyOf, type Call, invalid, notFound } from './call.js';
import type { SimulatedClock } from './clock.js';
import type { Device } from './device.js';
import type { Faults } from './faults.js';
import { isRecord, type Json, list, number, record, text } from './json.js';
import type { Ledger } from './ledger.js';
import { type Patch, PROBE_FAULTS, type Probe, type Recording } from './recording.js';
import type { Value } from './value.js';

/** One request that the cloud answered. `status` is 0 where no answer went out whole. */
export interface Served {
  route: string;
  account: string | null;
  status: number;
  at: string;
}

/** What the control API steers. */
export interface World {
  accounts: Accounts;
  clock: SimulatedClock;
  faults: Faults;
  ledger: Ledger;
  /** Since the last reset; {@link logRequest} adds. */
  requests: { counts: Record<string, number>; last: Served[] };
}

/** Counts a request, and keeps the last 1,000. */
export function logRequest({ requests: { counts, last } }: World, served: Served): void {
  counts[served.route] = (counts[served.route] ?? 0) + 1;
  last.push(served);
  if (last.length > 1000) last.shift();
}

/**
 * The control API of tests, JSON in and out, open to whoever reaches the port. A bad request answers 400 {error:{message}}.
 *
 * - `GET /_control/ledger[?since=N]` → LedgerEntry[] (served > N)
 * - `GET /_control/accounts` → {email, password, refresh_token, uid, account_id}[]
 * - `GET /_control/devices?account=E` → {device_id, label, type, probes: {probe_id, label, unit}[]}[]
 * - `GET /_control/requests` → {counts: {route: n}, requests: Served[]}; `DELETE` resets both
 * - `GET /_control/clock` → {now, speed}; `POST` {advance_seconds?, now?: ISO, speed?} → the same
 * - `POST /_control/readings` {device_id, manual?, probe_id?, readings?, publish? = true, touch_device? = publish}:
 *   readings are {measured_at?: ISO = now, value?: number | null | 'NaN' (left out: field absent), unit?, status?}.
 *   `manual: true` stops the device's own recordings, false resumes them. `publish: false` keeps readings back
 *   until the probe's next publishing call; with `touch_device: true` the device document tells of them already.
 * - `POST /_control/archives` {device_id, type? = 'manual' | 'auto', start?, end?, created?: ISO} closes the running
 *   recording, which began with the simulator or at the end of the one before, and ends now → {archive_id, filename,
 *   count}; an earlier start is told, too. Or {device_id, every_seconds}: recordings close by themselves (0: none do),
 *   as those of loggers do daily; their archives are there 10 min later
 * - `GET /_control/faults` → the request faults with `hits`; `DELETE` ends every fault of every kind
 * - `POST /_control/faults`, one of
 *   - {route, account?, from?, until?, times?, above_documents?, …effect}: route is webConfig, signIn, token, user,
 *     query, batchGet, list, channel, device, archives, archive, file or *; from and until are ISO on the simulated clock; above_documents
 *     fits only requests for more documents. Effects: delay_ms (real time; alone: then the true answer),
 *     drop: true, cut: true (half of the true body), html: true, json (any value, status 200 unless given),
 *     status with message?, status_text?, body? (raw text), retry_after? (header); and of any answer, true or not:
 *     content_type, gzip: true, pad_mb (so many megabytes of blanks behind it), drip_ms (a byte each so often).
 *     And of a file: rows (how many, of the same time) and shape: half (as one still being written), unsorted,
 *     celsius, seconds, iso (times), short_rows (every third row)
 *   - {probe: {device_id, probe_id}, set?, patch?}: set is absent, null, nan, no_probe, offline, unplugged, frozen,
 *     celsius, stopped or ok, from the next recording on; patch lays {field: Firestore value | null} over the document
 *   - {device: id, set?, patch?}: set is off, removed, battery_189, positive_wifi, no_latest_reading or ok
 *   - {account: E, set?, patch?}: set is revoked (with message, default TOKEN_EXPIRED), rotate_strict,
 *     rotate_lenient, rotate_off, expire_tokens, token_lifetime (with seconds) or ok
 */
export function control(call: Call, world: World): unknown {
  const handle = ROUTES[`${call.method} ${call.path.slice(1).join('/')}`];
  if (!handle) throw notFound('Control route');
  return handle(world, call) ?? { ok: true };
}

const ROUTES: Record<string, (world: World, call: Call) => unknown> = {
  'GET ledger': ({ ledger }, { query }) => ledger.since(Number(query.get('since') ?? 0)),
  'GET accounts': ({ accounts }) => accounts.all.map(credentials),
  'GET devices': (world, { query, nowMs }) =>
    getAccount(world, query.get('account')).devices(nowMs).map(outline),
  'GET requests': ({ requests }) => ({ counts: requests.counts, requests: requests.last }),
  'DELETE requests': ({ requests }) => {
    Object.assign(requests, { counts: {}, last: [] });
  },
  'GET clock': ({ clock }) => clock.read(),
  'POST clock': ({ clock }, call) => clock.set(bodyOf(call)),
  'GET faults': ({ faults }) => faults.list(),
  'POST faults': (world, call) => inject(bodyOf(call), world, call.nowMs),
  'DELETE faults': ({ faults, accounts }, { nowMs }) => {
    faults.clear();
    for (const account of accounts.all) account.clear(nowMs);
  },
  'POST readings': (world, call) => script(bodyOf(call), world, call.nowMs),
  'POST archives': (world, call) => archive(bodyOf(call), world, call.nowMs),
};

/** What a client needs to link an account. */
export const credentials = ({ email, password, refreshToken, uid, accountId }: Account) => ({
  email,
  password,
  refresh_token: refreshToken,
  uid,
  account_id: accountId,
});

const outline = (device: Device) => ({
  device_id: device.id,
  label: device.fields().label?.stringValue,
  type: device.fields().type?.stringValue,
  probes: [...device.probes.values()].map(({ spec }) => ({
    probe_id: spec.id,
    label: spec.label,
    unit: spec.unit,
  })),
});

function getAccount({ accounts }: World, email: unknown): Account {
  const account = accounts.find(text(email) ?? '');
  if (!account) throw invalid(`no account ${email}`);
  return account;
}

function getDevice({ accounts }: World, id: unknown, nowMs: number): Device {
  const found = accounts.findDevice(text(id) ?? '', nowMs);
  if (!found) throw invalid(`no device ${id}`);
  return found.device;
}

function getProbe(device: Device, id: unknown): Probe {
  const probe = device.probes.get(text(id) ?? '');
  if (!probe) throw invalid(`device ${device.id} has no probe ${id}`);
  return probe;
}

function script(body: Json, world: World, nowMs: number): void {
  const device = getDevice(world, body.device_id, nowMs);
  if (typeof body.manual === 'boolean') device.manual = body.manual;
  if (body.probe_id === undefined) return;
  const probe = getProbe(device, body.probe_id);
  const readings = list(body.readings).map((given): Recording => {
    const { measured_at, value, unit, status } = record(given);
    const at = measured_at === undefined ? nowMs : Date.parse(String(measured_at));
    if (Number.isNaN(at)) throw invalid(`measured_at ${measured_at} is no time`);
    const shown = value === 'NaN' ? Number.NaN : value === null ? null : number(value);
    return { at, value: shown, unit: text(unit) ?? probe.spec.unit, status: text(status) };
  });
  const publish = body.publish !== false;
  const touchDevice = typeof body.touch_device === 'boolean' ? body.touch_device : publish;
  device.script(probe, readings, { publish, touchDevice, nowMs });
}

function archive(body: Json, world: World, nowMs: number): unknown {
  const device = getDevice(world, body.device_id, nowMs);
  const everySeconds = number(body.every_seconds);
  if (everySeconds !== undefined) {
    device.archiveEveryMs = everySeconds * 1000;
    return undefined;
  }
  const time = (given: unknown) => (given === undefined ? undefined : Date.parse(String(given)));
  const [startMs, endMs, createdMs] = [time(body.start), time(body.end), time(body.created)];
  if ([startMs, endMs, createdMs].some(Number.isNaN)) throw invalid('start, end and created are times');
  const type = body.type === 'auto' ? 'auto' : 'manual';
  const { id, filename, count } = device.closeNow(nowMs, { startMs, endMs, createdMs, type });
  return { archive_id: id, filename, count };
}

function inject(body: Json, world: World, nowMs: number): void {
  if (body.route !== undefined) world.faults.add(body);
  else if (body.probe !== undefined) {
    const { device_id, probe_id } = record(body.probe);
    const device = getDevice(world, device_id, nowMs);
    const probe = getProbe(device, probe_id);
    const faults = Object.keys(PROBE_FAULTS).map((fault) => [fault, { fault }]);
    change(probe, body, { ...Object.fromEntries(faults), ok: { fault: undefined } }, nowMs);
    if (body.patch !== undefined || body.set === 'ok') device.touch(device, nowMs);
  } else if (body.device !== undefined)
    change(getDevice(world, body.device, nowMs), body, DEVICE_FAULTS, nowMs);
  else {
    const account = getAccount(world, body.account);
    change(account, body, accountFaults(account, body), nowMs);
  }
}

const DEVICE_FAULTS = {
  off: { fault: 'off' },
  removed: { fault: 'removed' },
  ok: { fault: undefined },
  battery_189: { patch: { battery: { integerValue: '189' } } },
  positive_wifi: { patch: { wifi_stength: { integerValue: '47' } } },
  no_latest_reading: { patch: { latestReading: null, lastTelemetrySaved: null } },
};

const accountFaults = ({ generation }: Account, { message, seconds }: Json) => ({
  revoked: { revoked: text(message) ?? 'TOKEN_EXPIRED' },
  rotate_strict: { rotation: 'strict' },
  rotate_lenient: { rotation: 'lenient' },
  rotate_off: { rotation: undefined },
  expire_tokens: { generation: generation + 1 },
  token_lifetime: { tokenSeconds: number(seconds) ?? 3600 },
  ok: { revoked: undefined, rotation: undefined, tokenSeconds: 3600 },
});

/** Sets what `set` names (ok: ends it and all that was laid), and lays `patch` over the document: one more write of it. */
function change(
  target: Device | Probe | Account,
  { set, patch }: Json,
  faults: Record<string, object>,
  nowMs: number,
): void {
  const chosen = record(set === undefined ? {} : faults[String(set)]);
  if (set !== undefined && !faults[String(set)])
    throw invalid(`set is one of ${Object.keys(faults).join(', ')}`);
  const laid = { ...record(chosen.patch), ...record(patch) };
  if (!isPatch(laid)) throw invalid('patch holds Firestore values and null');
  const isWritten = set === 'ok' || Object.keys(laid).length > 0;
  const updatedMicros = isWritten ? Math.max(target.updatedMicros + 1, nowMs * 1000) : target.updatedMicros;
  const before = set === 'ok' ? {} : target.patch;
  Object.assign(target, chosen, { patch: { ...before, ...laid }, updatedMicros });
}

const isValue = (value: unknown): value is Value => isRecord(value) && Object.keys(value).length === 1;
const isPatch = (patch: unknown): patch is Patch =>
  isRecord(patch) && Object.values(patch).every((value) => value === null || isValue(value));
