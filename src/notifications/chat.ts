import type { z } from 'zod';
import { InputError } from '../errors.js';
import type { Target } from './channel.js';
import { linesOf } from './group-message.js';
import { inert, type Message } from './message.js';

const LOOKS = {
  info: { emoji: 'ℹ️', color: 0x1976d2 },
  warning: { emoji: '⚠️', color: 0xf9a825 },
  critical: { emoji: '🚨', color: 0xd32f2f },
};

/** How a message looks in a chat: what leads its title, and the colour (RGB) beside it. */
export function lookOf({ type, severity }: Message): { emoji: string; color: number } {
  return type === 'alert.resolved' ? { emoji: '✅', color: 0x2e7d32 } : LOOKS[severity];
}

/** One short line that calls nobody: a space of no width parts each @ from the name behind it, e-mail addresses stay. */
export function calm(text: string, maxLength: number): string {
  return inert(text, maxLength).replace(/(?<![\w.+-])@(?=\w)/g, '@\u200b');
}

/** What a message says, each line of it {@link calm}. */
export function calmLines(message: Message, maxLength: number): string {
  return linesOf(message)
    .map((line) => calm(line, maxLength))
    .join('\n');
}

/** What a service says went wrong, for the channel's owner. */
export function sayingOf(text: string, secret: string | null): string {
  return inert(secret ? text.replaceAll(secret, '…') : text, 200);
}

/** An answer's JSON; undefined where it has not this form. */
export function answerOf<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * Parts a webhook's address from the secret at its end, which `--url` holds unless it is given by itself.
 * @param form of the path: the open part and the secret
 * @throws InputError if it has another
 */
export function withoutSecret({ url, secret }: Target, form: RegExp, example: string): Target {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  const given = address?.pathname.replace(/\/$/, '') ?? '';
  const [, path, end] = form.exec(secret === null ? given : `${given}/${secret}`) ?? [];
  if (!address || path === undefined || end === undefined) {
    throw new InputError(`--url must be ${example}, where the last part may come by --secret-stdin`);
  }
  address.pathname = path;
  return { url: address.href, secret: end };
}

/** The whole address again. */
export function withSecret({ url, secret }: Target): URL {
  const address = new URL(url);
  address.pathname += `/${secret ?? ''}`;
  return address;
}
