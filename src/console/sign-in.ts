import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

const MAX_WRONG = 20;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Lets through who shows the console token: as bearer token, or, so that a browser can ask for it, as password of user
 * `operator`. After 20 wrong ones in a minute an address is not listened to for the rest of it.
 */
export function createSignIn(token: string) {
  const wanted = digest(token);
  const wrong = new Map<string, { count: number; until: number }>();
  const countWrong = (address: string) => {
    const entry = wrong.get(address) ?? { count: 0, until: performance.now() + WINDOW_MS };
    entry.count += 1;
    wrong.set(address, entry);
    const [oldest] = wrong.keys();
    if (wrong.size > MAX_ADDRESSES && oldest !== undefined) wrong.delete(oldest);
  };
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const entry = wrong.get(request.ip);
    if (entry && entry.until < performance.now()) wrong.delete(request.ip);
    else if (entry && entry.count >= MAX_WRONG) {
      return reply.status(429).header('retry-after', '60').send({ error: 'Too Many Requests' });
    }
    const shown = shownToken(request.headers.authorization);
    if (shown !== undefined && timingSafeEqual(digest(shown), wanted)) return undefined;
    if (shown !== undefined) countWrong(request.ip);
    return reply
      .status(401)
      .header('www-authenticate', 'Basic realm="Grill Stats"')
      .send({ error: 'Unauthorized' });
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function shownToken(header: string | undefined): string | undefined {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(header ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const [user, ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return user === 'operator' ? password.join(':') : '';
}

export function isChange({ method }: FastifyRequest): boolean {
  return !SAFE_METHODS.has(method);
}

/**
 * Refuses changes that another site's page asked a signed-in browser for. A browser says where a request comes from; a
 * script does not, but then it has to show the bearer token itself, which no browser adds.
 */
export function isForeignChange(request: FastifyRequest, publicUrl?: string): boolean {
  if (!isChange(request)) return false;
  const { headers } = request;
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  if (origin !== undefined) return !isOwn(origin, host, publicUrl);
  return site === undefined && !/^Bearer /i.test(headers.authorization ?? '');
}

function isOwn(origin: string, host: string | undefined, publicUrl: string | undefined): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.host === host || (publicUrl !== undefined && url.origin === new URL(publicUrl).origin);
}
