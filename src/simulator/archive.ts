import type { Account, Accounts } from './accounts.js';
import { type Answer, type Call, Refusal } from './call.js';
import type { Device } from './device.js';
import { BUCKET } from './identity.js';
import { type Json, number, text } from './json.js';
import type { ArchivedRow } from './ledger.js';
import { fraction } from './random.js';
import { encodeFields, type Fields, type Plain } from './value.js';

/** A recording that was closed: its document; the file's rows are made when they are asked for. */
export interface Archive {
  id: string;
  type: string;
  filename: string;
  startMs: number;
  endMs: number;
  createdMs: number;
  /** Rows. */
  count: number;
}

function snapshot(device: Device): {
  channels: { [name: string]: Plain }[];
  deviceData: { [name: string]: Plain };
} {
  const { label, type } = device.fields();
  const channels = [...device.probes.values()].map(({ spec }) => {
    return { number: spec.id, label: spec.label, units: spec.unit, type: spec.type };
  });
  const deviceData = { serial: device.id, label: label?.stringValue, type: type?.stringValue };
  return { channels, deviceData };
}

export function archiveFields(device: Device, archive: Archive): Fields {
  const { type, filename, count, startMs, endMs, createdMs } = archive;
  const fields = encodeFields({
    ...{
      type,
      filename,
      count,
      label: '',
      notes: '',
      deviceLabel: String(snapshot(device).deviceData.label),
    },
    ...{ start: new Date(startMs), end: new Date(endMs), createdOn: new Date(createdMs), public: false },
    ...snapshot(device),
  });
  // The python client cannot read an empty list without `values`.
  return { ...fields, events: { arrayValue: { values: [] } } };
}

/** What Cloud Storage answers for an object: with `alt=media` the file, else what is known of it. */
export function readFile(call: Call, accounts: Accounts, account: Account, fault: Json = {}): Answer {
  const [, , bucket, , filename = ''] = call.path;
  const found = accounts.findDevice(filename.split('/')[1] ?? '', call.nowMs);
  const archive = found?.device.archives.find((one) => one.filename === filename);
  if (!found || !archive || bucket !== BUCKET) throw new Refusal(404, 'Not Found.');
  if (found.owner !== account) throw new Refusal(403, 'Permission denied.');
  const { device } = found;
  if (call.query.get('alt') !== 'media') {
    const created = new Date(archive.createdMs).toISOString();
    const times = { timeCreated: created, updated: created, contentType: 'text/json' };
    return { json: { name: filename, bucket, generation: String(archive.createdMs * 1000), ...times } };
  }
  const rows = rowsOf(device, archive, account.email, fault);
  const json = {
    ...{ serial: device.id, type: archive.type, label: '', notes: '', ...snapshot(device) },
    ...{ start: new Date(archive.startMs).toISOString(), end: new Date(archive.endMs).toISOString() },
    events: [],
    readings: inShape(rows, text(fault.shape)),
  };
  return { json, rows, type: 'text/json' };
}

/** Channel by channel, as they are sent. */
function rowsOf(device: Device, archive: Archive, account: string, fault: Json): ArchivedRow[] {
  const wanted = number(fault.rows);
  const probes = [...device.probes.values()].filter(({ spec }) => spec.curve);
  const spanMs = archive.endMs - archive.startMs;
  const everyMs = wanted && Math.floor((spanMs * probes.length) / wanted);
  const rows = [...device.probes.values()].flatMap((probe) =>
    device.history(probe, archive, everyMs).map(({ at, value, unit }): ArchivedRow => {
      const shown = fault.shape === 'celsius' && unit === 'F' ? celsius(value) : Number(value);
      const showsIn = shown === value ? unit : 'C';
      return { account, device_id: device.id, probe_id: probe.spec.id, at, value: shown, unit: showsIn };
    }),
  );
  const kept = wanted === undefined ? rows : rows.slice(0, wanted);
  if (fault.shape === 'half') return kept.slice(0, kept.length / 2);
  return fault.shape === 'short_rows' ? kept.filter((_, index) => index % 3 > 0) : kept;
}

const celsius = (value: number | null | undefined) => Math.round((((value ?? 0) - 32) / 1.8) * 10) / 10;

function inShape(rows: readonly ArchivedRow[], shape: string | undefined): unknown[][] {
  const timeOf = (at: number) => {
    if (shape === 'seconds') return at / 1000;
    return shape === 'iso' ? new Date(at).toISOString() : at;
  };
  const shown = rows.map(({ probe_id, at, value, unit }): unknown[] => [probe_id, timeOf(at), value, unit]);
  if (shape === 'unsorted') {
    const places = new Map(shown.map((row) => [row, fraction(String(row))]));
    return shown.sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  }
  // Instead of each row that is left out, one that ends too soon.
  if (shape === 'short_rows')
    return shown.flatMap((row, index) => (index % 2 ? [row] : [row.slice(0, 2), row]));
  return shown;
}
