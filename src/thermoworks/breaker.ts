export type BreakerCause = 'provider' | 'rate_limited' | 'transient';

/** `fine` is any answer of a host that works, also one that refuses an account; `unknown` a call that was given up. */
export type BreakerOutcome = BreakerCause | 'fine' | 'unknown';

/** May this call go out: yes, yes as the one probe of a host believed down, or not for so long. */
export type Admission =
  | { pass: 'call' | 'probe' }
  | { pass: 'no'; cause: BreakerCause; retryAfterMs: number };

const CONSECUTIVE_FAILURES = 5;
const WINDOW = 20;
const FIRST_OPEN_MS = 5_000;
const LONGEST_OPEN_MS = 300_000;
const RATE_LIMIT_PAUSE_MS = 60_000;

/**
 * Keeps calls away from a host that is down. Opens after 5 failures in a row, or 10 among the last 20 calls, unless
 * all are of one caller and others get through; at once on a fault of the whole provider; for at least a minute when told to slow down. While it is open calls fail at
 * once; after that one probe decides. Each time in a row that it opens, it stays open for twice as long.
 */
export class Breaker {
  private recent: { failed: boolean; caller: string }[] = [];
  private cause: BreakerCause | null = null;
  private openUntil = 0;
  private openings = 0;
  private probing = false;

  constructor(private readonly clock: { now: () => Date; random: () => number }) {}

  admit(): Admission {
    if (this.cause === null) return { pass: 'call' };
    const waitMs = this.openUntil - this.clock.now().getTime();
    if (waitMs > 0 || this.probing)
      return { pass: 'no', cause: this.cause, retryAfterMs: Math.max(waitMs, 1000) };
    this.probing = true;
    return { pass: 'probe' };
  }

  /**
   * @param pass as {@link admit} gave it: while open, only the probe's answer closes
   * @param caller whose call it was
   */
  record(pass: 'call' | 'probe', outcome: BreakerOutcome, retryAfterMs = 0, caller = ''): void {
    if (pass === 'probe') this.probing = false;
    if (outcome === 'unknown') return;
    const providerWide = outcome === 'provider' || outcome === 'rate_limited';
    if (providerWide || (pass === 'probe' && outcome !== 'fine')) this.open(outcome, retryAfterMs);
    else if (pass === 'probe') this.close();
    else if (this.cause === null && this.isTooMany({ failed: outcome !== 'fine', caller }))
      this.open('transient', retryAfterMs);
  }

  private isTooMany(call: { failed: boolean; caller: string }): boolean {
    this.recent = [...this.recent.slice(1 - WINDOW), call];
    const inARow = this.recent.slice(this.recent.findLastIndex(({ failed }) => !failed) + 1);
    const failures = this.recent.filter(({ failed }) => failed);
    const isHalf = this.recent.length === WINDOW && failures.length >= WINDOW / 2;
    return (
      (inARow.length >= CONSECUTIVE_FAILURES && !this.isOneAlone(inARow)) ||
      (isHalf && !this.isOneAlone(failures))
    );
  }

  /** One caller that fails while others get through says nothing of the host: they must not pay for it. */
  private isOneAlone(failures: readonly { caller: string }[]): boolean {
    const callers = new Set(failures.map(({ caller }) => caller));
    return callers.size === 1 && this.recent.some(({ failed, caller }) => !failed && !callers.has(caller));
  }

  private open(cause: BreakerCause, retryAfterMs: number): void {
    const now = this.clock.now().getTime();
    // Calls that were on their way when it opened fail too: they must not count as further openings.
    if (this.cause === null || this.openUntil <= now) this.openings += 1;
    const backOffMs = Math.min(FIRST_OPEN_MS * 2 ** (this.openings - 1), LONGEST_OPEN_MS);
    const leastMs = cause === 'rate_limited' ? Math.max(RATE_LIMIT_PAUSE_MS, retryAfterMs) : retryAfterMs;
    // Jitter only ever adds: what the cloud asked for is the least.
    this.openUntil = Math.max(
      this.openUntil,
      now + Math.max(backOffMs, leastMs) * (1 + this.clock.random() / 2),
    );
    this.cause = cause;
  }

  private close(): void {
    this.cause = null;
    this.openings = 0;
    this.openUntil = 0;
    this.recent = [];
  }
}
