import type { Observation } from './observation.js';
import type { ProbeRole } from './sample.js';

/** A probe as a file of readings names it. */
export interface ExportedProbe {
  deviceId: string;
  probeId: string;
  role: ProbeRole;
}

/**
 * Readings as text: CSV as `replay` reads it, or one JSON array of which each object has the reading's flags too.
 * @param probes by `probes.id`
 * @param session of JSON: makes it one object of this session and its readings
 */
export async function* exportText(
  parts: AsyncIterable<readonly Observation[]>,
  probes: ReadonlyMap<number, ExportedProbe>,
  format: 'csv' | 'json',
  session?: object,
): AsyncGenerator<string> {
  const isCsv = format === 'csv';
  const toText = isCsv ? csvOf(probes) : jsonOf(probes);
  const opening = session ? `{"session":${JSON.stringify(session)},"readings":[\n` : '[\n';
  yield isCsv ? 'device_id,probe_id,measured_at,value,unit,role\n' : opening;
  let separator = '';
  for await (const readings of parts) {
    if (readings.length === 0) continue;
    const between = isCsv ? '' : ',\n';
    yield separator + readings.map(toText).join(between);
    separator = between;
  }
  if (!isCsv) yield session ? '\n]}\n' : '\n]\n';
}

const timeOf = ({ measuredAtMs }: Observation): string => new Date(measuredAtMs).toISOString();
const shownValue = ({ hundredths }: Observation): number | null =>
  hundredths === null ? null : hundredths / 100;

function csvOf(probes: ReadonlyMap<number, ExportedProbe>): (reading: Observation) => string {
  const ends = new Map(
    [...probes].map(([id, { deviceId, probeId, role }]) => [
      id,
      { first: `${cellOf(deviceId)},${cellOf(probeId)}`, role },
    ]),
  );
  return (reading) => {
    const { first, role } = ends.get(reading.probeId) ?? { first: ',', role: '' };
    return `${first},${timeOf(reading)},${shownValue(reading) ?? ''},${reading.unit},${role}\n`;
  };
}

/** A text from the cloud as a cell: no formula to a spreadsheet, and no end of the cell. */
function cellOf(text: string): string {
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

function jsonOf(probes: ReadonlyMap<number, ExportedProbe>): (reading: Observation) => string {
  return (reading) => {
    const probe = probes.get(reading.probeId);
    return JSON.stringify({
      device_id: probe?.deviceId,
      probe_id: probe?.probeId,
      measured_at: timeOf(reading),
      value: shownValue(reading),
      unit: reading.unit,
      role: probe?.role,
      flags: reading.flags,
    });
  };
}
