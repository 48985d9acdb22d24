import { type Json, number, text } from './json.js';

/** The cloud's clock: starts at the real time and runs `speed` times as fast. Milliseconds since 1970. */
export class SimulatedClock {
  private base: number;
  private baseReal: number;

  constructor(
    private readonly realNow: () => number,
    private factor: number,
  ) {
    this.baseReal = realNow();
    this.base = this.baseReal;
  }

  get speed(): number {
    return this.factor;
  }

  now(): number {
    return Math.floor(this.base + (this.realNow() - this.baseReal) * this.factor);
  }

  read(): { now: string; speed: number } {
    return { now: new Date(this.now()).toISOString(), speed: this.factor };
  }

  /** Applies `now` (ISO), `advance_seconds` and `speed`, each optional. */
  set(change: Json): { now: string; speed: number } {
    const wanted = Date.parse(text(change.now) ?? '');
    this.base = (Number.isNaN(wanted) ? this.now() : wanted) + (number(change.advance_seconds) ?? 0) * 1000;
    this.baseReal = this.realNow();
    this.factor = number(change.speed) ?? this.factor;
    return this.read();
  }
}
