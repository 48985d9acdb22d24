import { type ChannelLadder, RUNGS, rungBelow } from './channel-ladder.js';
import { CloudError } from './cloud-error.js';
import { countRejected, type Rejected } from './devices.js';
import type { Documents } from './documents.js';
import { isRecord } from './firestore-value.js';
import { CHANNEL_FIELDS, readChannel } from './payload.js';
import type { ChannelsWanted, CloudChannel } from './types.js';

interface ProbeKey {
  deviceId: string;
  probeId: string;
}

export interface ChannelList {
  channels: CloudChannel[];
  /** The cloud says that there is no such channel. */
  missing: ProbeKey[];
  /** Asked for, and nothing heard: neither there nor missing. */
  unanswered: ProbeKey[];
  /** The cloud's clock at the first document; null if there is none. */
  readTime: Date | null;
  rejected: Rejected;
}

/** What a rung brought for its chunk: documents, and names (`device/probe`) that do not exist. */
interface Found {
  documents: { document: unknown; readTime: Date }[];
  missing: string[];
}

type Fetch = (documents: Documents, accessToken: string, wanted: ChannelsWanted[]) => Promise<Found>;

const UP_TO_NINE = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
const LIST_PAGE = '100';
const MOST_LIST_PAGES = 20;
const AT_ONCE = 4;

/** The channels wanted, by the cheapest way that the provider's rules allow. @throws CloudError */
export async function fetchChannels(
  documents: Documents,
  ladder: ChannelLadder,
  accessToken: string,
  wanted: ChannelsWanted[],
): Promise<ChannelList> {
  const result: ChannelList = { channels: [], missing: [], unanswered: [], readTime: null, rejected: {} };
  const pending = wanted.filter(({ probeIds }) => probeIds === null || probeIds.length > 0);
  if (pending.length === 0) return result;
  const started = ladder.start(pending.length);
  let ended = started;
  let largest = 0;
  let refused = false;
  while (pending.length > 0) {
    const { way, devices } = RUNGS[ended] ?? { way: 'single', devices: 1 };
    const chunk = pending.slice(0, devices);
    try {
      collect(result, chunk, await FETCH[way](documents, accessToken, chunk));
      largest = Math.max(largest, chunk.length);
    } catch (error) {
      if (!isDenied(error)) throw error;
      const below = rungBelow(ended, chunk.length);
      if (below !== null) {
        ended = below;
        largest = 0;
        continue;
      }
      // The last way is the proven one: no access to this device. With none at all the account has lost it.
      const nothing = result.channels.length + result.missing.length === 0;
      if (error.kind !== 'forbidden' || (nothing && pending.length === 1)) throw error;
      collect(result, chunk, { documents: [], missing: [] });
      refused = true;
    }
    pending.splice(0, chunk.length);
  }
  // A device refused in every way says nothing about the ways.
  if (!refused) ladder.settle({ started, ended, largest });
  return result;
}

function isDenied(error: unknown): error is CloudError {
  return error instanceof CloudError && (error.kind === 'forbidden' || error.kind === 'rejected');
}

function collect(result: ChannelList, chunk: ChannelsWanted[], found: Found): void {
  const asked = new Map(keysOf(chunk).map((key) => [nameOf(key), key]));
  for (const { document, readTime } of found.documents) {
    result.readTime ??= readTime;
    const read = readChannel(document, readTime);
    if (!read) {
      countRejected(result.rejected, 'document');
      continue;
    }
    // A list may show more than was asked for, and a broken answer the same twice.
    if (!asked.delete(nameOf(read.channel))) continue;
    result.channels.push(read.channel);
    for (const reason of read.rejected) countRejected(result.rejected, reason);
  }
  for (const name of found.missing) {
    const key = asked.get(name);
    if (key && asked.delete(name)) result.missing.push(key);
  }
  result.unanswered.push(...asked.values());
}

function keysOf(wanted: ChannelsWanted[]): ProbeKey[] {
  return wanted.flatMap(({ deviceId, probeIds }) =>
    (probeIds ?? UP_TO_NINE).map((probeId) => ({ deviceId, probeId })),
  );
}

function nameOf({ deviceId, probeId }: ProbeKey): string {
  return `${deviceId}/${probeId}`;
}

function pathOf({ deviceId, probeId }: ProbeKey): string[] {
  return ['devices', deviceId, 'channels', probeId];
}

/** One `batchGet` for all; its answers come in any order. */
const fetchBatch: Fetch = async (documents, accessToken, wanted) => {
  const keys = keysOf(wanted);
  const names = await Promise.all(keys.map((key) => documents.name(pathOf(key))));
  const shortNames = new Map(keys.map((key, at) => [names[at], nameOf(key)]));
  const body = { documents: names, mask: { fieldPaths: CHANNEL_FIELDS } };
  const { elements } = await documents.stream('channels', accessToken, 'batchGet', body);
  return {
    documents: elements.flatMap(({ element: { found }, readTime }) =>
      found === undefined ? [] : [{ document: found, readTime }],
    ),
    missing: elements.flatMap(({ element: { missing } }) =>
      typeof missing === 'string' ? (shortNames.get(missing) ?? []) : [],
    ),
  };
};

/** All channels of one device, page by page: what was wanted and is not among them does not exist. */
const fetchList: Fetch = async (documents, accessToken, wanted) => {
  const found: Found = { documents: [], missing: keysOf(wanted).map(nameOf) };
  for (const { deviceId } of wanted) {
    const path = ['devices', deviceId, 'channels'];
    let pageToken: string | null = null;
    let pages = 0;
    do {
      const page = { pageSize: LIST_PAGE, ...(pageToken !== null && { pageToken }) };
      const fields = CHANNEL_FIELDS;
      const { body, sentAt } = await documents.get('channel_list', accessToken, { path, fields, page });
      if (!isRecord(body)) throw new CloudError('channel_list', 'transient', 'malformed');
      const listed = Array.isArray(body.documents) ? body.documents : [];
      found.documents.push(...listed.map((document) => ({ document, readTime: sentAt })));
      pageToken = typeof body.nextPageToken === 'string' && body.nextPageToken ? body.nextPageToken : null;
      pages += 1;
    } while (pageToken !== null && pages < MOST_LIST_PAGES);
    if (pageToken !== null) throw new CloudError('channel_list', 'transient', 'endless_pages');
  }
  return found;
};

/** One request per channel, four at a time. */
const fetchSingly: Fetch = async (documents, accessToken, wanted) => {
  const found: Found = { documents: [], missing: [] };
  const fetchOne = async (key: ProbeKey) => {
    try {
      const target = { path: pathOf(key), fields: CHANNEL_FIELDS };
      const { body, sentAt } = await documents.get('channel', accessToken, target);
      found.documents.push({ document: body, readTime: sentAt });
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== 'not_found') throw error;
      found.missing.push(nameOf(key));
    }
  };
  const keys = keysOf(wanted);
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    // All of them: no request may outlive its poll.
    const settled = await Promise.allSettled(keys.slice(at, at + AT_ONCE).map(fetchOne));
    for (const one of settled) if (one.status === 'rejected') throw one.reason;
  }
  return found;
};

const FETCH: Record<'batch' | 'list' | 'single', Fetch> = {
  batch: fetchBatch,
  list: fetchList,
  single: fetchSingly,
};
