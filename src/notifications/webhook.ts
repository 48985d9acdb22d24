import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { InputError } from '../errors.js';
import type { Channel } from './channel.js';

const SECRET = /^(?:whsec_)?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/;

/** A POST of contract.md's JSON, signed after Standard Webhooks. */
export const webhook: Channel = {
  prepare({ url, secret }) {
    return { url, secret: secret === null ? toSecret(randomBytes(32)) : parseSecret(secret) };
  },

  // A receiver that puts a label into a page unescaped shall not run it; to JSON the two spellings are the same.
  render({ body, title, text, summary = text }) {
    return JSON.stringify({ ...body, summary: `${title}: ${summary}` }).replaceAll('<', '\\u003c');
  },

  async send({ url, secret }, body, { outbound, notificationId, at, signal }) {
    const headers = {
      'Content-Type': 'application/json',
      'webhook-id': notificationId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret ?? '').sign(notificationId, at, body),
    };
    const { status } = await outbound.post(url, { headers, body, signal });
    return { statusCode: status, receipt: null };
  },
};

function parseSecret(given: string): string {
  const bytes = Buffer.from(SECRET.exec(given.trim())?.[1] ?? '', 'base64');
  if (bytes.length >= 24 && bytes.length <= 64) return toSecret(bytes);
  throw new InputError('the secret must be whsec_ and the base64 of 24 to 64 bytes');
}

function toSecret(bytes: Buffer): string {
  return `whsec_${bytes.toString('base64')}`;
}
