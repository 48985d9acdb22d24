import { RANK } from '../alerts/announce.js';
import type { Gateway } from '../alerts/inhibition.js';
import type { AlertTransition } from '../alerts/types.js';
import type { Severity } from '../entities/temperature-alert.js';
import type { IngestWorld } from './types.js';

/** What the devices of one transaction know of the gateway that they share. */
export interface SharedGateway extends Omit<Gateway, 'told'> {
  /** Its own row of `devices`. */
  device: number;
  /** The worst tier in which each device tells that the gateway is silent, by `devices.id`; grows while they are folded. */
  told: Map<number, Severity>;
}

/** What is told for the gateway of a device by others. */
export function gatewayOf({ gateway, sessions }: IngestWorld): Gateway | undefined {
  if (!gateway) return undefined;
  const { lastMs, intervalMs, devices, told } = gateway;
  const others = [...told].filter(([device]) => device !== sessions.device.id).map(([, tier]) => tier);
  return { lastMs, intervalMs, devices, told: others };
}

/** The worlds of one transaction in the order in which they are folded: gateways first, so that they speak for themselves. */
export function inTurn(
  worlds: ReadonlyMap<number, IngestWorld>,
  gateways: ReadonlyMap<number, SharedGateway>,
): [number, IngestWorld][] {
  if (gateways.size === 0) return [...worlds];
  const joined = [...worlds].map(([device, world]): [number, IngestWorld] => [
    device,
    { ...world, gateway: gateways.get(device) },
  ]);
  const isGateway = ([device, { gateway }]: [number, IngestWorld]) => gateway?.device === device;
  return [...joined.filter(isGateway), ...joined.filter((one) => !isGateway(one))];
}

/** What a device has just told for its gateway, for those that come after it. */
export function noteTold(
  { gateway, sessions: { device } }: IngestWorld,
  transitions: readonly AlertTransition[],
): void {
  for (const { silentDevices, isMuted, tier } of transitions) {
    const told = gateway?.told.get(device.id);
    if (silentDevices === undefined || isMuted || (told && RANK[told] >= RANK[tier])) continue;
    gateway?.told.set(device.id, tier);
  }
}
