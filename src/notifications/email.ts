import { setTimeout as after } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import { InputError } from '../errors.js';
import type { Channel } from './channel.js';
import type { Chart, ReadChart } from './chart.js';
import { DeliveryError } from './delivery-error.js';
import { type EmailContent, htmlBody, textBody } from './email-body.js';
import { linesOf } from './group-message.js';
import { actionsOf, inert } from './message.js';
import type { SmtpSettings } from './smtp-url.js';

/** A message without its chart is better than one that comes later. */
const CHART_TIMEOUT_MS = 1_500;

const address = z.email().max(254);
const action = z.object({ label: z.string(), url: z.string() });
const content = z.object({
  subject: z.string(),
  text: z.string(),
  actions: z.array(action).default([]),
  link: z.string().optional(),
});

/**
 * E-mail through the operator's server. Each attempt has a connection of its own: messages are few and far between, and
 * one that has idled is the one that fails at three in the morning.
 */
export function createEmail({
  smtp,
  readChart,
  timeoutMs = 8_000,
}: {
  smtp: SmtpSettings;
  readChart: ReadChart;
  /** Of an attempt, all in all. */
  timeoutMs?: number;
}): Channel {
  const { host, port, secure, auth, from } = smtp;
  const isLocal = /^(localhost|127\..*|::1)$/.test(host);
  const transport = createTransport({
    host,
    port,
    secure,
    auth,
    // A password never travels in the clear; what does not leave the machine needs no certificate.
    ...(isLocal ? { ignoreTLS: true } : { requireTLS: auth !== undefined }),
    disableFileAccess: true,
    disableUrlAccess: true,
    socketCloseTimeout: 1_000,
  });
  return {
    hasOwnTransport: true,

    prepare({ url, secret }) {
      if (secret !== null)
        throw new InputError('an e-mail channel takes no secret: that of the mail server is in SMTP_URL');
      const given = address.safeParse(url.replace(/^mailto:/i, ''));
      if (given.success) return { url: `mailto:${given.data}`, secret };
      throw new InputError('--url must be an e-mail address, such as mailto:cook@example.com');
    },

    render({ title, text, lines, advice, ...message }, _target, publicUrl) {
      const said: EmailContent = {
        subject: inert(title),
        text: linesOf({ text, lines, advice })
          .map((line) => inert(line, 1_000))
          .join('\n'),
        actions: actionsOf(message),
        link: publicUrl,
      };
      return JSON.stringify(said);
    },

    async send({ url }, rendered, { notificationId, signal }) {
      const said = content.parse(JSON.parse(rendered));
      const deadline = AbortSignal.timeout(timeoutMs);
      const chart = await chartOrNothing(readChart, notificationId);
      const mail = {
        from: { name: 'Grill Stats', address: from },
        to: { name: '', address: url.replace(/^mailto:/, '') },
        subject: said.subject,
        text: textBody(said, chart),
        html: htmlBody(said, chart),
        // The same on each attempt, so that a mail program shows one message however often it came.
        messageId: `<${notificationId}@${from.split('@')[1]}>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      };
      try {
        const { response } = await transport.sendMail(mail);
        return { statusCode: codeOf(response), receipt: inert(response, 200) };
      } catch (error) {
        if (signal?.aborted) throw error;
        throw deadline.aborted
          ? new DeliveryError(`the mail server did not finish within ${timeoutMs} ms`, 'retry')
          : toFailure(error);
      }
    },
  };
}

async function chartOrNothing(readChart: ReadChart, notificationId: string): Promise<Chart | undefined> {
  const read = readChart(notificationId).catch(() => undefined);
  return Promise.race([read, after(CHART_TIMEOUT_MS, undefined, { ref: false })]);
}

const smtpError = z.object({
  code: z.string().optional(),
  /** What the server was told when it answered so. */
  command: z.string().optional(),
  response: z.string().optional(),
  responseCode: z.number().optional(),
});

/**
 * What a failure says about another attempt. Temporary answers and lost connections may pass; so may what only the operator
 * can mend: the sign-in, the sender. What the server says for good about the recipient or the message is final, and an
 * address that is not there (RFC 3463, X.1.x, and the disabled mailbox X.2.1) switches the channel off.
 */
function toFailure(error: unknown): DeliveryError {
  const { code, command = '', response = '', responseCode } = smtpError.catch({}).parse(error);
  const said = inert(response, 200);
  const failure = (message: string, fate: DeliveryError['fate']) =>
    new DeliveryError(said === '' ? message : `${message}: ${said}`, fate, { statusCode: codeOf(response) });
  if (code === 'EAUTH' || responseCode === 530)
    return failure('the mail server refuses the sign-in, see SMTP_URL', 'retry');
  if (responseCode === undefined) {
    const reason = error instanceof Error ? inert(error.message, 200) : 'no answer';
    return new DeliveryError(`the mail server cannot be used: ${reason}`, 'retry');
  }
  const isFinal = responseCode >= 500 && responseCode !== 503;
  if (command === 'RCPT TO' && isFinal)
    return failure(
      'the address is refused',
      /^5\d\d[ -]5\.(1\.|2\.1\b)/.test(response) ? 'gone' : 'permanent',
    );
  if (command === 'DATA' && isFinal) return failure('the message is refused', 'permanent');
  return failure(
    isFinal ? 'the mail server refuses us, see SMTP_URL' : 'the mail server says later',
    'retry',
  );
}

function codeOf(response: string): number | null {
  const code = Number(response.slice(0, 3));
  return code >= 200 && code < 600 ? code : null;
}
