import { type EntityManager, IsNull, Not } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import { DeviceManager, getProbe, type OwnedDevice } from '../accounts/device-manager.js';
import { GrillingSession } from '../entities/grilling-session.js';
import { SessionLogEntry } from '../entities/session-log-entry.js';
import type { SessionMember as MemberRow } from '../entities/session-member.js';
import { SessionProbeStats } from '../entities/session-probe-stats.js';
import { SessionTag } from '../entities/session-tag.js';
import { InputError, NotFoundError } from '../errors.js';
import { rebuildSessions } from './rebuild.js';
import { effectiveRole } from './roles.js';
import { loadSessions, saveSessions } from './session-store.js';
import { storeSession } from './store-session.js';
import type { DeviceFacts, ProbeFacts, Session, SessionMember } from './types.js';

/** A session with its members, each with its probe and, once it has readings, its roll-up. */
export interface SessionView {
  session: GrillingSession;
  probes: { member: MemberRow; stats: SessionProbeStats | undefined }[];
  /** By time. */
  tags: SessionTag[];
  /** What people changed of it, by time. */
  log: SessionLogEntry[];
}

/** Cooks that people begin, end and look at: reads and writes of `grilling_sessions` beside those of ingest. */
export class SessionManager {
  /** @param db a transaction's manager: `start` and `end` lock the device, as ingest does */
  constructor(private readonly db: EntityManager) {}

  /**
   * Begins a session by hand, now, or takes over the automatic one that runs.
   * @param probeIds none: every temperature probe of the device
   * @returns with the probes (`probes.id`) that came into it: their one-shot alerts are to be armed again
   * @throws NotFoundError, InputError
   */
  async start(
    userId: number,
    { deviceId, probeIds = [], name }: { deviceId: string; probeIds?: string[]; name?: string },
  ): Promise<{ publicId: string; joined: number[] }> {
    if (name !== undefined && name.length > 100)
      throw new InputError('--name must not be longer than 100 characters');
    const device = await new DeviceManager(this.db).lock(deviceId, userId);
    const chosen = chooseProbes(device, probeIds);
    const nowMs = await cloudNowMs(this.db, userId);
    const open = (await loadSessions(this.db, [deviceId], nowMs)).filter(
      (session) => session.status === 'active' && session.userId === userId,
    );
    const manual = open.find(({ sessionType }) => sessionType === 'manual');
    if (manual)
      throw new InputError(
        `a session that was begun by hand runs already on ${deviceId}: ${manual.publicId}`,
      );
    const [running] = open;
    const facts = toFacts(device);
    const members = running?.members ?? [];
    const joined = chosen.filter(({ id }) => !members.some(({ probeId }) => probeId === id));
    const begun: Session = {
      ...(running ?? newSession(facts, nowMs)),
      sessionType: 'manual',
      members: [...members, ...joined.map((probe) => memberOf(facts, probe))],
      rebuild: true,
    };
    await storeSession(this.db, facts, begun);
    if (name !== undefined) await this.db.update(GrillingSession, { publicId: begun.publicId }, { name });
    return { publicId: begun.publicId, joined: joined.map(({ id }) => id) };
  }

  /** Ends a session by hand, now, by the cloud's clock. @throws NotFoundError, InputError */
  async end(publicId: string): Promise<void> {
    const { userId, deviceId } = await this.getRow(publicId);
    const device = await new DeviceManager(this.db).lock(deviceId, userId);
    const nowMs = await cloudNowMs(this.db, userId);
    const session = (await loadSessions(this.db, [deviceId], nowMs)).find((one) => one.publicId === publicId);
    if (session?.status !== 'active') throw new InputError(`the session ${publicId} has ended already`);
    const endMs = Math.max(nowMs, session.startMs, session.lastReadingMs ?? nowMs);
    const ended = { status: 'completed', phase: 'ended', endReason: 'manual' } as const;
    const over = { ...session, ...ended, endMs, rebuild: true };
    await storeSession(this.db, toFacts(device), over, { before: session });
  }

  /** Takes the session's device for this transaction. @throws NotFoundError */
  async lock(publicId: string): Promise<void> {
    const { deviceId } = await this.getRow(publicId);
    await new DeviceManager(this.db).hold(deviceId);
  }

  /** All figures anew from the stored readings, within a transaction. @throws NotFoundError */
  async recompute(publicId: string): Promise<void> {
    await this.lock(publicId);
    const { session } = await this.load(publicId);
    await saveSessions(this.db, await rebuildSessions(this.db, [{ ...session, rebuild: true }]));
  }

  /** The user's sessions, the newest first; cancelled ones are hidden but with `all`. */
  list(userId: number, { all = false }: { all?: boolean | undefined } = {}): Promise<GrillingSession[]> {
    return this.db.find(GrillingSession, {
      where: { userId, deletedAt: IsNull(), ...(!all && { status: Not('cancelled') }) },
      order: { startTime: 'DESC', id: 'DESC' },
    });
  }

  /** @throws NotFoundError */
  async get(publicId: string): Promise<SessionView> {
    const session = await this.getRow(publicId);
    const stats = await this.db.findBy(SessionProbeStats, { sessionId: session.id });
    const members = (session.members ?? []).toSorted((a, b) => a.probeId - b.probeId);
    const where = { sessionId: session.id };
    const tags = await this.db.find(SessionTag, { where, order: { tagFrom: 'ASC' } });
    return {
      session,
      tags: tags.filter((tag) => members.some(({ probeId }) => probeId === tag.probeId)),
      log: await this.db.find(SessionLogEntry, { where, order: { id: 'ASC' } }),
      probes: members.map((member) => ({
        member,
        stats: stats.find(({ probeId }) => probeId === member.probeId),
      })),
    };
  }

  /** As the fold knows it, and until when its time counts: its end, else now. @throws NotFoundError */
  async load(publicId: string): Promise<{ session: Session; untilMs: number }> {
    const { userId, deviceId, endTime } = await this.getRow(publicId);
    const nowMs = await cloudNowMs(this.db, userId);
    const sessions = await loadSessions(this.db, [deviceId], endTime?.getTime() ?? nowMs);
    const session = sessions.find((one) => one.publicId === publicId);
    if (!session) throw new Error(`session ${publicId} was not loaded`);
    return { session, untilMs: session.endMs ?? Math.max(nowMs, session.lastReadingMs ?? nowMs) };
  }

  private async getRow(publicId: string): Promise<GrillingSession> {
    const session = await this.db.findOne(GrillingSession, {
      where: { publicId, deletedAt: IsNull() },
      relations: { members: { probe: true } },
    });
    if (!session) throw new NotFoundError(`no session ${publicId}: session list shows those there are`);
    return session;
  }
}

function chooseProbes(device: OwnedDevice, probeIds: string[]): ProbeFacts[] {
  const humid = probeIds.find((id) => getProbe(device, id).kind === 'humidity');
  if (humid !== undefined) throw new InputError(`--probe ${humid} measures humidity, not temperature`);
  const chosen = device.probes.filter(
    ({ probeId, kind }) => kind === 'temperature' && (probeIds.length === 0 || probeIds.includes(probeId)),
  );
  if (chosen.length === 0) throw new InputError(`device ${device.deviceId} has no temperature probe yet`);
  return chosen;
}

function toFacts({ id, deviceId, userId, type, model, probes, user }: OwnedDevice): DeviceFacts {
  const { temperatureUnit, timeZone = null } = user ?? {};
  return { id, deviceId, userId, type, model, temperatureUnit: temperatureUnit ?? 'F', timeZone, probes };
}

function memberOf(device: DeviceFacts, probe: ProbeFacts): SessionMember {
  return { probeId: probe.id, role: effectiveRole(device, probe), fromMs: null, toMs: null };
}

function newSession({ userId, deviceId, temperatureUnit }: DeviceFacts, startMs: number): Session {
  return {
    publicId: uuidv7(),
    id: null,
    userId,
    deviceId,
    sessionType: 'manual',
    status: 'active',
    phase: 'active',
    endReason: null,
    startMs,
    endMs: null,
    lastReadingMs: null,
    temperatureUnit,
    members: [],
    stats: new Map(),
    rebuild: true,
  };
}
