import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Received } from './receiver.js';

/** What a chat service does with a request, after its documentation. */
export interface ChatService {
  kind: 'slack' | 'discord' | 'telegram';
  /** As a user gives them, behind the server's address. */
  path: string;
  secret: string;
  /** Where requests must arrive. */
  endpoint: string;
  /** The documented body, with its limits and nothing else. */
  body: z.ZodType;
  receipt: string | null;
  accept: (response: ServerResponse) => void;
  /** For a body that is not the documented one. */
  invalid: (response: ServerResponse) => void;
  unknown: (response: ServerResponse) => void;
}

export const say = (response: ServerResponse, status: number, body: unknown, headers = {}) => {
  const isText = typeof body === 'string';
  const type = isText ? 'text/html' : 'application/json';
  response.writeHead(status, { 'Content-Type': type, ...headers }).end(isText ? body : JSON.stringify(body));
};

const block = z.union([
  z.strictObject({
    type: z.literal('section'),
    text: z.strictObject({
      type: z.literal('plain_text'),
      text: z.string().min(1).max(3000),
      emoji: z.literal(false),
    }),
  }),
  z.strictObject({
    type: z.literal('context'),
    elements: z
      .array(
        z.strictObject({
          type: z.literal('mrkdwn'),
          text: z.string().regex(/^<https?:[^<>|]+\|Grill Stats>$/),
        }),
      )
      .min(1)
      .max(10),
  }),
]);

const SLACK: ChatService = {
  kind: 'slack',
  path: '/services/T00000001/B00000002',
  secret: 'sLaCkSeCrEt0123456789aBc',
  endpoint: '/services/T00000001/B00000002/sLaCkSeCrEt0123456789aBc',
  body: z.strictObject({
    text: z.string().min(1).max(4000),
    mrkdwn: z.literal(false),
    link_names: z.literal(false),
    unfurl_links: z.literal(false),
    unfurl_media: z.literal(false),
    attachments: z
      .array(
        z.strictObject({
          color: z.string().regex(/^#[0-9a-f]{6}$/),
          fallback: z.string(),
          blocks: z.array(block).min(1).max(50),
        }),
      )
      .max(20),
  }),
  receipt: null,
  accept: (response) => say(response, 200, 'ok'),
  invalid: (response) => say(response, 400, 'invalid_payload'),
  unknown: (response) => say(response, 404, 'no_service'),
};

const DISCORD: ChatService = {
  kind: 'discord',
  path: '/api/webhooks/112233445566778899',
  secret: 'dIsCoRd-sEcReT_0123456789',
  endpoint: '/api/webhooks/112233445566778899/dIsCoRd-sEcReT_0123456789?wait=true',
  body: z.strictObject({
    content: z.string().min(1).max(2000),
    embeds: z
      .array(
        z.strictObject({
          description: z.string().min(1).max(4096),
          color: z.int().min(0).max(0xffffff),
        }),
      )
      .max(10),
    allowed_mentions: z.strictObject({ parse: z.array(z.string()).length(0) }),
  }),
  receipt: '1300000000000000001',
  accept: (response) =>
    say(response, 200, { type: 0, id: '1300000000000000001', channel_id: '99', embeds: [] }),
  invalid: (response) => say(response, 400, { message: 'Invalid Form Body', code: 50035, errors: {} }),
  unknown: (response) => say(response, 404, { message: 'Unknown Webhook', code: 10015 }),
};

const TELEGRAM: ChatService = {
  kind: 'telegram',
  path: '/-1001234567890',
  secret: '123456:tElEgRaM-sEcReT_0123456789abcdefg',
  endpoint: '/bot123456:tElEgRaM-sEcReT_0123456789abcdefg/sendMessage',
  body: z.strictObject({
    chat_id: z.literal('-1001234567890'),
    text: z.string().min(1).max(4096),
    link_preview_options: z.strictObject({ is_disabled: z.literal(true) }),
  }),
  receipt: '4711',
  accept: (response) =>
    say(response, 200, { ok: true, result: { message_id: 4711, date: 1, chat: { id: -1001234567890 } } }),
  invalid: (response) =>
    say(response, 400, { ok: false, error_code: 400, description: 'Bad Request: message text is empty' }),
  unknown: (response) => say(response, 401, { ok: false, error_code: 401, description: 'Unauthorized' }),
};

export const CHAT_SERVICES = [SLACK, DISCORD, TELEGRAM];

/** Answers as the service does: only what it documents is accepted, at the one address it knows. */
export function hold(service: ChatService) {
  return (response: ServerResponse, { method, path, headers, body }: Received) => {
    if (method !== 'POST' || path !== service.endpoint) return service.unknown(response);
    const isJson = headers['content-type'] === 'application/json';
    if (!isJson || !service.body.safeParse(JSON.parse(body)).success) return service.invalid(response);
    return service.accept(response);
  };
}
