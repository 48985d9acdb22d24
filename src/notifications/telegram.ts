import { z } from 'zod';
import { InputError } from '../errors.js';
import type { HttpAnswer } from '../http-client.js';
import type { Channel } from './channel.js';
import { answerOf, calm, calmLines, lookOf, sayingOf } from './chat.js';
import type { Verdict } from './delivery-error.js';
import { actionsOf } from './message.js';

const headers = { 'Content-Type': 'application/json' };
const sent = z.object({ ok: z.literal(true), result: z.object({ message_id: z.number() }) });
const failed = z.object({
  ok: z.literal(false),
  description: z.string().default(''),
  parameters: z.object({ retry_after: z.number().nonnegative().optional() }).optional(),
});

/** A message from a Telegram bot: the URL is the Bot API's with the chat's id behind it, the secret the bot's token. */
export const telegram: Channel = {
  prepare({ url, secret }) {
    chatOf(url);
    if (secret !== null && /^\d{1,20}:[\w-]{20,100}$/.test(secret)) return { url, secret };
    throw new InputError('--secret-stdin must give the token of the bot, as @BotFather shows it: 123456:…');
  },

  // Plain text: without parse_mode nothing in it is formatting.
  render(message, { url }, publicUrl) {
    const title = `${lookOf(message).emoji} ${calm(message.title, 200)}`;
    const actions = actionsOf(message).map((action) => `${calm(action.label, 60)}: ${action.url}`);
    return JSON.stringify({
      chat_id: chatOf(url).chat,
      text: [title, calmLines(message, 1000), ...actions, ...(publicUrl ? [publicUrl] : [])].join('\n'),
      link_preview_options: { is_disabled: true },
    });
  },

  async send({ url, secret }, body, { outbound, signal }) {
    const classify = (answer: HttpAnswer) => verdictOn(answer, secret);
    const method = `${chatOf(url).api}bot${secret}/sendMessage`;
    const { status, text } = await outbound.post(method, { headers, body, signal, classify });
    return { statusCode: status, receipt: String(answerOf(sent, text)?.result.message_id) };
  },
};

function verdictOn({ status, text }: HttpAnswer, secret: string | null): Verdict | undefined {
  if (status < 300) return answerOf(sent, text) ? undefined : { fate: 'retry', reason: 'without a message' };
  const answer = answerOf(failed, text);
  if (!answer) return undefined;
  const retryAfterMs = (answer.parameters?.retry_after ?? 0) * 1000;
  const verdict = { reason: sayingOf(answer.description, secret), retryAfterMs };
  // The token was revoked; the bot was blocked, thrown out or never let in.
  return status === 401 || status === 403 ? { ...verdict, fate: 'gone' } : verdict;
}

/** @throws InputError if the URL's last segment is not a chat */
function chatOf(url: string): { api: string; chat: string } {
  const [, api, chat] = /^(https?:\/\/[^?#]+\/)(-?\d{1,20}|@\w{4,32})\/?$/.exec(url) ?? [];
  if (api !== undefined && chat !== undefined) return { api, chat };
  throw new InputError(
    '--url must be https://api.telegram.org/ and the id of the chat, such as -1001234567890 or @channel_name',
  );
}
