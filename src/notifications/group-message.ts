import { RANK } from '../alerts/announce.js';
import { type Action, inert, type Message } from './message.js';

/** What fits into a message of each service. */
const MOST_LINES = 10;
const LINE_LENGTH = 250;
const ADVICE_LENGTH = 100;
const MOST_NAMES = 3;
/** Of all lines, by {@link weightOf}: Slack takes 3,000 characters, ntfy 4,096 bytes, Discord and Telegram 4,096 characters. */
const MOST_WEIGHT = 2_800;
/** With links to what fires beside them. */
const MOST_WITH_LINKS = 3_600;
const MOST_ACTED_ON = 3;
const LABEL_LENGTH = 30;

/**
 * Several messages as one that lists them: first what still fires, the worst of it first, then what is over, in the order
 * of the messages. A firing whose end is among them is over. With the links of the only one that fires, else of the worst
 * three.
 * @param messages at least one, in the order of what has happened
 */
export function toOneMessage(messages: readonly Message[]): Message {
  const [first, ...others] = messages;
  if (!first) throw new Error('a message about nothing');
  if (others.length === 0) return first;
  const firing = messages
    .filter((one, index) => isOpen(one, messages.slice(index + 1)))
    .sort((a, b) => RANK[b.severity] - RANK[a.severity]);
  const over = messages.filter((one) => !firing.includes(one));
  const [worst, second] = firing;
  const sorted = [...firing, ...over];
  const actions = second === undefined ? [] : actionsFor(firing);
  const room = MOST_WITH_LINKS - actions.reduce((sum, { label, url }) => sum + weightOf(label + url) + 4, 0);
  const lines = thatFit(sorted.slice(0, MOST_LINES).map(toLine), Math.min(MOST_WEIGHT, room));
  const more = sorted.length > lines.length ? [`and ${sorted.length - lines.length} more`] : [];
  return {
    type: worst ? 'alert.fired' : 'alert.resolved',
    severity: worst?.severity ?? 'info',
    title: titleOf(firing, over),
    text: [...lines, ...more].join('; '),
    lines: [...lines, ...more],
    body: { events: messages.map(({ body }) => body) },
    ...(second === undefined && worst?.links && { links: worst.links }),
    ...(actions.length > 0 && { actions }),
  };
}

/** To acknowledge comes first: some services take three. Of one alert's messages the last leads on. */
function actionsFor(firing: readonly Message[]): Action[] {
  const byAlert = new Map(firing.map((one) => [one.about ?? one.title, one]));
  const shown = [...byAlert.values()].flatMap(({ title, links }) => (links ? [{ title, links }] : []));
  const named = shown.slice(0, MOST_ACTED_ON);
  const label = (verb: string, title: string) => `${verb} ${inert(title, LABEL_LENGTH)}`;
  return [
    ...named.map(({ title, links }) => ({ label: label('Acknowledge', title), url: links.acknowledge })),
    ...named.map(({ title, links }) => ({ label: label('Snooze', title), url: links.snooze })),
  ];
}

function isOpen({ type, about }: Message, later: readonly Message[]): boolean {
  if (type === 'alert.resolved') return false;
  return about === undefined || !later.some((one) => one.type === 'alert.resolved' && one.about === about);
}

/** `2 alerts, 4 over: Pit, Point`: names what fires; what is over only where nothing does. */
function titleOf(firing: readonly Message[], over: readonly Message[]): string {
  const [open, closed] = [firing, over].map(countOf);
  const counts = [open && (open === 1 ? '1 alert' : `${open} alerts`), closed && `${closed} over`];
  const names = [...new Set((open ? firing : over).map(({ title }) => title))];
  const named = names.slice(0, MOST_NAMES).join(', ');
  return `${counts.filter(Boolean).join(', ')}: ${named}${names.length > MOST_NAMES ? ', …' : ''}`;
}

/** However many messages are about one alert. */
const countOf = (messages: readonly Message[]): number =>
  new Set(messages.map((one) => one.about ?? one)).size;

function toLine({ type, title, text, advice }: Message): string {
  const line = inert(`${type === 'alert.resolved' ? 'Over – ' : ''}${title}: ${text}`, LINE_LENGTH);
  return advice ? `${line} – ${inert(advice, ADVICE_LENGTH)}` : line;
}

function thatFit(lines: readonly string[], most: number): string[] {
  let weight = 0;
  return lines.filter((line) => {
    weight += weightOf(line);
    return weight <= most;
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
