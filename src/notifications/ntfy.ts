import { InputError } from '../errors.js';
import type { Channel } from './channel.js';
import { linesOf } from './group-message.js';
import { actionsOf, inert, type Message } from './message.js';

/** ntfy's scale of 1 to 5. */
const PRIORITY = { info: 3, warning: 4, critical: 5 } as const;

/** Buttons that ntfy takes. */
const MOST_ACTIONS = 3;

/** A push to a phone through an ntfy server: the URL is that of the topic, the secret an access token. */
export const ntfy: Channel = {
  prepare({ url, secret }) {
    topicOf(url);
    if (secret !== null && !/^[\x21-\x7e]{1,200}$/.test(secret)) {
      throw new InputError('the access token must be printable ASCII, at most 200 characters');
    }
    return { url, secret };
  },

  // Published as JSON to the server's root: headers hold neither line breaks nor anything beyond ASCII.
  render({ title, text, lines, advice, severity, type, ...message }: Message, { url }, publicUrl) {
    const actions = actionsOf(message).slice(0, MOST_ACTIONS);
    const resolved = type === 'alert.resolved';
    return JSON.stringify({
      topic: topicOf(url).topic,
      title,
      message: linesOf({ text, lines, advice }).join('\n'),
      priority: resolved ? PRIORITY.info : PRIORITY[severity],
      tags: [resolved ? 'white_check_mark' : severity === 'critical' ? 'rotating_light' : 'thermometer'],
      ...(publicUrl && { click: publicUrl }),
      ...(actions.length > 0 && { actions: actions.map((action) => ({ action: 'view', ...action })) }),
    });
  },

  async send({ url, secret }, body, { outbound, signal }) {
    const headers = {
      'Content-Type': 'application/json',
      ...(secret && { Authorization: `Bearer ${secret}` }),
    };
    const { status, text } = await outbound.post(topicOf(url).server, { headers, body, signal });
    const id = /"id":"([^"]+)"/.exec(text)?.[1];
    return { statusCode: status, receipt: id === undefined ? null : inert(id) };
  },
};

/** @throws InputError if the URL's last segment is not a topic */
function topicOf(url: string): { server: string; topic: string } {
  const [, server, topic] = /^(.*\/)([-_A-Za-z0-9]{1,64})\/?$/.exec(url) ?? [];
  if (server === undefined || topic === undefined || !URL.canParse(server)) {
    throw new InputError('--url must be that of an ntfy topic, such as https://ntfy.example.com/my-topic');
  }
  return { server, topic };
}
