import type { EntityManager } from 'typeorm';
import { loadRanges, sideOf } from '../readings/range.js';
import { UNTRUSTED } from '../readings/sample.js';
import { stretches } from '../readings/stretches.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { HeldValues } from './known-time.js';
import { countsIn, inUnitOf, type Temperature } from './roll-up.js';
import type { Session } from './types.js';

const BASELINE_MS = 3 * 3_600_000;
/** Hundredths of 1 °C: whoever is warmer has this as baseline. */
const BASELINE_CAP = 4500;

/** The stored readings that count in a session, by time, in small parts. @param untilMs where it has no end yet */
export async function* sessionReadings(
  db: EntityManager,
  session: Session,
  untilMs: number,
): AsyncGenerator<Temperature[]> {
  const probes = session.members.map(({ probeId }) => probeId);
  const span = { fromMs: session.startMs, toMs: session.endMs ?? untilMs };
  for await (const readings of stretches(db, probes, span))
    yield readings.filter((reading) => countsIn(session, reading));
}

/** The values of each member of a session, by `probes.id`. */
export async function heldValues(
  db: EntityManager,
  session: Session,
  untilMs: number,
): Promise<Map<number, HeldValues>> {
  const ranges = await loadRanges(
    db,
    session.members.map(({ probeId }) => probeId),
  );
  const values = new Map(
    session.members.map(({ probeId }) => [probeId, new HeldValues(ranges.get(probeId))]),
  );
  for await (const readings of sessionReadings(db, session, untilMs)) {
    for (const reading of readings) {
      const held = values.get(reading.probeId);
      const side = held?.range ? sideOf(held.range, reading.hundredths, reading.unit) : 'in';
      held?.add(inUnitOf(session, reading), side);
    }
  }
  return values;
}

/**
 * Of an automatic session the last of the lowest readings that each of its pits, or else of its members, showed in the
 * three hours before the start: the baseline that its rise is measured from. Without it, detection would begin the session later.
 */
export async function baselineReadings(db: EntityManager, session: Session): Promise<Temperature[]> {
  if (session.sessionType !== 'auto') return [];
  const pits = session.members.filter(({ role }) => role === 'pit');
  const probes = (pits.length > 0 ? pits : session.members).map(({ probeId }) => probeId);
  const span = { fromMs: session.startMs - BASELINE_MS, toMs: session.startMs - 1 };
  const lowest = new Map<number, { celsius: number; reading: Temperature }>();
  for await (const readings of stretches(db, probes, span)) {
    for (const { hundredths, unit, ...reading } of readings) {
      if (hundredths === null || !isTemperature(unit) || reading.flags & UNTRUSTED) continue;
      const celsius = convertHundredths(hundredths, unit, 'C');
      if (celsius <= (lowest.get(reading.probeId)?.celsius ?? BASELINE_CAP))
        lowest.set(reading.probeId, { celsius, reading: { ...reading, hundredths, unit } });
    }
  }
  const found = [...lowest.values()].map(({ reading }) => reading);
  return found.sort((a, b) => a.measuredAtMs - b.measuredAtMs);
}
