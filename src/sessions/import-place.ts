import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Device } from '../entities/device.js';
import { Probe } from '../entities/probe.js';
import type { User } from '../entities/user.js';
import { NotFoundError } from '../errors.js';
import type { Contents } from './import-contents.js';

/** Where the file's readings belong. */
interface Place {
  device: Device | null;
  probes: Map<string, Probe>;
  /** To be made: nobody but an import knows of the device. */
  missing: string[];
}

/** @throws InputError, NotFoundError where the device or a probe is not the user's */
export async function placeOf(db: EntityManager, user: User, { deviceId, probes }: Contents): Promise<Place> {
  const device = await db.findOneBy(Device, { deviceId });
  const own = await db.find(Probe, { where: { deviceId, userId: user.id }, order: { id: 'ASC' } });
  if (device && device.userId !== user.id && own.length === 0)
    throw new NotFoundError(`device ${deviceId} belongs to another user, and ${user.email} never had it`);
  const missing = [...probes.keys()].filter((name) => !own.some(({ probeId }) => probeId === name));
  const isImported = device?.userId === user.id && !device.isActive && device.cloudUpdateTime === null;
  if (device && !isImported && missing.length > 0) {
    const there = own.map(({ probeId }) => probeId).join(', ') || 'none';
    throw new NotFoundError(`no probe ${missing[0]}: device ${deviceId} has ${there}`);
  }
  return { device, probes: new Map(own.map((probe) => [probe.probeId, probe])), missing };
}

/** With what is missing of a device that no cloud account shows: it is the user's, and not active. */
export async function makePlace(
  tx: EntityManager,
  user: User,
  contents: Contents,
): Promise<Map<string, Probe>> {
  const { deviceId } = contents;
  const { device, missing } = await placeOf(tx, user, contents);
  if (!device) await tx.insert(Device, { publicId: uuidv7(), userId: user.id, deviceId, isActive: false });
  if (missing.length > 0)
    await tx.insert(
      Probe,
      missing.map((probeId) => ({ userId: user.id, deviceId, probeId, ...contents.probes.get(probeId) })),
    );
  return (await placeOf(tx, user, contents)).probes;
}
