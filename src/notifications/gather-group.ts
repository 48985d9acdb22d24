import { RANK } from '../alerts/announce.js';
import type { AlertEventKind } from '../entities/alert-event.js';
import type { AlertSide } from '../entities/alert-state.js';
import type { Severity } from '../entities/temperature-alert.js';

/** A pending notification to a person, about an event of an alert. */
export interface Waiting {
  id: string;
  /** Its alert and its event; events are numbered in the order of their happening. */
  alertId: number;
  eventId: number;
  kind: AlertEventKind;
  side: AlertSide;
  tier: Severity;
  /** Null: the version before has stored it; it goes by itself. */
  groupKey: string | null;
  /** Those with the same go out as one message, and are tried again as one; null: none is settled yet. */
  groupId: string | null;
  /** Its time has come. */
  isDue: boolean;
  /** Nobody sends it. */
  isFree: boolean;
  /** It was never tried. */
  isFresh: boolean;
  /** Worthless by now. */
  isLate: boolean;
  /** Never held: a critical tier, or a target. */
  isUrgent: boolean;
  /** Its alert does not fire any more, or is gone. */
  isClosed: boolean;
}

/** What one message tells, and what nobody is told. */
export interface Gathered {
  send: Waiting[];
  /** Over before they were sent: firings and their ends, or firings that an edit or the end of a cook has closed untold. */
  over: Waiting[];
  /** Told by what comes after them: a worse tier, or a later repeat. */
  superseded: Waiting[];
  late: Waiting[];
}

const MOST_AT_ONCE = 50;

/**
 * What goes out now that `asked` may: with it whatever is due in its group, and what came before those of the same
 * alert, so that each alert is told in order. What is urgent goes by itself, and takes along what its own alert has held.
 * @param rows all that is pending for one channel, by `eventId`
 */
export function gatherGroup(asked: string, rows: readonly Waiting[]): Gathered {
  const late = rows.filter(({ isLate, isFree, isDue }) => isLate && isFree && isDue);
  const alive = rows.filter((row) => !late.includes(row));
  const nothing = { send: [], over: [], superseded: [], late };
  const first = alive.find(({ id }) => id === asked) ?? alive.find(({ groupId }) => groupId === asked);
  if (!first?.isDue || !first.isFree) return nothing;
  if (first.groupId !== null)
    return { ...nothing, send: alive.filter(({ groupId }) => groupId === first.groupId) };
  const seeds =
    first.isFresh && !first.isUrgent ? alive.filter((row) => isCompany(row, first)) : [lastOf(first, alive)];
  const chosen = new Set<Waiting>();
  for (const seed of seeds) {
    const before = alive.filter((row) => row.alertId === seed.alertId && row.eventId < seed.eventId);
    if (before.every(isUntouched)) for (const row of [...before, seed]) chosen.add(row);
  }
  const together = alive.filter((row) => chosen.has(row));
  const superseded = together.filter((row) => isUntouched(row) && isSuperseded(row, together, alive));
  const over = together.filter((row) => isOver(row, together, superseded));
  const send = together.filter((row) => !superseded.includes(row) && !over.includes(row));
  return { send: send.slice(0, MOST_AT_ONCE), over, superseded, late };
}

const isUntouched = ({ isFresh, isFree, groupId }: Waiting): boolean => isFresh && isFree && groupId === null;

function isCompany(row: Waiting, first: Waiting): boolean {
  return row.groupKey === first.groupKey && row.isDue && !row.isUrgent && isUntouched(row);
}

/** Of urgent repeats that have waited for their receiver: the last, which takes the others along and tells for all. */
function lastOf(first: Waiting, alive: readonly Waiting[]): Waiting {
  if (first.kind !== 'repeated' || !isUntouched(first)) return first;
  const again = alive.filter(
    (row) => row.kind === 'repeated' && row.tier === first.tier && isSameSide(row, first) && row.isDue,
  );
  return again.findLast(isUntouched) ?? first;
}

const isSameSide = (a: Waiting, b: Waiting): boolean => a.alertId === b.alertId && a.side === b.side;

function isSuperseded(row: Waiting, together: readonly Waiting[], alive: readonly Waiting[]): boolean {
  if (row.kind === 'resolved') return false;
  const isWorseLater = (other: Waiting) =>
    other.kind === 'fired' && RANK[other.tier] > RANK[row.tier] && isLater(other, row);
  const isRepeatedLater = (other: Waiting) => other.tier === row.tier && isLater(other, row);
  return alive.some(isWorseLater) || (row.kind === 'repeated' && together.some(isRepeatedLater));
}

const isLater = (other: Waiting, row: Waiting): boolean =>
  isSameSide(other, row) && other.eventId > row.eventId;

/** A firing with its end, both unsent: nobody needs to hear. What is urgent, such as a target, is told all the same. */
function isOver(row: Waiting, together: readonly Waiting[], superseded: readonly Waiting[]): boolean {
  if (!isUntouched(row)) return false;
  const tier = together.filter((other) => isSameSide(other, row) && other.tier === row.tier);
  if (
    row.isClosed &&
    !row.isUrgent &&
    !tier.some((other) => other.kind === 'resolved' && isLater(other, row))
  )
    return row.kind !== 'resolved';
  if (row.kind !== 'fired' && row.kind !== 'resolved') return false;
  const turns = tier.filter(({ kind }) => kind !== 'repeated');
  const at = turns.indexOf(row);
  const [fired, resolved] = row.kind === 'fired' ? [row, turns[at + 1]] : [turns[at - 1], row];
  if (fired?.kind !== 'fired' || resolved?.kind !== 'resolved') return false;
  return !fired.isUrgent && !superseded.includes(fired);
}
