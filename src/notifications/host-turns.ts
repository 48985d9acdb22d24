interface Host {
  active: number;
  /** Called when a turn is free, in the order of asking. */
  waiting: (() => void)[];
  /** How long the last turn lasted. */
  tookMs: number;
}

const PATIENCE_MS = 500;
const MIN_BUSY_MS = 250;

/**
 * At most `limit` turns at once per host. A few callers wait up to half a second; the rest are sent away at once, so that
 * a slow host does not hold whoever works for the others.
 */
export class HostTurns {
  private readonly hosts = new Map<string, Host>();

  constructor(private readonly limit: number) {}

  /** @returns undefined for a turn, to be given back; else after how many ms to ask again */
  take(name: string): number | undefined | Promise<number | undefined> {
    const host = this.hosts.get(name) ?? { active: 0, waiting: [], tookMs: 0 };
    this.hosts.set(name, host);
    const busyMs = Math.max(MIN_BUSY_MS, host.tookMs);
    if (host.active < this.limit) {
      host.active++;
      return undefined;
    }
    if (host.waiting.length >= 2 * this.limit) return busyMs;
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
      const timer = setTimeout(() => {
        host.waiting = host.waiting.filter((other) => other !== go);
        resolve(busyMs);
      }, PATIENCE_MS);
      host.waiting.push(go);
    });
  }

  give(name: string, tookMs: number): void {
    const host = this.hosts.get(name);
    if (!host) return;
    host.tookMs = tookMs;
    const next = host.waiting.shift();
    if (next) next();
    else if (--host.active === 0) this.hosts.delete(name);
  }
}
