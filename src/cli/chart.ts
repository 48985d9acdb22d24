import { isPresence, isSlope, isUpward, limitsOf } from '../alerts/limits.js';
import type { AlertRule } from '../alerts/types.js';
import { durationOf } from '../console/format.js';
import type { Observation } from '../readings/observation.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LINES_MS = [HOUR_MS, 6 * HOUR_MS, DAY_MS, 7 * DAY_MS, 28 * DAY_MS];
/** Thirty whole days, and the one that is not over. */
const MOST_LINES = 31;
/** With what stands before and behind them, 80 columns. */
const CELLS = 48;
const LABEL = 12;
const TICKS = 4;
const BARS = [...'▁▂▃▄▅▆▇█'];
const RED = '\u001b[31m';
const PLAIN = '\u001b[0m';

/** @param share of its height, 0 to 1 */
export const barOf = (share: number): string => barAmong(BARS, share);

function barAmong(bars: readonly string[], share: number): string {
  return bars[Math.min(Math.floor(share * bars.length), bars.length - 1)] ?? '';
}

/** A stretch of time (epoch ms), its end not included. */
interface Stretch {
  fromMs: number;
  untilMs: number;
}

/** The part of a firing that lies somewhere; `begins`: with its beginning. */
type Part = Stretch & { begins?: boolean };

/** What the bars stand for, in hundredths of the rule's unit: beyond a limit the lowest or the highest one. */
interface Scale {
  low: number;
  high: number;
  hasLow: boolean;
  hasHigh: boolean;
}

/** The values of a probe over some time: an hour, a day or more on each line, as bars. */
export class Chart {
  readingCount = 0;
  private readonly lineMs: number;
  private readonly startMs: number;
  private readonly least: Float64Array;
  private readonly most: Float64Array;

  constructor(
    private readonly rule: AlertRule,
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ) {
    const lines = (ms: number) => Math.floor(toMs / ms) - Math.floor(fromMs / ms) + 1;
    this.lineMs = LINES_MS.find((ms) => lines(ms) <= MOST_LINES) ?? 28 * DAY_MS;
    this.startMs = Math.floor(fromMs / this.lineMs) * this.lineMs;
    this.least = new Float64Array(lines(this.lineMs) * CELLS).fill(Number.NaN);
    this.most = this.least.slice();
  }

  add({ measuredAtMs, hundredths, unit }: Observation): void {
    this.readingCount += 1;
    if (hundredths === null || !isTemperature(unit)) return;
    const value = convertHundredths(hundredths, unit, this.rule.temperatureUnit);
    const cell = Math.floor(((measuredAtMs - this.startMs) * CELLS) / this.lineMs);
    // NaN, where there is none yet, is neither more nor less.
    if (!((this.least[cell] ?? 0) <= value)) this.least[cell] = value;
    if (!((this.most[cell] ?? 0) >= value)) this.most[cell] = value;
  }

  /** Lines of 80 columns, with marks below where the alert fires; those are red where `isColoured`. */
  toText(firings: readonly Stretch[], { isColoured }: { isColoured: boolean }): string {
    const scale = this.scale();
    const lines = [`${legendOf(this.rule, scale)}; ! fires; UTC`, axisOf(this.lineMs)];
    let empty = 0;
    const pass = () => {
      if (empty > 0) lines.push(`${' '.repeat(LABEL)}${empty} × no readings`);
      empty = 0;
    };
    for (let first = 0; first < this.most.length; first += CELLS) {
      const fromMs = this.startMs + (first / CELLS) * this.lineMs;
      const here = within(firings, { fromMs, untilMs: fromMs + this.lineMs });
      const bars = Array.from({ length: CELLS }, (_, cell) => this.bar(first + cell, scale));
      if (here.length === 0 && bars.every((bar) => bar === ' ')) empty += 1;
      else {
        pass();
        lines.push(...lineOf(bars, here, { fromMs, lineMs: this.lineMs, isColoured }));
      }
    }
    pass();
    return lines.join('\n');
  }

  private bar(cell: number, { low, high, hasLow, hasHigh }: Scale): string {
    const [least = Number.NaN, most = Number.NaN] = [this.least[cell], this.most[cell]];
    if (Number.isNaN(most)) return ' ';
    if (hasHigh && most > high) return BARS.at(-1) ?? '';
    if (hasLow && least < low) return BARS[0] ?? '';
    const between = BARS.slice(hasLow ? 1 : 0, hasHigh ? -1 : undefined);
    const share = ((least + most) / 2 - low) / (high - low || 1);
    return barAmong(between, share);
  }

  /** From the limits, else from the values that there were. */
  private scale(): Scale {
    const hasNone = isSlope(this.rule.type) || isPresence(this.rule.type);
    const limits = hasNone ? [] : limitsOf(this.rule);
    const highs = limits.filter(({ side }) => isUpward(side)).map(({ hundredths }) => hundredths);
    const lows = limits.filter(({ side }) => !isUpward(side)).map(({ hundredths }) => hundredths);
    const [hasLow, hasHigh] = [lows.length > 0, highs.length > 0];
    const shown = (values: Float64Array) => values.filter((value) => !Number.isNaN(value));
    const [some = 0] = shown(this.least);
    const from = highs[0] ?? some;
    const low = hasLow ? Math.max(...lows) : shown(this.least).reduce((a, b) => Math.min(a, b), from);
    const high = hasHigh ? Math.min(...highs) : shown(this.most).reduce((a, b) => Math.max(a, b), low);
    return { low, high, hasLow, hasHigh };
  }
}

function legendOf({ temperatureUnit }: AlertRule, { low, high, hasLow, hasHigh }: Scale): string {
  const shown = (hundredths: number) => `${hundredths / 100}`;
  const [least, most] = [hasLow ? '▂' : '▁', hasHigh ? '▇' : '█'];
  const beyond = [hasLow ? `▁ below ${shown(low)}` : '', hasHigh ? `█ above ${shown(high)}` : ''];
  return [`${least} to ${most} is ${shown(low)} to ${shown(high)} °${temperatureUnit}`, ...beyond]
    .filter((part) => part !== '')
    .join(', ');
}

function axisOf(lineMs: number): string {
  const tick = (index: number) => {
    const ms = (index * lineMs) / TICKS;
    if (lineMs > DAY_MS) return `day ${ms / DAY_MS}`;
    return lineMs > HOUR_MS ? `${ms / HOUR_MS} h` : `${ms / 60_000} min`;
  };
  const ticks = Array.from({ length: TICKS }, (_, index) => tick(index).padEnd(CELLS / TICKS));
  return `${' '.repeat(LABEL)}${ticks.join('').trimEnd()}`;
}

function lineOf(
  bars: readonly string[],
  firings: readonly Part[],
  { fromMs, lineMs, isColoured }: { fromMs: number; lineMs: number; isColoured: boolean },
): string[] {
  const cellMs = lineMs / CELLS;
  const marks = bars.map((_, cell) => {
    const cellFromMs = fromMs + cell * cellMs;
    const here = within(firings, { fromMs: cellFromMs, untilMs: cellFromMs + cellMs });
    if (here.length === 0) return ' ';
    return here.some((one) => one.begins) ? '!' : '-';
  });
  const red = (text: string) => (isColoured && text.trim() !== '' ? `${RED}${text}${PLAIN}` : text);
  const label = new Date(fromMs).toISOString().replace('T', ' ');
  const name = lineMs >= DAY_MS ? label.slice(0, 10) : label.slice(5, 16);
  const shown = bars.map((bar, cell) => (marks[cell] === ' ' ? bar : red(bar))).join('');
  const lastedMs = firings.reduce((sum, one) => sum + one.untilMs - one.fromMs, 0);
  const told = firings.length === 0 ? '' : `  ${firings.length} × ${durationOf(lastedMs)}`;
  const line = `${name.padEnd(LABEL)}${shown}${told}`.trimEnd();
  return firings.length === 0 ? [line] : [line, `${' '.repeat(LABEL)}${red(marks.join('').trimEnd())}`];
}

/** The parts of stretches that lie in `bounds`; one without length counts as well. */
function within(stretches: readonly Part[], { fromMs, untilMs }: Stretch): Part[] {
  return stretches
    .filter((one) => one.fromMs < untilMs && (one.untilMs > fromMs || one.fromMs >= fromMs))
    .map((one) => ({
      fromMs: Math.max(one.fromMs, fromMs),
      untilMs: Math.min(one.untilMs, untilMs),
      begins: one.begins !== false && one.fromMs >= fromMs,
    }));
}
