import type { Cloud } from '../simulator/cloud.js';

/** Devices whose temperature goes up and down across 230 °F, so that alerts fire and resolve as long as it runs. */
export interface Swings {
  add(deviceId: string): void;
  /** Whether values go on changing. */
  pause(): Promise<void>;
  resume(): void;
  stop(): void;
}

/** Ten of them, which the cloud shows at a time, outlast the 15 s until another process polls. */
const EVERY_MS = 2_000;

export function startSwings(cloud: Cloud): Swings {
  const devices: string[] = [];
  let isHigh = false;
  let isPaused = false;
  let swing: Promise<unknown> = Promise.resolve();
  const once = async () => {
    isHigh = !isHigh;
    for (const device_id of devices) {
      const value = (isHigh ? 231 : 219) + Math.floor(Math.random() * 90) / 10;
      const probe_id = await firstProbe(device_id);
      await cloud.post('/_control/readings', { device_id, probe_id, manual: true, readings: [{ value }] });
    }
  };
  const probes = new Map<string, string>();
  const firstProbe = async (deviceId: string): Promise<string> => {
    for (let index = 0; !probes.has(deviceId) && index < cloud.simulator.accounts.length; index++)
      for (const { id, probes: own } of await cloud.devices(index)) probes.set(id, own[0] ?? '1');
    return probes.get(deviceId) ?? '1';
  };
  const timer = setInterval(() => {
    if (isPaused) return;
    swing = swing.then(() => (isPaused ? undefined : once())).catch(() => undefined);
  }, EVERY_MS);
  timer.unref();
  return {
    add: (deviceId) => {
      devices.push(deviceId);
    },
    async pause() {
      isPaused = true;
      await swing;
    },
    resume: () => {
      isPaused = false;
    },
    stop: () => clearInterval(timer),
  };
}
