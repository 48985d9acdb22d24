import { type EntityManager, IsNull } from 'typeorm';
import { v7 as uuidv7, validate } from 'uuid';
import { AlertState } from '../entities/alert-state.js';
import { Device } from '../entities/device.js';
import { Probe } from '../entities/probe.js';
import { TemperatureAlert } from '../entities/temperature-alert.js';
import { User } from '../entities/user.js';
import { InputError, NotFoundError } from '../errors.js';
import { toHundredths } from '../readings/sample.js';
import { emptyDetection } from '../sessions/detection-state.js';
import { inUnit, OPTIONS, withoutNone } from './alert-input.js';
import { findPlace } from './alert-place.js';
import { saveStates } from './alert-store.js';
import {
  type AlertSettings,
  checkNeeds,
  checkRoom,
  defaultRecoverySeconds,
  withDefaults,
} from './defaults.js';
import { alreadyMet, initialStates, rearm } from './evaluate.js';
import { isPresence } from './limits.js';
import { loadAlerts } from './load-alerts.js';
import type { AlertRule } from './types.js';

/** Columns that do not leave the service. */
const INTERNAL = new Set([
  'id',
  'public_id',
  'user_id',
  'alert_id',
  'deleted_at',
  'recent',
  'told_at',
  'is_muted',
  'judged_after',
]);

/** What can be changed without closing what fires. */
const DESCRIBING = new Set(['name', 'description', 'cooldownSeconds', 'repeatSeconds']);

/** An alert with where it stands, by column names. */
export type AlertRow = Record<string, unknown> & { states: Record<string, unknown>[] };

/** The alerts users set: reads and writes of `temperature_alerts` and of their states. */
export class AlertManager {
  /** @param db a transaction's manager: `create` and `delete` lock the device, as ingest does. */
  constructor(private readonly db: EntityManager) {}

  /**
   * An alert on one of the user's probes, or on a device's battery; what `options` leaves out gets the default of the probe's role.
   * `alreadyMet`: a target that the probe's present value meets waits until it is armed again, and sends nothing.
   * @throws NotFoundError, InputError
   */
  async create(
    userId: number,
    { deviceId, probeId, ...options }: { deviceId: string; probeId?: string; [option: string]: unknown },
  ): Promise<{ alert: TemperatureAlert; alreadyMet: boolean }> {
    const { probe, type, settings } = await this.plan(userId, { deviceId, probeId, ...options });
    const publicId = uuidv7();
    const owned = { publicId, userId, deviceId, probeId: probe?.probeId ?? null, alertType: type };
    await this.db.insert(TemperatureAlert, { ...owned, ...settings });
    const alert = await this.getByPublicId(publicId);
    const isMet = await this.seedStates({ ...settings, type, id: alert.id }, probe);
    if (type === 'no_data') await this.lookSoon(deviceId);
    return { alert, alreadyMet: isMet };
  }

  /**
   * Changes what is given and leaves the rest, converted if the unit changes; `none` takes it away, if the type can do
   * without. Under another name, or with other repeats, it goes on as it stands; a changed condition closes what fires
   * without a message, and is judged from the next reading on.
   * @throws NotFoundError, InputError
   */
  async set(publicId: string, options: Record<string, unknown>): Promise<TemperatureAlert> {
    const { probe, rule, settings, isSame } = await this.planSet(publicId, options);
    const { deviceId } = await this.getByPublicId(publicId);
    await this.db.update(TemperatureAlert, { id: rule.id }, settings);
    if (!isSame) await this.beginAnew(rule, probe);
    await this.lookSoon(deviceId);
    return this.getByPublicId(publicId);
  }

  /** What {@link set} would make of an alert; `isSame`: its condition stays. @throws NotFoundError, InputError */
  async planSet(publicId: string, options: Record<string, unknown>) {
    const given = withoutNone(options);
    if (given.type !== undefined) throw new InputError('--type cannot be changed: create another alert');
    await this.lockDevice((await this.getByPublicId(publicId)).deviceId);
    const alert = await this.getByPublicId(publicId);
    const { userId, deviceId, probeId, alertType: type } = alert;
    const asked = { type, userId, deviceId, probeId: probeId ?? undefined };
    const { probe, ...facts } = await this.getPlace(asked);
    const stored = Object.fromEntries(OPTIONS.map((key) => [key, key === 'type' ? type : alert[key]]));
    const known = inUnit(alert, stored, given.temperatureUnit);
    // What calm means is half of the change, unless it is said.
    if (given.thresholdValue !== undefined) delete known.hysteresis;
    checkNeeds(type, { ...known, ...given });
    // A rule that was fine when it was made may be called something else, whatever its device does now.
    const isNamed = Object.keys(given).every((key) => DESCRIBING.has(key));
    const place = isNamed ? { ...facts, transmitIntervalSeconds: null, intervalSeconds: null } : facts;
    const { type: _, ...settings } = withDefaults(
      { ...known, ...given },
      { ...place, temperatureUnit: null },
    );
    const rule: AlertRule = { ...settings, type, id: alert.id };
    if (!isNamed) checkRoom(rule);
    const isSame = Object.entries(settings).every(
      ([key, value]) => DESCRIBING.has(key) || stored[key] === value,
    );
    return { probe, rule, settings, isSame };
  }

  /** Its events go on in number. */
  private async beginAnew(rule: AlertRule, probe: Probe | null): Promise<void> {
    await this.db.delete(AlertState, { alertId: rule.id });
    await this.seedStates(rule, probe);
    await this.db.query(
      `UPDATE alert_states s SET version = e.version
       FROM (SELECT side, tier, max(version) AS version FROM alert_events WHERE alert_id = $1 AND version > 0
         GROUP BY side, tier) e
       WHERE s.alert_id = $1 AND s.side = e.side AND s.tier = e.tier`,
      [rule.id],
    );
  }

  /** What {@link create} would store, and on which probe (null: the device). @throws NotFoundError, InputError */
  async plan(
    userId: number,
    { deviceId, probeId, ...options }: { deviceId: string; probeId?: string; [option: string]: unknown },
  ): Promise<{ probe: Probe | null; type: AlertRule['type']; settings: Omit<AlertSettings, 'type'> }> {
    const { probe, ...facts } = await this.getPlace({ type: options.type, userId, deviceId, probeId });
    const { temperatureUnit } = await this.db.findOneByOrFail(User, { id: userId });
    const { type, ...given } = withDefaults(options, { ...facts, temperatureUnit });
    checkRoom({ ...given, type, id: 0 });
    const recoverySeconds = given.recoverySeconds ?? defaultRecoverySeconds(facts.intervalSeconds);
    return { probe, type, settings: { ...given, recoverySeconds } };
  }

  /** An alert as the reducers see it, with its probe (null: it watches the device). @throws NotFoundError */
  async getRule(publicId: string): Promise<{ probe: Probe | null; rule: AlertRule }> {
    const { userId, deviceId, probeId } = await this.getByPublicId(publicId);
    const probe = await this.db.findOneBy(Probe, { userId, deviceId, probeId: probeId ?? '' });
    const device = await this.db.findOneByOrFail(Device, { deviceId });
    const alerts = await loadAlerts(this.db, probe ? [probe.id] : [], [device.id]);
    const found = alerts.find((alert) => alert.publicId === publicId);
    if (!found || (!probe && probeId !== null))
      throw new NotFoundError(`the alert ${publicId} watches no probe`);
    return { probe, rule: found.rule };
  }

  /** The user's alerts, the oldest first. */
  list(userId: number): Promise<TemperatureAlert[]> {
    return this.db.find(TemperatureAlert, { where: { userId, deletedAt: IsNull() }, order: { id: 'ASC' } });
  }

  /** @throws NotFoundError */
  async getByPublicId(publicId: string): Promise<TemperatureAlert> {
    const where = { publicId, deletedAt: IsNull() };
    const alert = validate(publicId) ? await this.db.findOneBy(TemperatureAlert, where) : null;
    if (!alert) throw new NotFoundError(`no alert ${publicId}: alert list shows those there are`);
    return alert;
  }

  /** Deletes softly; what was firing closes without a message. @throws NotFoundError */
  async delete(publicId: string): Promise<void> {
    const { id, deviceId } = await this.getByPublicId(publicId);
    await this.lockDevice(deviceId);
    await this.db.update(TemperatureAlert, { id }, { deletedAt: () => 'now()' });
    await this.db.delete(AlertState, { alertId: id });
  }

  /** A new session has these probes (`probes.id`): what fired once may fire again. Under the device's lock. */
  async rearm(probes: readonly number[]): Promise<void> {
    const alerts = await loadAlerts(this.db, probes);
    await saveStates(
      this.db,
      alerts.flatMap(({ rule, states }) => rearm(rule, states)),
    );
  }

  /** As the command line prints it: keys are column names, `id` the public id. */
  async toJson(alert: TemperatureAlert): Promise<AlertRow> {
    const where = { alertId: alert.id };
    const states = await this.db.find(AlertState, { where, order: { side: 'ASC', tier: 'ASC' } });
    return {
      id: alert.publicId,
      ...this.columnsOf(TemperatureAlert, alert),
      states: states.map((state) => this.columnsOf(AlertState, state)),
    };
  }

  private columnsOf(entity: typeof TemperatureAlert | typeof AlertState, row: TemperatureAlert | AlertState) {
    const shown = this.db.connection.getMetadata(entity).columns.filter((c) => !INTERNAL.has(c.databaseName));
    return Object.fromEntries(
      shown.map((column): [string, unknown] => {
        const value: unknown = column.getEntityValue(row);
        return [column.databaseName, column.type === 'bigint' ? Number(value) : value];
      }),
    );
  }

  /** What {@link AlertFlags} do holds it too. */
  async lockDevice(deviceId: string): Promise<Device | null> {
    const where = { deviceId, deletedAt: IsNull() };
    return this.db.findOne(Device, { where, lock: { mode: 'for_no_key_update' } });
  }

  private async getPlace(asked: Parameters<typeof findPlace>[2]): ReturnType<typeof findPlace> {
    return findPlace(this.db, await this.lockDevice(asked.deviceId), asked);
  }

  /** The device's timers look at the next tick, and set the time of their next look. */
  async lookSoon(deviceId: string): Promise<void> {
    await this.db.query(
      `INSERT INTO detection_states (device_id, state, due_at) SELECT id, $2, to_timestamp(0) FROM devices WHERE device_id = $1
       ON CONFLICT (device_id) DO UPDATE SET due_at = excluded.due_at`,
      [deviceId, emptyDetection()],
    );
  }

  /**
   * The probe's last reading is what the first one to come is compared with. Only what it shows now can be met; a met
   * value from before it fell silent says nothing of what comes, so then the first value decides. Of a battery nothing is
   * known: the next poll tells.
   */
  private async seedStates(rule: AlertRule, probe: Probe | null): Promise<boolean> {
    if (!probe) {
      await saveStates(this.db, initialStates(rule));
      return false;
    }
    const { lastValue, lastUnit, lastMeasuredAt, state } = probe;
    const last =
      lastValue === null || lastUnit === null
        ? null
        : { hundredths: toHundredths(lastValue), unit: lastUnit };
    const met = last === null ? [] : alreadyMet(rule, last);
    const isThere = state === 'ok';
    const lastMs = last === null ? null : (lastMeasuredAt?.getTime() ?? null);
    await this.db.update(TemperatureAlert, { id: rule.id }, { judgedAfter: lastMeasuredAt });
    await saveStates(
      this.db,
      initialStates(rule).map((initial) => {
        const wasMet = met.includes(initial.tier);
        const isUnknown = !isThere && !isPresence(rule.type);
        const seed = { isArmed: !(wasMet && isThere), isUnknown, rearmMs: -1 };
        return { ...initial, ...seed, evaluatedAtMs: wasMet && !isThere ? null : lastMs };
      }),
    );
    return isThere && met.includes(rule.severity);
  }
}
