import { InputError } from '../errors.js';
import type { ProbeRole } from '../readings/sample.js';
import type { Session, SessionMember } from './types.js';

/** A probe as a person names it, with its row. */
export interface NamedProbe {
  /** `probes.id`. */
  id: number;
  probeId: string;
  role: ProbeRole;
}

/** What a person wants a session to be; what is left out stays. Times are epoch ms. */
export interface SessionEdit {
  startMs?: number | undefined;
  endMs?: number | undefined;
  add?: readonly NamedProbe[];
  remove?: readonly NamedProbe[];
  /** Since when the added ones belong to it, and the removed ones do not: null is always. */
  atMs?: number | null;
}

/** What bounds are possible: no start before `earliestMs`, and no end after `latestMs`, for the reason that follows. */
export interface Limits {
  earliestMs: number;
  earliestWhy: string;
  latestMs: number;
  latestWhy: string;
}

const DAY_MS = 24 * 3_600_000;
/** All its readings are read again whenever it changes. */
export const LONGEST_DAYS = 31;

/**
 * The session as a person wants it, its figures still to be rebuilt; the same object where nothing changes. An end
 * ends a session that runs.
 * @throws InputError that names the option
 */
export function editSession(session: Session, edit: SessionEdit, limits: Limits): Session {
  checkNotCancelled(session);
  const { startMs = session.startMs, endMs = session.endMs, add = [], remove = [], atMs = null } = edit;
  if (edit.startMs !== undefined || edit.endMs !== undefined) checkBounds({ startMs, endMs }, edit, limits);
  if (atMs !== null) checkAt(atMs, { startMs, endMs }, limits);
  const members = remove.reduce(
    (left, probe) => withoutMember(left, probe, atMs),
    add.reduce((more, probe) => withMember(more, probe, atMs), session.members),
  );
  if (!members.some(({ toMs }) => toMs === null))
    throw new InputError(
      '--remove-probe: nothing would be left in the session: end it, or name fewer probes',
    );
  const isEnded = endMs !== session.endMs;
  if (startMs === session.startMs && !isEnded && members === session.members) return session;
  return { ...session, startMs, endMs, ...(isEnded && ENDED), members, isEdited: true, rebuild: true };
}

/**
 * A session in two, by probe: both have their readings. Without `atMs` the new one has these probes from the start;
 * with it from then on, and where none stays behind the old one ends there.
 * @param publicId of the new one
 * @throws InputError that names the option
 */
export function splitSession(
  session: Session,
  {
    probes,
    atMs,
    publicId,
  }: { probes: readonly Omit<NamedProbe, 'role'>[]; atMs: number | null; publicId: string },
  limits: Limits,
): { left: Session; begun: Session } {
  checkNotCancelled(session);
  if (atMs !== null) checkAt(atMs, session, limits);
  const moved = probes.map((probe) => {
    const member = session.members.find(({ probeId }) => probeId === probe.id);
    if (member && (member.toMs === null || (atMs !== null && member.toMs >= atMs))) return member;
    throw new InputError(
      `--probe ${probe.probeId} is not in the session${atMs === null ? '' : ' at that time'}`,
    );
  });
  const stays = session.members.filter((member) => !moved.includes(member));
  const isWhole = !stays.some(({ toMs }) => toMs === null);
  if (isWhole && atMs === null)
    throw new InputError('--probe: none would stay behind: name fewer probes, or give --at');
  const change = { isEdited: true, rebuild: true };
  // Who came later than that was never in the old one.
  const wasThere = ({ fromMs }: SessionMember) => atMs !== null && (fromMs ?? session.startMs) < atMs;
  const before = moved.filter(wasThere).map((member) => ({ ...member, toMs: (atMs ?? 0) - 1 }));
  const left: Session = isWhole
    ? { ...session, ...change, ...ENDED, endMs: (atMs ?? 0) - 1, members: session.members.filter(wasThere) }
    : { ...session, ...change, members: [...stays, ...before].sort(byProbe) };
  if (left.members.length === 0)
    throw new InputError(`--at ${time(atMs ?? 0)}: none of its probes was in the session before`);
  const runBoth = left.status === 'active' && session.status === 'active';
  const begun: Session = {
    ...session,
    ...change,
    publicId,
    id: null,
    // One automatic session runs on a device at a time.
    sessionType: runBoth ? 'manual' : session.sessionType,
    startMs: atMs ?? session.startMs,
    members: moved.map((member) => ({ ...member, fromMs: later(member.fromMs, atMs) })),
    stats: new Map(),
    lastReadingMs: null,
  };
  return { left, begun };
}

const ENDED = { status: 'completed', phase: 'ended', endReason: 'manual' } as const;

const byProbe = (a: SessionMember, b: SessionMember): number => a.probeId - b.probeId;

/** A member since a time before the session's start is one from its start. */
const later = (fromMs: number | null, atMs: number | null): number | null =>
  fromMs !== null && atMs !== null && fromMs <= atMs ? null : fromMs;

/** @throws InputError where a probe of `session` is in one of `others` at the same time */
export function checkOverlaps(
  session: Session,
  others: readonly (Session & { name?: string | null })[],
  names: ReadonlyMap<number, string>,
): void {
  for (const other of others) {
    if (other.publicId === session.publicId || other.status === 'cancelled') continue;
    for (const member of session.members) {
      const theirs = other.members.find(({ probeId }) => probeId === member.probeId);
      if (!theirs) continue;
      const [a, b] = [spanOf(session, member), spanOf(other, theirs)];
      if (Math.max(a.fromMs, b.fromMs) > Math.min(a.toMs, b.toMs)) continue;
      const until = Number.isFinite(b.toMs) ? time(b.toMs) : 'now';
      throw new InputError(
        `probe ${names.get(member.probeId) ?? ''} is in the session ${other.publicId} from ${time(b.fromMs)} to ${until}: ` +
          'a probe belongs to one session at a time',
      );
    }
  }
}

function spanOf({ startMs, endMs }: Session, { fromMs, toMs }: SessionMember) {
  const untilMs = endMs ?? Number.POSITIVE_INFINITY;
  return { fromMs: Math.max(startMs, fromMs ?? startMs), toMs: Math.min(untilMs, toMs ?? untilMs) };
}

export const time = (ms: number): string => new Date(ms).toISOString();

function checkNotCancelled({ status, publicId }: Session): void {
  if (status === 'cancelled')
    throw new InputError(`the session ${publicId} was cancelled: session restore brings it back`);
}

function checkBounds(
  { startMs, endMs }: Pick<Session, 'startMs' | 'endMs'>,
  edit: SessionEdit,
  { earliestMs, earliestWhy, latestMs, latestWhy }: Limits,
): void {
  const isStart = edit.startMs !== undefined;
  if (edit.endMs !== undefined && edit.endMs > latestMs)
    throw new InputError(`--end ${time(edit.endMs)} is too late: ${latestWhy}`);
  if (isStart && startMs > latestMs)
    throw new InputError(`--start ${time(startMs)} is too late: ${latestWhy}`);
  if (isStart && startMs < earliestMs)
    throw new InputError(`--start ${time(startMs)} is too early: ${earliestWhy}`);
  if (endMs !== null && endMs <= startMs)
    throw new InputError(
      edit.endMs === undefined
        ? `--start ${time(startMs)} must be before the session's end ${time(endMs)}`
        : `--end ${time(endMs)} must be after the session's start ${time(startMs)}`,
    );
  const days = ((endMs ?? latestMs) - startMs) / DAY_MS;
  if (days > LONGEST_DAYS)
    throw new InputError(
      `--${isStart ? 'start' : 'end'}: the session would have ${Math.ceil(days)} days: ${LONGEST_DAYS} at most`,
    );
}

function checkAt(
  atMs: number,
  { startMs, endMs }: Pick<Session, 'startMs' | 'endMs'>,
  { latestMs }: Limits,
): void {
  const untilMs = endMs ?? latestMs;
  if (atMs <= startMs || atMs > untilMs)
    throw new InputError(
      `--at ${time(atMs)} is not in the session: it is from ${time(startMs)} to ${time(untilMs)}`,
    );
}

function withMember(
  members: SessionMember[],
  { id, probeId, role }: NamedProbe,
  atMs: number | null,
): SessionMember[] {
  const present = members.find((member) => member.probeId === id);
  if (present?.toMs === null && present.fromMs === atMs) return members;
  if (present && present.toMs !== null && atMs !== null && atMs > present.toMs + 1)
    throw new InputError(
      `--add-probe ${probeId} was in the session until ${time(present.toMs)}, and can be in it once: ` +
        'give no --at, or split the session there',
    );
  const isLonger = present !== undefined && present.toMs !== null && atMs !== null;
  const fromMs = isLonger ? present.fromMs : atMs;
  const added = { probeId: id, role: present?.role ?? role, fromMs, toMs: null };
  return [...members.filter((member) => member !== present), added].sort(byProbe);
}

function withoutMember(
  members: SessionMember[],
  { id, probeId }: NamedProbe,
  atMs: number | null,
): SessionMember[] {
  const present = members.find((member) => member.probeId === id);
  if (!present) throw new InputError(`--remove-probe ${probeId} is not in the session`);
  if (atMs === null || (present.fromMs ?? 0) >= atMs) return members.filter((member) => member !== present);
  if (present.toMs !== null && present.toMs < atMs) return members;
  return members.map((member) => (member === present ? { ...member, toMs: atMs - 1 } : member));
}
