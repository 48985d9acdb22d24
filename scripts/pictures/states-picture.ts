import type { AlertPhase } from '../../src/entities/alert-state.js';
import { box, label, svg } from './svg.js';

const [BOX_WIDTH, BOX_HEIGHT] = [124, 46];

const PLACES: Record<AlertPhase, { x: number; y: number; says: string }> = {
  inactive: { x: 40, y: 64, says: 'nothing to tell' },
  pending: { x: 318, y: 64, says: 'not yet held' },
  firing: { x: 596, y: 64, says: 'told, repeated' },
  recovering: { x: 596, y: 214, says: 'perhaps over' },
};

interface Arrow {
  from: AlertPhase;
  to: AlertPhase;
  /** Of an SVG path. */
  path: string;
  /** Lines of text, and where the first one begins. */
  text: { x: number; y: number; anchor?: 'start' | 'middle' | 'end'; lines: string[] };
}

/** Laid by hand; a test holds them against the steps that the alert engine takes. */
export const ARROWS: Arrow[] = [
  {
    from: 'inactive',
    to: 'pending',
    path: 'M164 78H312',
    text: { x: 240, y: 70, anchor: 'middle', lines: ['beyond the limit'] },
  },
  {
    from: 'pending',
    to: 'inactive',
    path: 'M318 97H170',
    text: { x: 240, y: 115, anchor: 'middle', lines: ['not any more:', 'it starts anew'] },
  },
  {
    from: 'pending',
    to: 'firing',
    path: 'M442 87H590',
    text: { x: 518, y: 79, anchor: 'middle', lines: ['held: tells “fired”'] },
  },
  {
    from: 'inactive',
    to: 'firing',
    path: 'M102 64C102 6 658 6 658 58',
    text: { x: 380, y: 42, anchor: 'middle', lines: ['beyond the limit, hold 0: tells “fired”'] },
  },
  {
    from: 'firing',
    to: 'recovering',
    path: 'M640 110V208',
    text: { x: 632, y: 166, anchor: 'end', lines: ['back by more than', 'the hysteresis'] },
  },
  {
    from: 'recovering',
    to: 'firing',
    path: 'M680 214V116',
    text: { x: 688, y: 160, lines: ['one reading', 'to the contrary'] },
  },
  {
    from: 'recovering',
    to: 'inactive',
    path: 'M596 246H80V116',
    text: { x: 338, y: 238, anchor: 'middle', lines: ['for the recovery hold: tells “resolved”'] },
  },
  {
    from: 'firing',
    to: 'inactive',
    path: 'M596 100C520 160 250 175 128 116',
    text: { x: 344, y: 172, anchor: 'middle', lines: ['back, recovery hold 0: tells “resolved”'] },
  },
];

const NOTES = [
  'A gap in the readings neither counts as held nor undoes what was. Beside the phase: unknown (the probe shows nothing),',
  'acknowledged, snoozed, inhibited. A target that fired waits, inactive, until it is armed again.',
];

/** The phases of one side and tier of an alert, and what leads from one to the next. */
export function statesPicture(): string {
  const arrows = ARROWS.flatMap(({ path, text: { lines, ...place } }) => [
    `<path class="arrow" marker-end="url(#head)" d="${path}"/>`,
    ...lines.map((text, index) => label({ ...place, y: place.y + index * 15, text })),
  ]);
  const boxes = Object.entries(PLACES).flatMap(([name, { x, y, says }]) => [
    box('box', x, y, BOX_WIDTH, BOX_HEIGHT, 8),
    ...(name === 'inactive' ? [] : [box(name, x, y + 6, 5, BOX_HEIGHT - 12, 2)]),
    label({ x: x + BOX_WIDTH / 2, y: y + 21, text: name, className: 'name', anchor: 'middle' }),
    label({ x: x + BOX_WIDTH / 2, y: y + 37, text: says, className: 'faint', anchor: 'middle' }),
  ]);
  const head =
    '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>';
  const notes = NOTES.map((text, index) => label({ x: 40, y: 294 + index * 17, text, className: 'faint' }));
  return svg('The phases of an alert', 800, 326, [head, ...arrows, ...boxes, ...notes]);
}
