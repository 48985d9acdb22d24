/** A way to ask for channels, and for how many devices at once. */
export interface Rung {
  way: 'batch' | 'list' | 'single';
  devices: number;
}

/** From the cheapest to the one that is proven. Rules may look up 20 documents per batch: hence the smaller chunks. */
export const RUNGS: readonly Rung[] = [
  { way: 'batch', devices: 9 },
  { way: 'batch', devices: 4 },
  { way: 'batch', devices: 2 },
  { way: 'batch', devices: 1 },
  { way: 'list', devices: 1 },
  { way: 'single', devices: 1 },
];

const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 86_400_000;

/** The next rung that asks for less than `devices` at once, or in another way; null at the last. */
export function rungBelow(rung: number, devices: number): number | null {
  const below = RUNGS.findIndex((r, at) => at > rung && (r.way !== 'batch' || r.devices < devices));
  return below === -1 ? null : below;
}

/**
 * Remembers for one provider which rung works, since what its rules allow is the same for every account. After a
 * minute, then twice as long each time, one call tries again from the top.
 */
export class ChannelLadder {
  private works = 0;
  private waitMs = FIRST_WAIT_MS;
  private tryAgainAt = 0;

  constructor(private readonly now: () => Date) {}

  /** The rung to begin with for so many devices. */
  start(devices: number): number {
    const { way, devices: atOnce } = RUNGS[this.works] ?? { way: 'single', devices: 1 };
    const couldGain = this.works > 0 && (way !== 'batch' || devices > atOnce);
    if (!couldGain || this.now().getTime() < this.tryAgainAt) return this.works;
    this.waitFrom(this.waitMs); // the others go on as before until this one knows
    return 0;
  }

  /** @param largest of how many devices the largest chunk was that rung `ended` answered */
  settle({ started, ended, largest }: { started: number; ended: number; largest: number }): void {
    const wasTrial = started < this.works;
    if (wasTrial && ended >= this.works) {
      this.waitFrom(Math.min(this.waitMs * 2, LONGEST_WAIT_MS));
      return;
    }
    if (!wasTrial && ended <= this.works) return;
    // Two devices that were answered at once say nothing about nine.
    const proven = RUNGS.findLastIndex((r) => r.way === 'batch' && r.devices >= largest);
    this.works = wasTrial && RUNGS[ended]?.way === 'batch' ? proven : ended;
    this.waitFrom(FIRST_WAIT_MS);
  }

  private waitFrom(waitMs: number): void {
    this.waitMs = waitMs;
    this.tryAgainAt = this.now().getTime() + waitMs;
  }
}
