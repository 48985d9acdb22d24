import type { Account, Accounts } from './accounts.js';
import { bodyOf, type Call, invalid, notFound } from './call.js';
import type { SimulatedClock } from './clock.js';
import { type Device, type Patch, PROBE_FAULTS, type Probe, type Recording } from './device.js';
import type { Faults } from './faults.js';
import { isRecord, type Json, list, number, record, text } from './json.js';
import type { Ledger } from './ledger.js';
import type { Value } from './value.js';

/** One request that the cloud answered. `status` is 0 where no answer went out whole. */
export interface Served {
  route: string;
  account: string | null;
  status: number;
  at: string;
}

/** Counts by route since the last reset, and the last 1,000 requests, oldest first. */
export class RequestLog {
  private counts: Record<string, number> = {};
  private last: Served[] = [];

  add(served: Served): void {
    this.counts[served.route] = (this.counts[served.route] ?? 0) + 1;
    this.last.push(served);
    if (this.last.length > 1000) this.last.shift();
  }

  read(): { counts: Record<string, number>; requests: Served[] } {
    return { counts: this.counts, requests: this.last };
  }

  reset(): void {
    this.counts = {};
    this.last = [];
  }
}

/** What the control API steers. */
export interface World {
  accounts: Accounts;
  clock: SimulatedClock;
  faults: Faults;
  ledger: Ledger;
  requests: RequestLog;
}

const DONE = { ok: true };

/**
 * The control API of tests, JSON in and out, loopback only. A bad request answers 400 {error:{message}}.
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
 * - `GET /_control/faults` → the request faults with `hits`; `DELETE` ends every fault of every kind
 * - `POST /_control/faults`, one of
 *   - {route, account?, from?, until?, times?, above_documents?, …effect}: route is webConfig, signIn, token, user,
 *     query, batchGet, list, channel, device or *; from and until are ISO on the simulated clock; above_documents
 *     fits only requests for more documents. Effects: delay_ms (real time; alone: then the true answer),
 *     drop: true, cut: true (half of the true body), html: true, json (any value, status 200 unless given),
 *     status with message?, status_text?, body? (raw text), retry_after? (header)
 *   - {probe: {device_id, probe_id}, set?, patch?}: set is absent, null, nan, no_probe, offline, unplugged, frozen,
 *     celsius, stopped or ok, from the next recording on; patch lays {field: Firestore value | null} over the document
 *   - {device: id, set?, patch?}: set is off, removed, battery_189, positive_wifi, no_latest_reading or ok
 *   - {account: E, set?, patch?}: set is revoked (with message, default TOKEN_EXPIRED), rotate_strict,
 *     rotate_lenient, rotate_off, expire_tokens, token_lifetime (with seconds) or ok
 */
export function control(call: Call, world: World): unknown {
  const [, what = '', ...rest] = call.path;
  if (rest.length > 0) throw notFound('Control route');
  switch (`${call.method} ${what}`) {
    case 'GET ledger':
      return world.ledger.since(Number(call.query.get('since') ?? 0));
    case 'GET accounts':
      return world.accounts.all.map(credentials);
    case 'GET devices':
      return getAccount(world, call.query.get('account')).devices(call.nowMs).map(outline);
    case 'GET requests':
      return world.requests.read();
    case 'DELETE requests':
      world.requests.reset();
      return DONE;
    case 'POST clock':
      world.clock.set(bodyOf(call));
      return { now: new Date(world.clock.now()).toISOString(), speed: world.clock.speed };
    case 'GET clock':
      return { now: new Date(call.nowMs).toISOString(), speed: world.clock.speed };
    case 'GET faults':
      return world.faults.list();
    case 'POST faults':
      return inject(bodyOf(call), world, call.nowMs);
    case 'DELETE faults':
      world.faults.clear();
      for (const account of world.accounts.all) account.clear(call.nowMs);
      return DONE;
    case 'POST readings':
      return script(bodyOf(call), world, call.nowMs);
    default:
      throw notFound('Control route');
  }
}

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

function script(body: Json, world: World, nowMs: number): unknown {
  const device = getDevice(world, body.device_id, nowMs);
  if (typeof body.manual === 'boolean') device.manual = body.manual;
  if (body.probe_id === undefined) return DONE;
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
  return DONE;
}

function inject(body: Json, world: World, nowMs: number): unknown {
  const set = text(body.set);
  if (body.route !== undefined) world.faults.add(body);
  else if (body.probe !== undefined) {
    const { device_id, probe_id } = record(body.probe);
    const device = getDevice(world, device_id, nowMs);
    const probe = getProbe(device, probe_id);
    if (set !== undefined && set !== 'ok' && !PROBE_FAULTS[set]) throw invalid(`no probe fault ${set}`);
    if (set !== undefined) probe.fault = set === 'ok' ? undefined : set;
    lay(body.patch, probe, nowMs);
    if (body.patch !== undefined) device.touch(device, nowMs);
  } else if (body.device !== undefined) setDevice(body, getDevice(world, body.device, nowMs), nowMs);
  else setAccount(body, getAccount(world, body.account), nowMs);
  return DONE;
}

/** Adds to the fields laid over a document: one more write of it. */
function lay(patch: unknown, target: { patch: Patch; updatedMicros: number }, nowMs: number): void {
  if (!isPatch(patch)) return;
  target.patch = { ...target.patch, ...patch };
  target.updatedMicros = Math.max(target.updatedMicros + 1, nowMs * 1000);
}

const isValue = (value: unknown): value is Value => isRecord(value) && Object.keys(value).length === 1;
const isPatch = (patch: unknown): patch is Patch =>
  isRecord(patch) && Object.values(patch).every((value) => value === null || isValue(value));

const DEVICE_PATCHES: Record<string, Patch> = {
  battery_189: { battery: { integerValue: '189' } },
  positive_wifi: { wifi_stength: { integerValue: '47' } },
  no_latest_reading: { latestReading: null, lastTelemetrySaved: null },
};

function setDevice({ set, patch }: Json, device: Device, nowMs: number): void {
  if (set === 'off' || set === 'removed') device.fault = set;
  else if (set === 'ok') device.fault = undefined;
  else if (set !== undefined && !DEVICE_PATCHES[String(set)]) throw invalid(`no device fault ${set}`);
  lay(patch ?? DEVICE_PATCHES[String(set)], device, nowMs);
}

function setAccount({ set, message, seconds, patch }: Json, account: Account, nowMs: number): void {
  lay(patch, account, nowMs);
  switch (set) {
    case undefined:
      return;
    case 'revoked':
      account.revoked = text(message) ?? 'TOKEN_EXPIRED';
      return;
    case 'rotate_strict':
      account.rotation = 'strict';
      return;
    case 'rotate_lenient':
      account.rotation = 'lenient';
      return;
    case 'rotate_off':
      account.rotation = undefined;
      return;
    case 'expire_tokens':
      account.generation += 1;
      return;
    case 'token_lifetime':
      account.tokenSeconds = number(seconds) ?? 3600;
      return;
    case 'ok':
      account.clear(nowMs);
      return;
    default:
      throw invalid(`no account fault ${set}`);
  }
}
