import { EARLIEST, FLAG, isPlausible, isStorable, type Unit } from '../readings/sample.js';

/** Why something that the cloud showed gave no sample; a label of a metric. */
export type RejectReason = 'document' | 'number' | 'range' | 'unit' | 'time' | 'clock';

const MINUTE_MS = 60_000;
const SKEWED_AFTER_MS = 2 * MINUTE_MS;
const REJECTED_AFTER_MS = 24 * 60 * MINUTE_MS;
/** The largest number that is taken for seconds: later in milliseconds than any clock of a thermometer was wrong. */
const MOST_SECONDS = 1e10;

/** The flags that a value as shown earns, or why it is none. @param readMs the cloud's clock, which skew is judged against */
export function judge(
  { value, unit, ms }: { value: number; unit: Unit; ms: number },
  readMs: number,
): number | RejectReason {
  if (!isStorable(value)) return 'range';
  if (!(ms - readMs <= REJECTED_AFTER_MS) || ms < EARLIEST) return 'clock';
  return (isPlausible(value, unit) ? 0 : FLAG.suspect) | (ms - readMs > SKEWED_AFTER_MS ? FLAG.skewed : 0);
}

/** Archives tell times in milliseconds, or in seconds. */
export function epochToMs(epoch: number): number {
  return Math.floor(epoch <= MOST_SECONDS ? epoch * 1000 : epoch);
}
