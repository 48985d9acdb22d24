import { type EntityManager, IsNull } from 'typeorm';
import { Device } from '../entities/device.js';
import { Probe } from '../entities/probe.js';
import { ReadingBucketProgress } from '../entities/reading-bucket-progress.js';
import { InputError, NotFoundError } from '../errors.js';
import type { ProbeRole } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

/** A device with the probes that are its owner's, in order of their ids. */
export type OwnedDevice = Device & { probes: Probe[] };

/** What a user says of a probe; an empty label lets the cloud's come back, `none` takes a limit away. */
export interface ProbeSettings {
  label?: string;
  role?: ProbeRole;
  minTemperature?: number | 'none';
  maxTemperature?: number | 'none';
  /** Of the limits (default: as they were, else as the owner likes it). */
  temperatureUnit?: TemperatureUnit;
}

/** Thermometers and their probes: reads of `devices` and `probes`, and what a user says of them. */
export class DeviceManager {
  /** @param db a transaction's manager makes the class part of it */
  constructor(private readonly db: EntityManager) {}

  /** With their owners; a former owner's probes are left out. */
  list(userId?: number): Promise<OwnedDevice[]> {
    return this.load({ userId });
  }

  /** @param userId undefined: whoever has it @throws NotFoundError that names those there are */
  async get(deviceId: string, userId?: number): Promise<OwnedDevice> {
    const [device] = await this.load({ deviceId, userId });
    if (device) return device;
    const there = (await this.load({ userId })).map((one) => one.deviceId).slice(0, 20);
    throw new NotFoundError(`no device ${deviceId}; there is ${there.join(', ') || 'none'}`);
  }

  /**
   * The serial that `--device` means: itself, or the one device with that nickname (or, without one, the cloud's label),
   * whatever the case of its letters.
   * @param email of whose devices; undefined: of all
   * @returns what was given, where it names nothing
   * @throws InputError that lists the devices, if there are several
   */
  async serialOf(named: string, email?: string): Promise<string> {
    const rows = await this.db.query<{ device_id: string }[]>(
      `SELECT d.device_id FROM devices d JOIN users u ON u.id = d.user_id
       WHERE d.deleted_at IS NULL AND u.deleted_at IS NULL AND ($2::text IS NULL OR lower(u.email) = lower($2))
         AND (d.device_id = $1 OR lower(coalesce(nullif(d.nickname, ''), d.label)) = lower($1)) ORDER BY d.id`,
      [named, email ?? null],
    );
    const serials = rows.map((row) => row.device_id);
    const [serial = named, ...others] = serials.includes(named) ? [named] : serials;
    if (others.length === 0) return serial;
    throw new InputError(
      `--device ${named} is the name of ${serials.length}: give the serial, ${serials.slice(0, 20).join(' or ')}`,
    );
  }

  private async load({ deviceId, userId }: { deviceId?: string; userId?: number }): Promise<OwnedDevice[]> {
    const devices = await this.db.find(Device, {
      where: {
        deletedAt: IsNull(),
        user: { deletedAt: IsNull() },
        ...(userId !== undefined && { userId }),
        ...(deviceId !== undefined && { deviceId }),
      },
      relations: { probes: true, user: true },
      order: { id: 'ASC', probes: { id: 'ASC' } },
    });
    return devices.map(withOwnProbes);
  }

  /** Takes the device for this transaction, as everybody does who changes its probes, sessions or alerts. */
  async lock(deviceId: string, userId: number): Promise<OwnedDevice> {
    await this.hold(deviceId);
    return this.get(deviceId, userId);
  }

  /** {@link lock}, whoever has the device now. */
  async hold(deviceId: string): Promise<void> {
    await this.db.query('SELECT id FROM devices WHERE device_id = $1 FOR NO KEY UPDATE', [deviceId]);
  }

  /** Names the device, or names a probe and says what it is for. Within a transaction. @throws NotFoundError, InputError */
  async set(
    userId: number,
    {
      deviceId,
      probeId,
      nickname,
      ...settings
    }: { deviceId: string; probeId?: string; nickname?: string } & ProbeSettings,
  ): Promise<OwnedDevice> {
    for (const [option, text] of Object.entries({ nickname, label: settings.label })) {
      if (text !== undefined && text.length > 100)
        throw new InputError(`--${option} must not be longer than 100`);
    }
    const device = await this.lock(deviceId, userId);
    if (nickname !== undefined)
      await this.db.update(Device, { id: device.id }, { nickname: nickname || null });
    const { label, role, minTemperature, maxTemperature, temperatureUnit } = settings;
    const ofProbe = [label, role, minTemperature, maxTemperature, temperatureUnit];
    if (ofProbe.some((value) => value !== undefined)) {
      const probe = getProbe(device, probeId);
      const named = label === undefined ? {} : { label: label || null, labelSetByUser: label !== '' };
      const range = rangeColumns(probe, settings, device.user?.temperatureUnit ?? 'F');
      await this.db.update(Probe, { id: probe.id }, { ...named, ...(role && { role }), ...range });
      // The time out of range is in the buckets: all are worked out again.
      if (range.temperatureUnit !== undefined)
        await this.db.update(ReadingBucketProgress, { probeId: probe.id }, { doneUntil: null });
    }
    return this.get(deviceId, userId);
  }
}

/** @throws InputError */
function rangeColumns(
  probe: Probe,
  { minTemperature, maxTemperature, temperatureUnit }: ProbeSettings,
  usual: TemperatureUnit,
): Partial<Probe> {
  if (minTemperature === undefined && maxTemperature === undefined && temperatureUnit === undefined)
    return {};
  if (probe.kind === 'humidity')
    throw new InputError('a range of temperatures is no use to a humidity probe');
  const limit = (given: number | 'none' | undefined, was: number | null) =>
    given === 'none' ? null : (given ?? was);
  const range = {
    minTemperature: limit(minTemperature, probe.minTemperature),
    maxTemperature: limit(maxTemperature, probe.maxTemperature),
  };
  const unit = temperatureUnit ?? probe.temperatureUnit ?? usual;
  const isWhole = minTemperature !== undefined && maxTemperature !== undefined;
  if (!isWhole && unit !== (probe.temperatureUnit ?? unit))
    throw new InputError(
      '--temperature-unit changes both limits: give --min-temperature and --max-temperature',
    );
  const { minTemperature: min, maxTemperature: max } = range;
  if (min !== null && max !== null && min >= max)
    throw new InputError(`--min-temperature ${min} must be below --max-temperature ${max}`);
  if (min === null && max === null) return { ...range, temperatureUnit: null };
  return { ...range, temperatureUnit: unit };
}

/** @throws InputError, NotFoundError that name those there are */
export function getProbe(
  { deviceId, probes }: Pick<OwnedDevice, 'deviceId' | 'probes'>,
  probeId: string | undefined,
  option?: string,
): Probe {
  const names = probes.map((one) => (one.label ? `${one.probeId} (${one.label})` : one.probeId));
  const there = `device ${deviceId} has ${names.join(', ') || 'none'}`;
  if (probeId === undefined) throw new InputError(`--probe is needed: ${there}`);
  const probe = probes.find((one) => one.probeId === probeId);
  if (!probe) throw new NotFoundError(`${option ? `${option}: ` : ''}no probe ${probeId}: ${there}`);
  return probe;
}

function withOwnProbes(device: Device): OwnedDevice {
  return Object.assign(device, {
    probes: (device.probes ?? []).filter(({ userId }) => userId === device.userId),
  });
}
