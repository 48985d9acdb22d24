import type { Account, Accounts } from './accounts.js';
import { archiveFields } from './archive.js';
import { type Answer, bodyOf, type Call, denied, invalid, notFound } from './call.js';
import { channelFields } from './channel.js';
import { APP } from './identity.js';
import { type Json, list, number, record, text } from './json.js';
import type { ShownProbe } from './ledger.js';
import { fraction } from './random.js';
import { type Fields, isoMicros } from './value.js';

const ROOT = `projects/${APP.projectId}/databases/(default)/documents`;
const PAGE_SIZE = 100;

interface Stored {
  name: string;
  fields: Fields;
  createdMicros: number;
  updatedMicros: number;
  probe?: { device_id: string; probe_id: string };
}

/** One document request of one account: reads by the rules, and keeps what channel documents it showed. */
class Reader {
  readonly shown: ShownProbe[] = [];
  readonly readTime: string;

  constructor(
    private readonly accounts: Accounts,
    readonly account: Account,
    private readonly nowMs: number,
  ) {
    this.readTime = isoMicros(nowMs * 1000 + 999);
  }

  /** The document at `path` below the root, or undefined; refused where it is another account's. */
  find([collection = '', id = '', sub, number, ...rest]: string[]): Stored | undefined {
    if (collection === 'users' && sub === undefined) {
      if (id !== this.account.uid) throw denied();
      const { updatedMicros } = this.account;
      const fields = this.account.fields(this.nowMs);
      return { name: `${ROOT}/users/${id}`, fields, createdMicros: 1_736_499_600_123_456, updatedMicros };
    }
    if (collection !== 'devices') return undefined;
    const found = this.accounts.findDevice(id, this.nowMs);
    if (!found || found.device.fault === 'removed') return undefined;
    const { owner, device } = found;
    if (owner !== this.account) throw denied();
    const { createdMicros, updatedMicros } = device;
    const name = `${ROOT}/devices/${id}`;
    if (sub === undefined) return { name, fields: device.fields(), createdMicros, updatedMicros };
    if (rest.length > 0) return undefined;
    const archive = sub === 'archive' ? device.archives.find((one) => one.id === number) : undefined;
    if (archive) {
      const micros = archive.createdMs * 1000 + 100;
      const fields = archiveFields(device, archive);
      return { name: `${name}/archive/${number}`, fields, createdMicros: micros, updatedMicros: micros };
    }
    const probe = sub === 'channels' ? device.probes.get(number ?? '') : undefined;
    if (!probe) return undefined;
    return {
      name: `${name}/channels/${number}`,
      fields: channelFields(probe),
      createdMicros,
      updatedMicros: probe.updatedMicros,
      probe: { device_id: id, probe_id: probe.spec.id },
    };
  }

  /** Document ids in the order of `__name__`. */
  deviceIds(): string[] {
    const devices = this.account.devices(this.nowMs).filter(({ fault }) => fault !== 'removed');
    return devices.map(({ id }) => id).sort();
  }

  /** Of the documents in a device's collection, in the order of `orderBy`; undefined: there is no such order. */
  idsIn(serial: string, collection: string, orderBy: string): string[] | undefined {
    const isByName = /^(__name__( asc)?)?$/.test(orderBy);
    const isByTime = collection === 'archive' && /^createdOn( asc| desc)?$/.test(orderBy);
    if (!isByName && !isByTime) return undefined;
    const device = this.find(['devices', serial]) && this.accounts.findDevice(serial, this.nowMs)?.device;
    if (collection === 'channels') return [...(device?.probes.keys() ?? [])].sort();
    const archives = [...(device?.archives ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
    if (isByTime) archives.sort((a, b) => a.createdMs - b.createdMs);
    if (orderBy.endsWith('desc')) archives.reverse();
    return archives.map(({ id }) => id);
  }

  /** As JSON, with the fields that the mask names; a document without any has no `fields`. */
  show({ name, fields: full, createdMicros, updatedMicros, probe }: Stored, mask: string[]): unknown {
    const names = mask.map((path) => path.split('.')[0]);
    const kept = Object.entries(full).filter(([field]) => mask.length === 0 || names.includes(field));
    const fields = Object.fromEntries(kept);
    if (probe) this.shown.push({ account: this.account.email, ...probe, full, fields });
    const times = { createTime: isoMicros(createdMicros), updateTime: isoMicros(updatedMicros) };
    return kept.length > 0 ? { name, fields, ...times } : { name, ...times };
  }
}

const strings = (value: unknown) => list(value).flatMap((item) => text(item) ?? []);

/** Answers get, list, runQuery and batchGet for an authenticated account. */
export function readDocuments(call: Call, accounts: Accounts, account: Account): Answer {
  const [, , project, , database] = call.path;
  if (project !== APP.projectId || database !== '(default)') throw denied();
  const reader = new Reader(accounts, account, call.nowMs);
  return { json: respond(call, reader), shown: reader.shown };
}

function respond(call: Call, reader: Reader): unknown {
  switch (call.route) {
    case 'query':
      return runQuery(record(bodyOf(call).structuredQuery), reader);
    case 'batchGet':
      return batchGet(call, reader);
    case 'list':
    case 'archives':
      return listDocuments(call, reader);
    default:
      return get(call, reader);
  }
}

function get(call: Call, reader: Reader): unknown {
  const path = call.path.slice(6);
  const stored = reader.find(path);
  if (!stored) throw notFound(`Document "${ROOT}/${path.join('/')}"`);
  return reader.show(stored, call.query.getAll('mask.fieldPaths'));
}

/** Devices of the own account, in the order of `__name__`: limit, startAt and select as Firestore has them. */
function runQuery(query: Json, reader: Reader): unknown {
  const filter = record(record(query.where).fieldFilter);
  if (record(list(query.from)[0]).collectionId !== 'devices') throw denied();
  const wanted = record(filter.value).stringValue;
  if (record(filter.field).fieldPath !== 'accountId' || filter.op !== 'EQUAL' || !wanted) throw denied();
  if (wanted !== reader.account.accountId) throw denied();
  for (const order of list(query.orderBy)) {
    const { field, direction = 'ASCENDING' } = record(order);
    if (record(field).fieldPath !== '__name__' || direction !== 'ASCENDING')
      throw invalid('Unsupported order.');
  }
  const { values, before } = record(query.startAt);
  const start = text(record(list(values)[0]).referenceValue) ?? '';
  const isPast = (name: string) => (before === true ? name >= start : name > start);
  const mask = list(record(query.select).fields).flatMap((field) => text(record(field).fieldPath) ?? []);
  const names = reader.deviceIds().filter((id) => isPast(`${ROOT}/devices/${id}`));
  const documents = names.slice(0, number(query.limit) ?? names.length).flatMap((id) => {
    const stored = reader.find(['devices', id]);
    return stored ? [{ document: reader.show(stored, mask), readTime: reader.readTime }] : [];
  });
  return documents.length > 0 ? documents : [{ readTime: reader.readTime }];
}

/** In an order of its own, duplicates merged; one document of another account fails the call. */
function batchGet(call: Call, reader: Reader): unknown {
  const { documents, mask } = bodyOf(call);
  const names = [...new Set(strings(documents))];
  const elements = names.map((name) => {
    if (!name.startsWith(`${ROOT}/`)) throw invalid(`Document name "${name}" is not in this database.`);
    const stored = reader.find(name.slice(ROOT.length + 1).split('/'));
    const found = stored && reader.show(stored, strings(record(mask).fieldPaths));
    return { place: fraction(name, call.nowMs), json: { ...(found ? { found } : { missing: name }) } };
  });
  const shuffled = elements.toSorted((a, b) => a.place - b.place);
  return shuffled.map(({ json }) => ({ ...json, readTime: reader.readTime }));
}

/** The channels or archives of a device in pages; a page token goes only with the parameters it was made for. */
function listDocuments({ path, query }: Call, reader: Reader): unknown {
  const [serial = '', collection = ''] = path.slice(7);
  const orderBy = query.get('orderBy') ?? '';
  const ids = reader.idsIn(serial, collection, orderBy);
  if (!ids) throw invalid(`Unsupported orderBy "${orderBy}".`);
  const mask = query.getAll('mask.fieldPaths');
  const scope = `${serial} ${collection} ${orderBy} ${mask.join()}`;
  const token = query.get('pageToken');
  // The characters + / = make clients prove that they encode what they send back.
  const tokenOf = (id: string) => `tok/+=${Buffer.from(`${scope} ${id}`).toString('base64')}`;
  const start = token ? ids.findIndex((id) => tokenOf(id) === token) + 1 : 0;
  if (token && start === 0) throw invalid('Page token does not fit the request.');
  const size = Math.min(Number(query.get('pageSize')) || PAGE_SIZE, PAGE_SIZE);
  const page = ids.slice(start, start + size);
  const documents = page.flatMap((id) => {
    const stored = reader.find(['devices', serial, collection, id]);
    return stored ? [reader.show(stored, mask)] : [];
  });
  const last = page.at(-1);
  const isMore = last !== undefined && start + size < ids.length;
  return { ...(documents.length > 0 && { documents }), ...(isMore && { nextPageToken: tokenOf(last) }) };
}
