import type { CloudAnswer, CloudCaller } from './cloud-caller.js';
import { type CloudCall, CloudError } from './cloud-error.js';
import { isRecord, parseTimestamp } from './firestore-value.js';
import type { ProviderSettings } from './types.js';

const DAY_MS = 86_400_000;

/** One element of a streamed answer, with the time at which the cloud read it. */
export interface StreamElement {
  element: Record<string, unknown>;
  readTime: Date;
}

/** One that is far from when the answer was sent is no clock to judge readings by. */
function readTimeOf({ readTime }: Record<string, unknown>, sentAt: Date): Date {
  const time = parseTimestamp(readTime);
  return time && Math.abs(time.getTime() - sentAt.getTime()) <= DAY_MS ? time : sentAt;
}

/** Firestore's REST calls with a user's token: get, list, and the two that stream. */
export class Documents {
  constructor(
    private readonly caller: CloudCaller,
    private readonly provider: ProviderSettings,
    private readonly projectId: () => Promise<string>,
  ) {}

  /** The full name of a document. */
  async name(path: string[]): Promise<string> {
    return [await this.root(), ...path].join('/');
  }

  /** A document, or a page of a collection, only with the fields named. */
  async get(
    call: CloudCall,
    accessToken: string,
    { path, fields, page = {} }: { path: string[]; fields: string[]; page?: Record<string, string> },
  ): Promise<CloudAnswer> {
    const mask = fields.map((field): [string, string] => ['mask.fieldPaths', field]);
    const suffix = path.map((id) => `/${encodeURIComponent(id)}`).join('');
    const url = await this.url(suffix, [...mask, ...Object.entries(page)]);
    return this.caller.send({
      call,
      method: 'GET',
      url,
      headers: { authorization: `Bearer ${accessToken}` },
    });
  }

  /** `runQuery` or `batchGet`: the elements of the answer. */
  async stream(
    call: CloudCall,
    accessToken: string,
    method: 'runQuery' | 'batchGet',
    body: object,
  ): Promise<{ elements: StreamElement[]; readTime: Date }> {
    const answer = await this.caller.send({
      call,
      method: 'POST',
      url: await this.url(`:${method}`, []),
      headers: { authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!Array.isArray(answer.body)) throw new CloudError(call, 'transient', 'no_array');
    const elements = answer.body
      .filter(isRecord)
      .map((element) => ({ element, readTime: readTimeOf(element, answer.sentAt) }));
    return { elements, readTime: elements[0]?.readTime ?? answer.sentAt };
  }

  private async url(suffix: string, query: [string, string][]): Promise<string> {
    const { hosts, apiKey } = this.provider;
    return `${hosts.firestore}/v1/${await this.root()}${suffix}?${new URLSearchParams([['key', apiKey], ...query])}`;
  }

  private async root(): Promise<string> {
    return `projects/${await this.projectId()}/databases/(default)/documents`;
  }
}
