import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';
import { InputError } from '../errors.js';
import { type HttpAnswer, HttpError, type HttpRequest, request } from '../http-client.js';
import { DeliveryError, failureOf, type Verdict } from './delivery-error.js';
import { isPrivateName, isPublicAddress } from './public-address.js';

/** Requests to addresses that users chose. */
export interface Outbound {
  /** Before an address is saved: its form, and where its name points now if that is known. @throws InputError */
  check(url: string): Promise<void>;
  /** Answers only with 2xx; at most 8 s, 64 KiB, no redirects. @throws DeliveryError, or HttpError when aborted */
  post(url: string, what: OutboundRequest): Promise<HttpAnswer>;
  /** By the same rules. */
  get(url: string, what: Pick<HttpRequest, 'signal'>): Promise<HttpAnswer>;
}

interface OutboundRequest extends Pick<HttpRequest, 'headers' | 'body' | 'signal'> {
  /** How a service says what went wrong, where it says more than the status. */
  classify?: (answer: HttpAnswer) => Verdict | undefined;
}

const LIMITS = { timeoutMs: 8_000, maxBytes: 65_536 };
const LOOKUP_MS = 3_000;
const BLOCKED = 'EBLOCKED';
const PRIVATE = 'is at a private address, which only ALLOW_PRIVATE_WEBHOOKS permits';

/** @param lookup in place of the system's: what it answers is what is dialled */
export function createOutbound({
  allowPrivate,
  lookup = dns.lookup,
  now = () => new Date(),
}: {
  allowPrivate: boolean;
  lookup?: LookupFunction;
  now?: () => Date;
}): Outbound {
  const agents = guardedAgents({ allowPrivate, lookup });

  async function send(method: 'POST' | 'GET', url: string, { classify, ...what }: OutboundRequest) {
    const reason = refusalOf(url, allowPrivate);
    if (reason) throw new DeliveryError(`the address ${reason}`, 'refused');
    const answer = await request({ method, url, ...what, ...LIMITS, agents }).catch(toFailure);
    const failure = failureOf(answer, now(), classify?.(answer));
    if (failure) throw failure;
    return answer;
  }

  return {
    async check(url) {
      const reason = refusalOf(url, allowPrivate);
      if (reason) throw new InputError(`--url ${reason}`);
      if (allowPrivate || (await pointsOutside(new URL(url).hostname, lookup))) return;
      throw new InputError(`--url ${PRIVATE}`);
    },

    post: (url, what) => send('POST', url, what),
    get: (url, what) => send('GET', url, what),
  };
}

/** Agents that dial public addresses only, judged where the connection is made: literals, and each answer for a name. */
export function guardedAgents({ allowPrivate, lookup }: { allowPrivate: boolean; lookup: LookupFunction }) {
  const options = {
    allowPrivateIPAddress: allowPrivate,
    allowMetaIPAddress: allowPrivate,
    lookup: allowPrivate ? lookup : guardedLookup(lookup),
  };
  return { http: new RequestFilteringHttpAgent(options), https: new RequestFilteringHttpsAgent(options) };
}

/** Stricter than the agents' own check, which takes IPv6 that nobody was given for public. */
function guardedLookup(lookup: LookupFunction): LookupFunction {
  return (name, options, done) =>
    lookup(name, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
      if (error || addresses.every(isPublicAddress)) return done(error, found, family);
      done(Object.assign(new Error(`${name} is at a private address`), { code: BLOCKED }), '');
    });
}

/** What is wrong with the address itself, or nothing. */
function refusalOf(text: string, allowPrivate: boolean): string | undefined {
  if (text.length > 2_000 || !URL.canParse(text)) return 'is not a URL';
  const { protocol, username, password, hostname, port } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be an https:// URL';
  if (username !== '' || password !== '') return 'must not hold a name or password';
  if (allowPrivate) return undefined;
  const host = hostname.replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1');
  const isLiteral = /^[\d.]+$|:/.test(host);
  if (isLiteral ? !isPublicAddress(host) : isPrivateName(host)) return PRIVATE;
  return protocol === 'https:' && port === '' ? undefined : 'must be https:// on port 443';
}

/** A name that does not resolve now, or not soon, passes: each attempt looks again. */
async function pointsOutside(host: string, lookup: LookupFunction): Promise<boolean> {
  if (host.startsWith('[')) return true;
  const resolved = new Promise<boolean>((resolve) => {
    guardedLookup(lookup)(host, { all: true }, (error) => resolve(error?.code !== BLOCKED));
  });
  return Promise.race([resolved, after(LOOKUP_MS, true, { ref: false })]);
}

function toFailure(error: unknown): never {
  if (!(error instanceof HttpError) || error.kind === 'aborted') throw error;
  if (error.kind === 'blocked' || error.code === BLOCKED)
    throw new DeliveryError(`the address ${PRIVATE}`, 'refused');
  throw new DeliveryError(error.message, 'retry');
}
