import { RANK } from '../alerts/evaluate.js';
import { inert, type Message } from './message.js';

/** What fits into a message of each service. */
const MOST_LINES = 10;
const LINE_LENGTH = 250;
const ADVICE_LENGTH = 100;
const MOST_NAMES = 3;
/** Of all lines, by {@link weightOf}: Slack takes 3,000 characters, ntfy 4,096 bytes, Discord and Telegram 4,096 characters. */
const MOST_WEIGHT = 2_800;

/** Several messages as one that lists them, the oldest first. @param messages at least one */
export function toOneMessage(messages: readonly Message[]): Message {
  const [first, ...others] = messages;
  if (!first) throw new Error('a message about nothing');
  if (others.length === 0) return first;
  const firing = messages.filter(({ type }) => type !== 'alert.resolved');
  const names = [...new Set(messages.map(({ title }) => title))];
  const named = names.slice(0, MOST_NAMES).join(', ');
  const lines = thatFit(messages.slice(0, MOST_LINES).map(toLine));
  const more = messages.length > lines.length ? [`and ${messages.length - lines.length} more`] : [];
  const [only, second] = firing;
  return {
    type: firing.length > 0 ? 'alert.fired' : 'alert.resolved',
    severity: firing.reduce<Message['severity']>(
      (worst, { severity }) => (RANK[severity] > RANK[worst] ? severity : worst),
      'info',
    ),
    title: `${messages.length} alerts: ${named}${names.length > MOST_NAMES ? ', …' : ''}`,
    text: [...lines, ...more].join('; '),
    lines: [...lines, ...more],
    body: { events: messages.map(({ body }) => body) },
    ...(second === undefined && only?.links && { links: only.links }),
  };
}

function toLine({ type, title, text, advice }: Message): string {
  const line = inert(`${type === 'alert.resolved' ? 'Over – ' : ''}${title}: ${text}`, LINE_LENGTH);
  return advice ? `${line} – ${inert(advice, ADVICE_LENGTH)}` : line;
}

function thatFit(lines: readonly string[]): string[] {
  let weight = 0;
  return lines.filter((line) => {
    weight += weightOf(line);
    return weight <= MOST_WEIGHT;
  });
}

/** The most that a line becomes anywhere: as UTF-8, with entities for Slack, or with each mark escaped for Discord. */
const weightOf = (line: string): number =>
  Buffer.byteLength(line.replace(/[&<>]/g, '&amp;').replace(/[\\`*_~|[\]()#@]/g, '$&$&'));

/** What it says, line by line. */
export const linesOf = ({
  text,
  lines,
  advice,
}: Pick<Message, 'text' | 'lines' | 'advice'>): readonly string[] => [
  ...(lines ?? [text]),
  ...(advice ? [advice] : []),
];
