import { CloudError } from './cloud-error.js';
import type { Documents, StreamElement } from './documents.js';
import { isRecord } from './firestore-value.js';
import type { RejectReason } from './judge.js';
import { DEVICE_FIELDS, readDevice } from './payload.js';
import type { CloudDevice } from './types.js';

/** How much of what the cloud showed was left out, by reason. */
export type Rejected = Partial<Record<RejectReason, number>>;

export interface DeviceList {
  devices: CloudDevice[];
  /** The cloud's clock when it read the first page. */
  readTime: Date;
  rejected: Rejected;
}

const PAGE = 300;
const MOST_PAGES = 100;

export function countRejected(rejected: Rejected, reason: RejectReason): void {
  rejected[reason] = (rejected[reason] ?? 0) + 1;
}

/** The account's devices, page by page in the order of their names. @throws CloudError */
export async function fetchDevices(
  documents: Documents,
  accessToken: string,
  accountId: string,
): Promise<DeviceList> {
  const devices = new Map<string, CloudDevice>();
  const rejected: Rejected = {};
  let firstReadTime: Date | undefined;
  let after: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const body = { structuredQuery: devicesOf(accountId, after) };
    const { elements, readTime } = await documents.stream('devices', accessToken, 'runQuery', body);
    firstReadTime ??= readTime;
    const found = elements.filter(({ element }) => element.document !== undefined);
    for (const { element, readTime: readAt } of found) {
      const device = readDevice(element.document, readAt);
      if (device) devices.set(device.deviceId, device);
      else countRejected(rejected, 'document');
    }
    if (found.length < PAGE) return { devices: [...devices.values()], readTime: firstReadTime, rejected };
    const last = lastNameOf(found);
    if (last === null || last === after) break;
    after = last;
  }
  throw new CloudError('devices', 'transient', 'endless_pages');
}

function devicesOf(accountId: string, after: string | null): object {
  return {
    select: { fields: DEVICE_FIELDS.map((fieldPath) => ({ fieldPath })) },
    from: [{ collectionId: 'devices' }],
    where: {
      fieldFilter: { field: { fieldPath: 'accountId' }, op: 'EQUAL', value: { stringValue: accountId } },
    },
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
    ...(after !== null && { startAt: { values: [{ referenceValue: after }], before: false } }),
    limit: PAGE,
  };
}

function lastNameOf(found: StreamElement[]): string | null {
  const document = found.at(-1)?.element.document;
  return isRecord(document) && typeof document.name === 'string' ? document.name : null;
}
