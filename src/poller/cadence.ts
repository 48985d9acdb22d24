/** What decides how soon a device is worth asking for again. */
export interface DeviceActivity {
  /** Seconds between two readings; null where unknown or on change. */
  intervalSeconds: number | null;
  /** Seconds from its newest reading to the poll, by the cloud's clock; null before the first. */
  silentSeconds: number | null;
  isLogger: boolean;
  /** A target alert of it is within 3 °C. */
  nearTarget: boolean;
}

const IDLE_SECONDS = 300;
const SLEEPING_SECONDS = 900;
const ACTIVE_WITHIN_SECONDS = 600;
const DAY_SECONDS = 24 * 3600;

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

/**
 * Seconds until the account's next poll: half the interval of its busiest device, 30 s to 300 s while it reports
 * (a logger 60 s to 900 s), the minimum when a target is near, 300 s when nothing reports and 900 s after a day of
 * silence; within `minSeconds` and `maxSeconds`, ± 10 %.
 */
export function nextPollSeconds(
  devices: readonly DeviceActivity[],
  { minSeconds, maxSeconds, random }: { minSeconds: number; maxSeconds: number; random: () => number },
): number {
  const wanted = devices.map((device) => secondsFor(device, minSeconds));
  const soonest = wanted.reduce(
    (a, b) => Math.min(a, b),
    devices.length === 0 ? IDLE_SECONDS : SLEEPING_SECONDS,
  );
  return clamp(soonest * (0.9 + 0.2 * random()), minSeconds, maxSeconds);
}

function secondsFor(
  { intervalSeconds, silentSeconds, isLogger, nearTarget }: DeviceActivity,
  min: number,
): number {
  if (isLogger) return clamp((intervalSeconds ?? 2 * SLEEPING_SECONDS) / 2, 60, 900);
  if (silentSeconds === null) return IDLE_SECONDS;
  if (silentSeconds > DAY_SECONDS) return SLEEPING_SECONDS;
  if (silentSeconds > Math.max(ACTIVE_WITHIN_SECONDS, 2 * (intervalSeconds ?? 0))) return IDLE_SECONDS;
  return nearTarget ? min : clamp((intervalSeconds ?? 60) / 2, 30, 300);
}

/** Seconds to wait after the `failed`th failed poll in a row: min × 2ⁿ, full jitter, at most max. */
export function backOffSeconds(
  failed: number,
  { minSeconds, maxSeconds, random }: { minSeconds: number; maxSeconds: number; random: () => number },
): number {
  return Math.max(1, Math.min(minSeconds * 2 ** Math.min(failed, 20), maxSeconds) * random());
}
