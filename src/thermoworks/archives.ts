import { readArchiveFile } from './archive-file.js';
import type { CloudCaller } from './cloud-caller.js';
import { CloudError } from './cloud-error.js';
import type { Documents } from './documents.js';
import { fieldsOf, isRecord, numberOf, textOf, timeOf } from './firestore-value.js';
import { epochToMs } from './judge.js';
import { pathOf, UPDATE_TIME, wholeNumber } from './payload.js';
import type { ArchiveRows, CloudArchive, ProviderSettings } from './types.js';

const ARCHIVE_FIELDS = ['filename', 'start', 'end', 'createdOn', 'count'];
const PAGE = 100;
const MOST_PAGES = 100;
const MOST_BYTES = 50_000_000;
/** For a file, its retries included. */
const DEADLINE_MS = 180_000;

/** The device's archives that were made at `since` or later, newest first. @throws CloudError */
export async function fetchArchives(
  documents: Documents,
  accessToken: string,
  deviceId: string,
  since: Date,
): Promise<CloudArchive[]> {
  const found: CloudArchive[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { body } = await documents.get('archives', accessToken, {
      path: ['devices', deviceId, 'archive'],
      fields: ARCHIVE_FIELDS,
      page: { orderBy: 'createdOn desc', pageSize: String(PAGE), ...(pageToken && { pageToken }) },
    });
    const { documents: list = [], nextPageToken } = isRecord(body) ? body : {};
    const archives = (Array.isArray(list) ? list : []).flatMap((document) => readArchive(document) ?? []);
    found.push(...archives.filter(({ createdAt }) => createdAt >= since));
    const isPast = archives.some(({ createdAt }) => createdAt < since);
    if (isPast || typeof nextPageToken !== 'string' || nextPageToken === '') return found;
    if (nextPageToken === pageToken) break;
    pageToken = nextPageToken;
  }
  throw new CloudError('archives', 'transient', 'endless_pages');
}

/** An archive's document; null where it does not say which file holds what. */
function readArchive(document: unknown): CloudArchive | null {
  const [collection, , inner, archiveId, ...rest] = pathOf(document);
  if (!isRecord(document) || collection !== 'devices' || inner !== 'archive' || rest.length > 0) return null;
  const { updateTime } = document;
  const fields = fieldsOf(document);
  const filename = textOf(fields.filename) ?? '';
  const [startAt, endAt] = [instantOf(fields.start), instantOf(fields.end)];
  const createdAt = instantOf(fields.createdOn) ?? endAt;
  if (!archiveId || !isObjectName(filename) || !startAt || !endAt || !createdAt) return null;
  const version = typeof updateTime === 'string' && UPDATE_TIME.test(updateTime) ? updateTime : '';
  const count = wholeNumber(fields.count, 0, 1e9);
  return { archiveId, updateTime: version, filename, startAt, endAt, createdAt, count };
}

/** One that stays inside its bucket when it is put into an address. */
const isObjectName = (name: string): boolean =>
  /^[^\p{Cc}\p{Cs}]{1,500}$/u.test(name) && name.split('/').every((part) => part !== '.' && part !== '..');

/** Also epoch milliseconds, or seconds; within the years that {@link timeOf} takes. */
function instantOf(value: unknown): Date | null {
  const epoch = numberOf(value);
  if (epoch === null) return timeOf(value);
  const ms = epochToMs(epoch);
  return Math.abs(ms) <= Date.UTC(2999, 0) ? new Date(ms) : null;
}

/**
 * The rows of an archive, of at most 50 MB after inflation.
 * @throws CloudError; `too_large` where it has more, `malformed` where it is no archive
 */
export async function fetchArchiveRows(
  caller: CloudCaller,
  { hosts }: ProviderSettings,
  accessToken: string,
  { bucket, filename }: { bucket: string; filename: string },
): Promise<ArchiveRows> {
  const { body, sentAt } = await caller.send({
    call: 'archive_file',
    method: 'GET',
    url: `${hosts.storage}/v0/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(filename)}?alt=media`,
    headers: { authorization: `Bearer ${accessToken}` },
    file: { maxBytes: MOST_BYTES, deadlineMs: DEADLINE_MS },
  });
  const rows = typeof body === 'string' ? await readArchiveFile(body, sentAt) : null;
  if (!rows) throw new CloudError('archive_file', 'transient', 'malformed');
  return rows;
}
