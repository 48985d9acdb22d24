import { type EntityManager, IsNull } from 'typeorm';
import { Device } from '../entities/device.js';
import { Probe } from '../entities/probe.js';
import { InputError, NotFoundError } from '../errors.js';
import { effectiveRole } from '../sessions/roles.js';
import type { Place } from './defaults.js';

/** What an alert watches: a probe, or null for the device as a whole. */
export interface WatchedPlace extends Omit<Place, 'temperatureUnit'> {
  probe: Probe | null;
}

/**
 * What an alert of a type is to watch, and what its defaults ask of it.
 * @param device as it is stored; null: there is none
 * @throws NotFoundError, InputError
 */
export async function findPlace(
  db: EntityManager,
  device: Device | null,
  {
    type,
    userId,
    deviceId,
    probeId,
  }: { type: unknown; userId: number; deviceId: string; probeId: string | undefined },
): Promise<WatchedPlace> {
  if (device?.userId !== userId) {
    const own = await db.findBy(Device, { userId, deletedAt: IsNull() });
    throw new NotFoundError(`no device ${deviceId}; there is ${listed(own.map((one) => one.deviceId))}`);
  }
  const { transmitIntervalSeconds } = device;
  if (type === 'battery') {
    if (probeId !== undefined)
      throw new InputError('--probe is not for a battery alert: it watches the device');
    return { probe: null, role: 'other', transmitIntervalSeconds, intervalSeconds: transmitIntervalSeconds };
  }
  const probes = await db.find(Probe, { where: { userId, deviceId }, order: { id: 'ASC' } });
  const there = `device ${deviceId} has ${listed(probes.map((p) => (p.label ? `${p.probeId} (${p.label})` : p.probeId)))}`;
  if (probeId === undefined) throw new InputError(`--probe is needed: ${there}`);
  const probe = probes.find((one) => one.probeId === probeId);
  if (!probe) throw new NotFoundError(`no probe ${probeId}: ${there}`);
  if (probe.kind === 'humidity')
    throw new InputError(`--probe ${probeId} measures humidity, not temperature`);
  const intervalSeconds = transmitIntervalSeconds ?? probe.learnedIntervalSeconds;
  return { probe, role: effectiveRole(device, probe), transmitIntervalSeconds, intervalSeconds };
}

function listed(names: string[]): string {
  return names.join(', ') || 'none';
}
