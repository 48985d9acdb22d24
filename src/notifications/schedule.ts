const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WAITS = [2 * SECOND, 8 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE];

/**
 * How long to wait after the failed attempt number `attempt` (from 1): contract.md, Webhook, ± 20 %; longer if the
 * receiver asked for it, at most an hour.
 * @param random in [0, 1)
 */
export function nextWaitMs(attempt: number, random: number, retryAfterMs = 0): number {
  const waitMs = Math.round((WAITS[attempt - 1] ?? HOUR) * (0.8 + 0.4 * random));
  return Math.max(waitMs, Math.min(retryAfterMs, HOUR));
}
