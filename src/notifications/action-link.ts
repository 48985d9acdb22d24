import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { KeyRingEntry } from '../config.js';

/** What a link in a message does to its alert (public id), until when (epoch ms). */
export interface ActionLink {
  action: 'ack' | 'snooze';
  alertId: string;
  /** What it was sent with (public id): of a later firing nobody says anything by it. */
  eventId: string;
  untilMs: number;
}

/** Makes and reads what stands in a link: whoever has it may do this one thing, and nothing else. */
export interface LinkSigner {
  sign(link: ActionLink): string;
  /** Undefined: altered, made up, of a key that is gone, or too old. */
  read(token: string, nowMs: number): ActionLink | undefined;
}

const linkSchema = z.tuple([z.enum(['ack', 'snooze']), z.uuid(), z.uuid(), z.number()]);
const TOKEN = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{1,200})\.([A-Za-z0-9_-]{43})$/;

/** HMAC-SHA-256 under a subkey of the first key of the ring; any key of it reads. `<key id>.<link>.<signature>`, base64url. */
export function createLinkSigner(keyRing: readonly KeyRingEntry[]): LinkSigner {
  const keys = new Map(keyRing.map(({ id, key }) => [id, key]));
  const signatureOf = (id: string, text: string): Buffer | undefined => {
    const key = keys.get(id);
    if (!key) return undefined;
    const subkey = Buffer.from(hkdfSync('sha256', key, '', 'grill-stats action link', 32));
    return createHmac('sha256', subkey).update(`${id}.${text}`).digest();
  };
  return {
    sign({ action, alertId, eventId, untilMs }) {
      const [newest] = keyRing;
      const text = Buffer.from(JSON.stringify([action, alertId, eventId, untilMs])).toString('base64url');
      const signature = newest && signatureOf(newest.id, text);
      if (!newest || !signature) throw new Error('no key to sign a link with');
      return `${newest.id}.${text}.${signature.toString('base64url')}`;
    },

    read(token, nowMs) {
      const [, id = '', text = '', shown = ''] = TOKEN.exec(token) ?? [];
      const wanted = signatureOf(id, text);
      const given = Buffer.from(shown, 'base64url');
      if (!wanted || given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
      const { data } = linkSchema.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
      if (!data || data[3] < nowMs) return undefined;
      return { action: data[0], alertId: data[1], eventId: data[2], untilMs: data[3] };
    },
  };
}
