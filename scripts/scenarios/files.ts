import { join } from 'node:path';
import type { Span } from './kitchen.js';
import { SCENARIOS } from './library.js';
import { scenarioPicture } from './picture.js';
import type { Expected, Scenario } from './scenario.js';
import { csvOf, rowsOf } from './variants.js';

const ROOT = join(import.meta.dirname, '../..');
export const TRACES = join(ROOT, 'test/scenarios');
export const PICTURES = join(ROOT, 'docs/pictures/scenarios');
export const PAGE = join(ROOT, 'docs/scenarios.md');

/** All that is made of the scenarios, by path. */
export function files(): Map<string, string> {
  const made = new Map([[PAGE, page()]]);
  for (const scenario of SCENARIOS) {
    const rows = rowsOf(scenario, '5 min');
    made.set(join(TRACES, `${scenario.name}.csv`), csvOf(scenario, rows));
    made.set(join(PICTURES, `${scenario.name}.svg`), scenarioPicture(scenario, rowsOf(scenario, '1 min')));
  }
  return made;
}

const HEAD = `# Cooks that detection is held against

Each of these is computed, not recorded: fires, meat and thermometers as in \`scripts/scenarios\`, the same to the last digit on every machine. \`npm run scenarios\` writes this page, the
pictures, and each trace as it is with a reading every five minutes. Tests replay every one with a reading every ten seconds around start and end, every minute (there alone where it lasts more than twelve hours), every five minutes, with readings at each change of 1 °F only, with gaps, and out
of order with repetitions: one session for each cook, none where there is no cook, its start, end and members as in this table, its figures as computed from the rows.

\`\`\`
npx grill-stats replay --file test/scenarios/overnight-brisket.csv
\`\`\`

Times are hours and minutes since the first reading, the bounds between which start and end must lie while readings come without a break; where they come more rarely, a start may be later and an end earlier by that much. A fire
is over at the last reading at 80 % of its height or more, so the end is later than the moment at which the heat was cut. The rules are those of detection: a pit starts a cook at 60 °C, 20 °C above its
baseline, for five minutes, and the start is set back to the first reading of the rise; food alone at 45 °C after a fast rise, else at 50; a pit ends it when it has been below 40 % of its height for half an hour, food alone below 45 °C.

What no rule can tell: smoke below 60 °C is no cook until somebody says so with \`session start\`; a probe without a role that lies in the sun at 58 °C looks like food in an oven, so set its role; wings that are at 60 °C within the hour look
like a pit, so set theirs; and a thermometer that sends changes only, on a device that hears nothing else, has lost contact when nothing changes for two hours.
`;

function page(): string {
  const table = SCENARIOS.map((scenario) => {
    const { name, about, rules, sessions } = scenario;
    const cells = sessions.length > 0 ? cellsOf(sessions) : ['none', '', '', ''];
    return `| [${name}](#${name}) | ${about} | ${rules} | ${cells.join(' | ')} |`;
  });
  const head = ['cook', 'what happens', 'rules', 'start', 'end', 'ended', 'members'];
  return [HEAD, `| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...table, '', LEGEND]
    .concat(SCENARIOS.map(shown))
    .join('\n');
}

const LEGEND =
  'In the pictures: yellow where start and end are expected, blue what was detected, grey where nothing was heard.\n';

function shown({ name, about, alerts }: Scenario): string {
  const aside = alerts ? `, with the alerts \`${JSON.stringify(alerts)}\`` : '';
  return `### ${name}\n\n![${about}](pictures/scenarios/${name}.svg)\n\n[${name}.csv](../test/scenarios/${name}.csv)${aside}\n`;
}

function cellsOf(sessions: readonly Expected[]): string[] {
  const each = (cell: (one: Expected) => string) => sessions.map(cell).join('; ');
  return [
    each(({ start }) => bounds(start)),
    each(({ end }) => bounds(end)),
    each(({ reason, status }) => status ?? reason.replace('_', ' ')),
    each(({ members }) => members.join(', ')),
  ];
}

const bounds = (span: Span): string => span.map(clock).join('–');
const clock = (minute: number): string => `${Math.floor(minute / 60)}:${`${minute % 60}`.padStart(2, '0')}`;
