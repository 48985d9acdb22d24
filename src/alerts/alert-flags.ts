import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { cloudNowMs } from '../accounts/cloud-clock.js';
import type { AlertEventKind } from '../entities/alert-event.js';
import { Probe } from '../entities/probe.js';
import { InputError } from '../errors.js';
import { AlertManager } from './alert-manager.js';
import { insertEvents, saveStates } from './alert-store.js';
import { isFiring } from './announce.js';
import { loadAlerts } from './load-alerts.js';
import type { AlertState } from './types.js';

const MOST_MINUTES = 7 * 24 * 60;

/** What people say about an alert that fires: seen, not now. Each is an event; none changes whether it fires. */
export class AlertFlags {
  /** @param db a transaction's manager: the device is locked, as ingest does */
  constructor(private readonly db: EntityManager) {}

  /**
   * Ends the repeats of what fires now, until it is over. A tier that fires later is told.
   * @throws NotFoundError, InputError
   */
  async acknowledge(publicId: string): Promise<void> {
    await this.flag(publicId, 'acknowledged', (state, nowMs) =>
      isTold(state) && state.acknowledgedAtMs === null ? { acknowledgedAtMs: nowMs } : null,
    );
  }

  /** Under the device's lock. @throws NotFoundError, or InputError if it has fired again since this event */
  async checkLatest(publicId: string, eventId: string): Promise<void> {
    const alerts = new AlertManager(this.db);
    const { id, deviceId } = await alerts.getByPublicId(publicId);
    await alerts.lockDevice(deviceId);
    const newer = await this.db.query<unknown[]>(
      `SELECT 1 FROM alert_events e
       WHERE e.alert_id = $1 AND e.kind = 'fired' AND NOT e.detected_late
         AND e.id > (SELECT id FROM alert_events WHERE public_id = $2) LIMIT 1`,
      [id, eventId],
    );
    if (newer.length > 0) throw new InputError(`alert ${publicId} has fired again since`);
  }

  /** Takes that back. @throws NotFoundError, InputError */
  async unacknowledge(publicId: string): Promise<void> {
    await this.flag(publicId, 'unacknowledged', ({ acknowledgedAtMs }) =>
      acknowledgedAtMs === null ? null : { acknowledgedAtMs: null },
    );
  }

  /**
   * Tells of no firing and no repeat for so long; what then fires is told at the end, and what was told before, when it
   * is over. A critical tier is covered only if it fires already.
   * @param minutes 0: a snooze that goes on ends now
   * @throws NotFoundError, InputError
   */
  async snooze(publicId: string, minutes: number): Promise<{ snoozedUntil: Date }> {
    if (!Number.isInteger(minutes) || minutes < 0 || minutes > MOST_MINUTES)
      throw new InputError(`--minutes must be a whole number from 0 (no longer) to ${MOST_MINUTES}`);
    const until = (nowMs: number) => nowMs + minutes * 60_000;
    const isCovered = (state: AlertState, now: number, tiers: number) =>
      minutes === 0
        ? (state.snoozedUntilMs ?? 0) > now
        : state.tier !== 'critical' || isFiring(state) || tiers === 1;
    const nowMs = await this.flag(
      publicId,
      'snoozed',
      (state, now, tiers) => (isCovered(state, now, tiers) ? { snoozedUntilMs: until(now) } : null),
      minutes === 0 ? 'is not snoozed' : NOTHING.snoozed,
    );
    return { snoozedUntil: new Date(until(nowMs)) };
  }

  private async flag(
    publicId: string,
    kind: Extract<AlertEventKind, 'acknowledged' | 'unacknowledged' | 'snoozed'>,
    change: (state: AlertState, nowMs: number, tiers: number) => Partial<AlertState> | null,
    nothing = NOTHING[kind],
  ): Promise<number> {
    const alerts = new AlertManager(this.db);
    const { id, userId, deviceId, probeId } = await alerts.getByPublicId(publicId);
    const device = await alerts.lockDevice(deviceId);
    const nowMs = await cloudNowMs(this.db, userId);
    const probes = probeId === null ? [] : await this.db.findBy(Probe, { userId, deviceId, probeId });
    const loaded = await loadAlerts(
      this.db,
      probes.map((probe) => probe.id),
      device ? [device.id] : [],
    );
    const states = loaded.find(({ rule }) => rule.id === id)?.states ?? [];
    const tiers = new Set(states.map(({ tier }) => tier)).size;
    const changed = states.flatMap((state) => {
      const flags = change(state, nowMs, tiers);
      return flags ? [{ ...state, ...flags, version: state.version + 1 }] : [];
    });
    if (changed.length === 0) throw new InputError(`alert ${publicId} ${nothing}`);
    await saveStates(this.db, changed);
    const news = { value: null, unit: null, durationSeconds: null, extreme: null, change: null };
    await insertEvents(
      this.db,
      changed.map(({ alertId, side, tier, version }) => ({
        ...{ ...news, alertId, kind, side, tier, version, measuredAtMs: nowMs, isMuted: false },
        ...{ publicId: uuidv7(), sessionId: null, detectedLate: false },
      })),
    );
    await alerts.lookSoon(deviceId);
    return nowMs;
  }
}

const NOTHING = {
  acknowledged: 'does not fire, or is acknowledged already',
  unacknowledged: 'is not acknowledged',
  snoozed: 'watches nothing now: its probe is gone, or it is switched off',
};

const isTold = (state: AlertState): boolean => isFiring(state) && state.isAnnounced;
