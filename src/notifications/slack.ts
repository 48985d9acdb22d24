import type { HttpAnswer } from '../http-client.js';
import type { Channel } from './channel.js';
import { calm, calmLines, lookOf, withoutSecret, withSecret } from './chat.js';
import type { Verdict } from './delivery-error.js';
import { actionsOf } from './message.js';

const FORM = /^(\/services\/\w+\/\w+)\/(\w{1,200})$/;
const EXAMPLE = 'that of an incoming webhook, https://hooks.slack.com/services/T…/B…/…';
/** After these nothing ever arrives again; the status beside them is not always 410. */
const GONE =
  'no_service no_service_id no_active_hooks no_team team_disabled invalid_token channel_not_found channel_is_archived';
const headers = { 'Content-Type': 'application/json' };

/** A message through a Slack incoming webhook; the last part of its URL is the secret. */
export const slack: Channel = {
  prepare: (given) => withoutSecret(given, FORM, EXAMPLE),

  // `plain_text` knows neither formatting nor mentions; the line above it must be told so.
  render(message, _, publicUrl) {
    const { emoji, color } = lookOf(message);
    const [title, text] = [entities(calm(message.title, 200)), entities(calmLines(message, 500))];
    const links = [...actionsOf(message), ...(publicUrl ? [{ label: 'Grill Stats', url: publicUrl }] : [])];
    const elements = links.map(({ label, url }) => ({
      type: 'mrkdwn',
      text: `<${entities(url)}|${entities(calm(label, 60))}>`,
    }));
    const blocks = [
      { type: 'section', text: { type: 'plain_text', text, emoji: false } },
      ...(elements.length > 0 ? [{ type: 'context', elements }] : []),
    ];
    return JSON.stringify({
      text: `${emoji} ${title}`,
      ...{ mrkdwn: false, link_names: false, unfurl_links: false, unfurl_media: false },
      attachments: [{ color: `#${color.toString(16).padStart(6, '0')}`, fallback: text, blocks }],
    });
  },

  async send(target, body, { outbound, signal }) {
    const { status } = await outbound.post(withSecret(target).href, { headers, body, signal, classify });
    return { statusCode: status, receipt: null };
  },
};

function classify({ status, text }: HttpAnswer): Verdict | undefined {
  if (status < 300) return text.trim() === 'ok' ? undefined : { fate: 'retry', reason: 'without ok' };
  const [reason] = /^[a-z_]{2,60}$/.exec(text.trim()) ?? [];
  if (reason === undefined) return undefined;
  return { reason, ...(GONE.split(' ').includes(reason) && { fate: 'gone' }) };
}

function entities(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
