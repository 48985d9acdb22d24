import { z } from 'zod';
import type { HttpAnswer } from '../http-client.js';
import type { Channel } from './channel.js';
import { answerOf, calm, calmLines, lookOf, sayingOf, withoutSecret, withSecret } from './chat.js';
import type { Verdict } from './delivery-error.js';
import { actionsOf } from './message.js';

const FORM = /^(\/api(?:\/v\d+)?\/webhooks\/\d+)\/([\w-]{1,200})$/;
const EXAMPLE = 'that of a webhook, https://discord.com/api/webhooks/…/…';
/** Unknown channel, unknown webhook, invalid webhook token: nothing ever arrives again. */
const GONE = [10003, 10015, 50027];
const headers = { 'Content-Type': 'application/json' };
const sent = z.object({ id: z.string().regex(/^\d{1,30}$/) });
const failed = z.object({
  code: z.number().optional(),
  message: z.string().default(''),
  retry_after: z.number().nonnegative().optional(),
});

/** A message through a Discord webhook; the last part of its URL is the secret, and `?thread_id=` may name a thread. */
export const discord: Channel = {
  prepare: (given) => withoutSecret(given, FORM, EXAMPLE),

  // The link stands in the text: an embed's own is checked, and one that is not public is an error.
  render(message, _, publicUrl) {
    const { emoji, color } = lookOf(message);
    const link = publicUrl ? `\n<${publicUrl}>` : '';
    const actions = actionsOf(message).map(({ label, url }) => `\n${literal(calm(label, 60))}: <${url}>`);
    return JSON.stringify({
      content: `${emoji} ${literal(calm(message.title, 200))}`,
      embeds: [{ description: `${literal(calmLines(message, 1000))}${actions.join('')}${link}`, color }],
      allowed_mentions: { parse: [] },
    });
  },

  async send(target, body, { outbound, signal }) {
    const address = withSecret(target);
    address.searchParams.set('wait', 'true');
    const classify = (answer: HttpAnswer) => verdictOn(answer, target.secret);
    const { status, text } = await outbound.post(address.href, { headers, body, signal, classify });
    return { statusCode: status, receipt: answerOf(sent, text)?.id ?? null };
  },
};

function verdictOn({ status, text }: HttpAnswer, secret: string | null): Verdict | undefined {
  if (status === 204 || (status === 200 && answerOf(sent, text))) return undefined;
  if (status < 300) return { fate: 'retry', reason: 'without a message' };
  const answer = answerOf(failed, text);
  if (!answer) return undefined;
  const { code = 0, message, retry_after: seconds = 0 } = answer;
  const verdict = { reason: sayingOf(message, secret), retryAfterMs: Math.ceil(seconds * 1000) };
  return GONE.includes(code) ? { ...verdict, fate: 'gone' } : verdict;
}

function literal(text: string): string {
  return text.replace(/[\\`*_~|<>[\]()#]/g, '\\$&');
}
