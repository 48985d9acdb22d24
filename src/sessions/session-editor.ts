import { type EntityManager, In } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import { getProbe } from '../accounts/device-manager.js';
import { epochMs } from '../array-literal.js';
import { Device } from '../entities/device.js';
import { GrillingSession } from '../entities/grilling-session.js';
import { Probe } from '../entities/probe.js';
import { SessionLogEntry } from '../entities/session-log-entry.js';
import { SessionMember } from '../entities/session-member.js';
import { User } from '../entities/user.js';
import { InputError } from '../errors.js';
import { checkOverlaps, editSession, type Limits, type NamedProbe, splitSession, time } from './edit.js';
import { effectiveRole } from './roles.js';
import { SessionManager } from './session-manager.js';
import { loadSessions } from './session-store.js';
import { storeSession } from './store-session.js';
import type { DeviceFacts, Session } from './types.js';

const KEPT_DAYS = 7;
const DAY_MS = 24 * 3_600_000;

/** What the user of a session asks to be changed. */
export interface AskedEdit {
  start?: Date;
  end?: Date;
  name?: string;
  addProbe?: string[];
  removeProbe?: string[];
  at?: Date;
}

/** A session under its device's lock, with all that a change of it must be held against. */
interface Opened {
  row: GrillingSession;
  session: Session;
  device: Device;
  /** The owner's at the session's time: the device may have another one now. */
  probes: Probe[];
  facts: DeviceFacts;
  /** The device is still there, and theirs. */
  isTheirs: boolean;
  limits: Limits;
}

/** Cooks as people correct them: each change recomputes all figures from the stored readings and is in the session's log. */
export class SessionEditor {
  /**
   * @param tx a transaction's manager: the device is locked, as ingest does
   * @param actor who changes: a user's public id, or `operator`
   */
  constructor(
    private readonly tx: EntityManager,
    private readonly actor = 'operator',
  ) {}

  /** @returns the probes (`probes.id`) that came into a running session @throws NotFoundError, InputError */
  async edit(publicId: string, asked: AskedEdit): Promise<{ joined: number[] }> {
    const { start, end, name, at, addProbe = [], removeProbe = [] } = asked;
    if (name !== undefined && name.length > 100)
      throw new InputError('--name must not be longer than 100 characters');
    if (at && addProbe.length + removeProbe.length === 0)
      throw new InputError('--at says when a probe comes or goes: give --add-probe or --remove-probe');
    const opened = await this.open(publicId);
    const { session, row } = opened;
    const add = addProbe.map((id) => named(opened, '--add-probe', id));
    const limits = await this.limitsFor(opened, add);
    const edit = { startMs: start?.getTime(), endMs: end?.getTime(), add, atMs: at?.getTime() ?? null };
    const remove = removeProbe.map((id) => named(opened, '--remove-probe', id));
    const edited = editSession(session, { ...edit, remove }, limits);
    const isRenamed = name !== undefined && (name || null) !== row.name;
    if (edited === session && !isRenamed) return { joined: [] };
    const before = snapshot(opened, session, row.name);
    if (edited !== session) await this.store(opened, edited);
    if (isRenamed) await this.tx.update(GrillingSession, { id: row.id }, { name: name || null });
    const after = snapshot(opened, edited, isRenamed ? name || null : row.name);
    await this.log(edited.publicId, 'edited', before, after);
    return { joined: edited.status === 'active' ? newIn(session, edited) : [] };
  }

  /** @returns the new session, and its probes (`probes.id`) if it runs @throws NotFoundError, InputError */
  async split(
    publicId: string,
    { probeIds, at }: { probeIds: string[]; at?: Date },
  ): Promise<{ publicId: string; joined: number[] }> {
    const opened = await this.open(publicId);
    const { session, row, limits } = opened;
    const probes = [...new Set(probeIds)].map((id) => named(opened, '--probe', id));
    const asked = { probes, atMs: at?.getTime() ?? null, publicId: uuidv7() };
    const { left, begun } = splitSession(session, asked, limits);
    await this.store(opened, left);
    await this.store(opened, begun);
    await this.tx.query(
      `UPDATE session_tags SET session_id = (SELECT id FROM grilling_sessions WHERE public_id = $2)
       WHERE session_id = $1 AND probe_id = ANY($3) AND tag_from >= to_timestamp($4::float8 / 1000)`,
      [row.id, begun.publicId, probes.map(({ id }) => id), begun.startMs],
    );
    const before = snapshot(opened, session, row.name);
    await this.log(publicId, 'split', before, snapshot(opened, left, row.name));
    await this.log(begun.publicId, 'split', null, {
      ...snapshot(opened, begun, null),
      split_from: publicId,
    });
    const joined = begun.status === 'active' ? begun.members.map(({ probeId }) => probeId) : [];
    return { publicId: begun.publicId, joined };
  }

  /** A cancelled session is shown again. @throws NotFoundError, InputError */
  async restore(publicId: string): Promise<void> {
    const opened = await this.open(publicId);
    const { session, row } = opened;
    if (session.status !== 'cancelled') throw new InputError(`the session ${publicId} was not cancelled`);
    if (row.updatedAt.getTime() < Date.now() - KEPT_DAYS * DAY_MS)
      throw new InputError(`the session ${publicId} was cancelled more than ${KEPT_DAYS} days ago`);
    const restored: Session = { ...session, status: 'completed', isEdited: true, rebuild: true };
    await this.store(opened, restored);
    const before = snapshot(opened, session, row.name);
    await this.log(publicId, 'restored', before, snapshot(opened, restored, row.name));
  }

  private async open(publicId: string): Promise<Opened> {
    const manager = new SessionManager(this.tx);
    await manager.lock(publicId);
    const { session, untilMs } = await manager.load(publicId);
    const { session: row } = await manager.get(publicId);
    const { userId, deviceId } = session;
    const device = await this.tx.findOneByOrFail(Device, { deviceId });
    const user = await this.tx.findOneByOrFail(User, { id: userId });
    const probes = await this.tx.find(Probe, { where: { userId, deviceId }, order: { id: 'ASC' } });
    const isTheirs = device.userId === userId && device.deletedAt === null;
    const newest = Math.max(0, ...probes.map(({ lastMeasuredAt }) => lastMeasuredAt?.getTime() ?? 0));
    const nowMs = Math.max(newest, await cloudNowMs(this.tx, userId));
    const latest = isTheirs
      ? { latestMs: nowMs, latestWhy: `it is ${time(nowMs)} by the cloud's clock` }
      : {
          latestMs: Math.max(newest, session.endMs ?? untilMs),
          latestWhy: `device ${deviceId} has gone since, with its last reading at ${time(newest)}`,
        };
    const { id, type, model } = device;
    const { timeZone, temperatureUnit } = user;
    const facts = {
      ...{ id, deviceId, userId, type, model, probes },
      ...{ temperatureUnit: temperatureUnit ?? 'F', timeZone },
    };
    const limits = { ...latest, earliestMs: session.startMs, earliestWhy: '' };
    return { row, session, device, probes, facts, isTheirs, limits };
  }

  /** Not before the first reading of those that take part. */
  private async limitsFor({ session, limits }: Opened, add: NamedProbe[]): Promise<Limits> {
    const ids = [...session.members.map(({ probeId }) => probeId), ...add.map(({ id }) => id)];
    const rows = await this.tx.query<{ ms: number | null }[]>(
      `SELECT min(first) AS ms FROM unnest($1::integer[]) AS p (id), LATERAL (
         SELECT ${epochMs('measured_at')} AS first FROM readings WHERE probe_id = p.id ORDER BY measured_at LIMIT 1) r`,
      [ids],
    );
    const firstMs = rows[0]?.ms ?? null;
    const earliestWhy =
      firstMs === null
        ? 'its probes have no reading'
        : `the first reading of its probes is of ${time(firstMs)}`;
    return { ...limits, earliestMs: Math.min(firstMs ?? session.startMs, session.startMs), earliestWhy };
  }

  private async store({ session, facts, probes, isTheirs }: Opened, changed: Session): Promise<void> {
    const others = await loadSessions(this.tx, [session.deviceId], changed.startMs);
    const names = new Map(probes.map(({ id, probeId }) => [id, probeId]));
    checkOverlaps(changed, others, names);
    const before = changed.publicId === session.publicId ? session : undefined;
    await storeSession(this.tx, facts, changed, { before, isTheirs });
    const row = await this.tx.findOneByOrFail(GrillingSession, { publicId: changed.publicId });
    const gone = session.members.filter(
      (member) => !changed.members.some((one) => one.probeId === member.probeId),
    );
    if (gone.length > 0)
      await this.tx.delete(SessionMember, {
        sessionId: row.id,
        probeId: In(gone.map(({ probeId }) => probeId)),
      });
    await this.tx.update(GrillingSession, { id: row.id }, { editedAt: () => 'now()' });
  }

  /** What is different. */
  private async log(
    publicId: string,
    action: SessionLogEntry['action'],
    before: Snapshot | null,
    after: Snapshot,
  ): Promise<void> {
    const { id } = await this.tx.findOneByOrFail(GrillingSession, { publicId });
    const isOther = (name: string) => JSON.stringify(before?.[name]) !== JSON.stringify(after[name]);
    const only = (all: Snapshot) => Object.fromEntries(Object.entries(all).filter(([name]) => isOther(name)));
    const entry = { sessionId: id, actor: this.actor, action };
    await this.tx.insert(SessionLogEntry, { ...entry, before: before && only(before), after: only(after) });
  }
}

type Snapshot = Record<string, unknown>;

/** @throws NotFoundError, InputError that begin with the option */
function named({ device, probes, facts }: Opened, option: string, probeId: string): NamedProbe {
  const probe = getProbe({ deviceId: device.deviceId, probes }, probeId, option);
  if (probe.kind === 'humidity')
    throw new InputError(`${option} ${probeId} measures humidity, not temperature`);
  return { id: probe.id, probeId, role: effectiveRole(facts, probe) };
}

/** As the log keeps it; each probe in words. */
function snapshot({ probes }: Opened, session: Session, name: string | null): Snapshot {
  const words = session.members.map(({ probeId, role, fromMs, toMs }) => [
    probes.find(({ id }) => id === probeId)?.probeId ?? '',
    role + (fromMs === null ? '' : ` from ${time(fromMs)}`) + (toMs === null ? '' : ` to ${time(toMs)}`),
  ]);
  return {
    name,
    session_type: session.sessionType,
    status: session.status,
    start_time: time(session.startMs),
    end_time: session.endMs === null ? null : time(session.endMs),
    probes: Object.fromEntries(words),
  };
}

const newIn = (was: Session, now: Session): number[] =>
  now.members
    .filter(({ probeId, toMs }) => {
      const before = was.members.find((member) => member.probeId === probeId);
      return toMs === null && (!before || before.toMs !== null);
    })
    .map(({ probeId }) => probeId);
