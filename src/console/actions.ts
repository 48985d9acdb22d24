import type { FastifyInstance, FastifyReply } from 'fastify';
import type { DataSource } from 'typeorm';
import { AlertFlags } from '../alerts/alert-flags.js';
import { AlertManager } from '../alerts/alert-manager.js';
import { Device } from '../entities/device.js';
import { Probe } from '../entities/probe.js';
import { InputError, NotFoundError } from '../errors.js';
import { type Html, html } from '../html.js';
import type { ActionLink, LinkSigner } from '../notifications/action-link.js';

/** The path of signed links, which need no other sign-in. */
export const ACTION_PATH = '/actions/:token';
const SNOOZE_MINUTES = 30;
const WORDS = {
  ack: {
    button: 'Acknowledge',
    before: 'You have seen it: it is not repeated while it goes on.',
    done: 'Acknowledged',
    next: 'It is not repeated while it goes on. You hear when it is over, when it becomes critical, and when it fires again.',
    back: 'alert unack',
  },
  snooze: {
    button: `Snooze for ${SNOOZE_MINUTES} minutes`,
    before: `Nothing is told of it for ${SNOOZE_MINUTES} minutes.`,
    done: `Snoozed for ${SNOOZE_MINUTES} minutes`,
    next: 'Nothing is told of it until then, but that it is over. If it still fires then, you hear of it once more.',
    back: 'alert snooze --minutes 0',
  },
};

/**
 * What links in messages lead to: a page with one button, which alone does something. So whoever only looks at a link,
 * as a mail scanner does, changes nothing.
 */
export async function addActionRoutes(
  app: FastifyInstance,
  { dataSource, links, now }: { dataSource: DataSource; links: LinkSigner; now: () => Date },
): Promise<void> {
  await app.register(async (routes) => {
    // A form's button sends its fields, of which there are none.
    const type = 'application/x-www-form-urlencoded';
    routes.addContentTypeParser(type, { parseAs: 'string', bodyLimit: 1024 }, (_request, _body, done) =>
      done(null, undefined),
    );
    routes.get<{ Params: { token: string } }>(ACTION_PATH, async ({ params }, reply) => {
      const link = links.read(params.token, now().getTime());
      if (!link) return answer(reply, 404, GONE);
      const alert = await nameOf(dataSource, link);
      if (alert === undefined) return answer(reply, 404, GONE);
      return answer(
        reply,
        200,
        html`<h1>${alert}</h1><form method="post"><button>${WORDS[link.action].button}</button></form><p>${WORDS[link.action].before}</p>`,
      );
    });
    routes.post<{ Params: { token: string } }>(ACTION_PATH, async ({ params }, reply) => {
      const link = links.read(params.token, now().getTime());
      if (!link) return answer(reply, 404, GONE);
      const problem = await act(dataSource, link);
      const alert = await nameOf(dataSource, link);
      if (problem !== undefined)
        return answer(reply, 409, html`<h1>Nothing was changed</h1><p>${alert}</p><p>${problem}</p>`);
      const { done, next, back } = WORDS[link.action];
      return answer(
        reply,
        200,
        html`<h1>${done}</h1><p>${alert}</p><p>${next}</p><p>You may close this page. To take it back: <code>grill-stats ${back}</code></p>`,
      );
    });
  });
}

const GONE = html`<h1>This link is not valid any more.</h1>`;

/** Where it watches, and what: one of several alerts is recognised by it. */
async function nameOf({ manager }: DataSource, { alertId }: ActionLink): Promise<string | undefined> {
  try {
    const { name, alertType, userId, deviceId, probeId } = await new AlertManager(manager).getByPublicId(
      alertId,
    );
    const device = await manager.findOneBy(Device, { deviceId });
    const probe = probeId === null ? null : await manager.findOneBy(Probe, { userId, deviceId, probeId });
    const place = [device?.nickname ?? deviceId, ...(probe ? [probe.label ?? `probe ${probe.probeId}`] : [])];
    return `${place.join(' · ')}: ${name ?? `${alertType.replace('_', ' ')} alert`}`;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** @returns why it could not be done */
async function act(
  dataSource: DataSource,
  { action, alertId, eventId }: ActionLink,
): Promise<string | undefined> {
  try {
    await dataSource.transaction(async (tx) => {
      const flags = new AlertFlags(tx);
      await flags.checkLatest(alertId, eventId);
      if (action === 'ack') await flags.acknowledge(alertId);
      else await flags.snooze(alertId, SNOOZE_MINUTES);
    });
    return undefined;
  } catch (error) {
    if (error instanceof NotFoundError) return 'This alert was deleted.';
    if (error instanceof InputError)
      return 'It does not fire any more, has fired again since, or that was done already.';
    throw error;
  }
}

function answer(reply: FastifyReply, status: number, content: Html): FastifyReply {
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>Grill Stats</title>
<style>main { max-width: 28rem; margin: 15vh auto; padding: 0 1rem; font: 1.1rem/1.5 system-ui, sans-serif; text-align: center }
h1 { font-size: 1.4rem } button { font: inherit; padding: 0.8rem 1.6rem; width: 100% }</style></head>
<body><main>${content}</main></body></html>`;
  // The address is a key: no other site may learn it from a link or a picture. Ours has to see where its form came from.
  return reply
    .status(status)
    .type('text/html; charset=utf-8')
    .header('referrer-policy', 'same-origin')
    .send(page.text);
}
