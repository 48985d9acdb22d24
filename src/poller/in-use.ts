import type { LeasedAccount } from '../accounts/credential-manager.js';
import type { Logger } from '../logger.js';

/** Says once of each device that another account has it, and again when it comes back after it was gone. */
export function createInUseReport(logger: Logger) {
  const told = new Map<number, ReadonlySet<string>>();
  return ({ id, publicId }: LeasedAccount, deviceIds: readonly string[]): void => {
    const before = told.get(id);
    for (const deviceId of deviceIds) {
      if (before?.has(deviceId)) continue;
      logger.warn('device in use by another account', {
        reason: 'device_in_use',
        account: publicId,
        deviceId,
      });
    }
    if (deviceIds.length > 0) told.set(id, new Set(deviceIds));
    else told.delete(id);
  };
}
