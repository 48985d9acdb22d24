import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { CredentialManager } from '../../src/accounts/credential-manager.js';
import { UserManager } from '../../src/accounts/user-manager.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { JOB_SCHEMAS } from '../../src/queues/jobs.js';
import { parseJsonBody } from '../../src/thermoworks/json-body.js';
import { startReceiver } from '../notifications/receiver.js';
import { type Home, openHome, rowText, storedRows } from '../poller/kitchen.js';
import { clientOf, pollerOf, pollParts, secretBox } from '../poller/parts.js';
import { itemsAt } from '../simulator/cloud.js';
import { CHANNEL, DOCS, NODE, READ_TIME, RFX } from '../thermoworks/documents.js';
import { type Chance, chanceOf, mutate, TIMES } from './mutations.js';

/** Of a poll: each has a sound device, whose first channel is sound, and a changed one; their second channels are changed. */
const PAIRS = 40;
const POLLS_PER_ACCOUNT = 3;
/** A whole answer may have 5 MB; what makes it longer, or nests too deep, is refused as a whole. */
const LONGEST = 30_000;

/** What the cloud shows in one poll, as JSON text: elements of a query, and channels by name. */
interface Shown {
  devices: string[];
  channels: Map<string, string>;
  /** The sound readings, as {@link storedRows} tells them. */
  siblings: string[];
}

/**
 * Polls of a cloud that mixes changed documents with sound ones, over HTTP, into the tables. Throws with the seed where a
 * poll fails, which is what a broken constraint or a job that is not as agreed does, or where a sound reading is missing.
 * @returns readings stored: sound ones, and those that changed documents brought
 */
export async function fuzzPolls({ documents, seed }: { documents: number; seed: number }) {
  const chance = chanceOf(seed);
  const home = await openHome();
  const cloud = await startReceiver();
  const counts = { siblings: 0, others: 0 };
  try {
    for (let done = 0; done < documents; done += POLLS_PER_ACCOUNT * 3 * PAIRS)
      await pollNewAccount(home, cloud, chance, counts).catch((cause) => {
        throw new Error(`seed ${seed}, an account after ${done} documents: ${cause}`, { cause });
      });
    return counts;
  } finally {
    await cloud.close();
    await home.close();
  }
}

async function pollNewAccount(
  { dataSource, empty }: Home,
  cloud: Awaited<ReturnType<typeof startReceiver>>,
  chance: Chance,
  counts: { siblings: number; others: number },
): Promise<void> {
  const client = clientOf(cloud.url);
  const ingest = createIngest({ dataSource });
  const parts = pollParts(dataSource, client, {
    tokens: async () => 'token',
    enqueue: async (job) => {
      await ingest([JOB_SCHEMAS.readings.parse(JSON.parse(JSON.stringify(job)))]);
    },
  });
  const { poller } = pollerOf(parts);
  const account = await linkedAccount(dataSource);
  const siblings: string[] = [];
  for (let poll = 0; poll < POLLS_PER_ACCOUNT; poll += 1) {
    const shown = show(chance, poll);
    cloud.answer = (response, { path, body }) => answer(response, shown, { path, body, poll });
    await poller.pollNow(account);
    siblings.push(...shown.siblings);
  }
  const stored = new Set(await storedRows(dataSource));
  expect(siblings.filter((row) => !stored.has(row))).to.deep.equal([]);
  const rows = await dataSource.query(`SELECT FROM devices WHERE device_id LIKE 'G%' AND is_active`);
  expect(rows.length).to.equal(PAIRS);
  counts.siblings += siblings.length;
  counts.others += stored.size - siblings.length;
  cloud.received.length = 0;
  client.close();
  await poller.close();
  await empty();
}

function linkedAccount(dataSource: Home['dataSource']): Promise<number> {
  const tokens = { uid: 'uidDemo0001', accessToken: 'a', refreshToken: 'r', expiresInSeconds: 3600 };
  const user = { accountId: 'accDemo01', preferredUnit: 'F' as const, timeZone: null };
  return dataSource.transaction(async (tx) => {
    const { id } = await new UserManager(tx).create({ email: 'cook@here.test' });
    return (await new CredentialManager(tx).link(id, { provider: 'thermoworks', tokens, user }, secretBox))
      .id;
  });
}

const readTimeOf = (poll: number) => new Date(READ_TIME.getTime() + poll * 60_000).toISOString();

function show(chance: Chance, poll: number): Shown {
  const readTime = readTimeOf(poll);
  const shown: Shown = { devices: [], channels: new Map(), siblings: [] };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const like = chance.pick([NODE, RFX]);
    const sound = { document: { ...like, name: `${DOCS}/devices/G${pair}`, updateTime: readTime }, readTime };
    const changed = { ...sound, document: { ...sound.document, name: `${DOCS}/devices/F${pair}` } };
    const both = [JSON.stringify(sound), changedElement(changed, 'document', chance)];
    shown.devices.push(...(chance.below(2) === 0 ? both : both.toReversed()));
    const value = 50 + pair + poll / 4;
    for (const name of [sound.document.name, changed.document.name]) {
      const first = { ...CHANNEL, name: `${name}/channels/1`, fields: soundFields(value, readTime) };
      const second = { found: { ...CHANNEL, name: `${name}/channels/2` }, readTime };
      shown.channels.set(first.name, JSON.stringify({ found: first, readTime }));
      shown.channels.set(second.found.name, changedElement(second, 'found', chance));
    }
    shown.siblings.push(
      rowText({ device_id: `G${pair}`, probe_id: '1', measured_at: readTime, value, unit: 'F' }),
    );
  }
  return shown;
}

const soundFields = (value: number, measuredAt: string) => ({
  value: { doubleValue: value },
  units: { stringValue: 'F' },
  lastTelemetrySaved: { timestampValue: measuredAt },
});

/** Mostly the document alone is changed, sometimes what is around it. */
function changedElement(
  element: { readTime: string } & Record<string, unknown>,
  key: 'document' | 'found',
  chance: Chance,
): string {
  for (;;) {
    const [whole, otherTime] = [chance.below(10) === 0, chance.below(3) === 0];
    const readTime = otherTime ? chance.pick(TIMES) : element.readTime;
    const text = whole
      ? mutate(element, chance)
      : `{"${key}":${mutate(Object(element[key]), chance)},"readTime":"${readTime}"}`;
    if (text.length < LONGEST && isJson(`[${text}]`)) return text;
  }
}

function isJson(text: string): boolean {
  try {
    return parseJsonBody(text) !== undefined;
  } catch {
    return false;
  }
}

function answer(
  response: ServerResponse,
  { devices, channels }: Shown,
  { path, body, poll }: { path: string; body: string; poll: number },
): void {
  const missing = (name: unknown) => JSON.stringify({ missing: name, readTime: readTimeOf(poll) });
  const names = path.includes(':batchGet') ? itemsAt(JSON.parse(body), 'documents') : [];
  const elements = path.includes(':runQuery')
    ? devices
    : names.map((name) => channels.get(String(name)) ?? missing(name));
  const text = path.includes('webConfig') ? '{"projectId":"demo-cloud"}' : `[${elements.join()}]`;
  response
    .writeHead(200, { 'content-type': 'application/json', date: new Date(readTimeOf(poll)).toUTCString() })
    .end(text);
}
