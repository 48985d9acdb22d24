import { html } from '../html.js';
import type { Chart } from './chart.js';
import { quantity } from './words.js';

/** What an e-mail says, apart from its chart. */
export interface EmailContent {
  subject: string;
  text: string;
  actions?: { label: string; url: string }[];
  /** Of the console. */
  link?: string;
}

const BARS = '▁▂▃▄▅▆▇█';
const HEIGHT = 64;
const LOWEST = 4;

export function textBody({ text, actions = [], link }: EmailContent, chart?: Chart): string {
  const lines = chart
    ? [
        levels(chart)
          .map((level) => (level === null ? ' ' : BARS[Math.round(level * 7)]))
          .join(''),
        caption(chart),
      ]
    : [];
  const addresses = [...actions.map(({ label, url }) => `${label}: ${url}`), link];
  return [text, lines.join('\n'), addresses.filter((one) => one).join('\n')]
    .filter((part) => part)
    .join('\n\n');
}

/**
 * The chart is a table of coloured cells: mail programs show no inline SVG, block pictures that they would have to fetch,
 * and list attached ones as files. Nothing here is fetched from anywhere.
 */
export function htmlBody({ subject, text, actions = [], link }: EmailContent, chart?: Chart): string {
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>${subject}</title></head>
<body style="margin:0;padding:16px;font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:1.4">
<h1 style="margin:0 0 8px;font-size:20px">${subject}</h1>
${text.split('\n').map((line) => html`<p style="margin:0 0 16px">${line}</p>`)}
${chart && table(chart)}
${actions.map(({ label, url }) => html`<p style="margin:0 0 8px"><a href="${url}">${label}</a></p>`)}
${link && html`<p style="margin:0"><a href="${link}">Open Grill Stats</a></p>`}
</body></html>`;
  return page.text;
}

function table(chart: Chart) {
  const bars = levels(chart).map((level) => {
    const height = LOWEST + Math.round((level ?? 0) * (HEIGHT - LOWEST));
    const style = `height:${height}px;font-size:1px;line-height:1px`;
    const bar = html`<table role="presentation" width="7" cellspacing="0" cellpadding="0" border="0"><tr><td height="${height}" bgcolor="#c2410c" style="${style}">&nbsp;</td></tr></table>`;
    return html`<td width="8" height="${HEIGHT}" valign="bottom" style="padding:0">${level !== null && bar}</td>\n`;
  });
  return html`<table role="presentation" width="384" cellspacing="0" cellpadding="0" border="0"><tr>
${bars}</tr></table>
<p style="margin:4px 0 16px;font-size:13px">${caption(chart)}</p>`;
}

function caption({ min, max, unit }: Chart): string {
  return `The last two hours: ${quantity(min, unit)} to ${quantity(max, unit)}`;
}

/** Each column between the lowest (0) and the highest reading (1); all the same are half way. */
function levels({ columns, min, max }: Chart): (number | null)[] {
  return columns.map((mean) => (mean === null ? null : max > min ? (mean - min) / (max - min) : 0.5));
}
