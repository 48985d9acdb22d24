import { fraction } from './random.js';
import { applyPatch, type Probe, type Recording } from './recording.js';
import { encodeFields, type Fields, hundredths } from './value.js';

/** A channel document. */
export function channelFields({ spec, current, recent, updatedMicros, patch }: Probe): Fields {
  const units = current?.unit ?? spec.unit;
  const high = spec.alarmHigh !== undefined && units === spec.unit && (current?.value ?? 0) > spec.alarmHigh;
  const alarm = { units: units === 'H' ? 'F' : units, value: spec.alarmHigh ?? 250 };
  const byValue = recent.toSorted((a, b) => Number(a.value) - Number(b.value));
  const fields = encodeFields({
    // Some documents leave it out: the id says it.
    number: spec.type === 'rfx meat sensor' && spec.id === '4' ? undefined : spec.id,
    label: spec.label,
    type: spec.type,
    units,
    value: current ? current.value : null,
    status: current ? (current.status ?? (high ? 'HIGH' : 'NORMAL')) : 'NO PROBE',
    lastTelemetrySaved: current && new Date(current.at),
    lastSeen: current && new Date(Math.floor(updatedMicros / 1000) - 80),
    alarmHigh: { ...alarm, enabled: spec.alarmHigh !== undefined, alarming: high },
    alarmLow: { ...alarm, enabled: false, alarming: false, value: 32 },
    minimum: extreme(byValue[0]),
    maximum: extreme(byValue.at(-1)),
    enabled: spec.type === 'Pro-Series' ? true : undefined,
    color: 'none',
    recentReadings: spec.type === 'rfx air' ? undefined : recent.map(recentEntry),
  });
  return applyPatch(fields, patch);
}

const extreme = (recording: Recording | undefined) =>
  recording && {
    reading: { value: recording.value, units: recording.unit },
    dateReading: new Date(recording.at),
  };

/** `v` is decimal text; `ts` is now a timestamp, now text. */
const recentEntry = ({ at, value, unit }: Recording) => ({
  v: hundredths(Math.fround(value ?? 0)).toFixed(3),
  ts: fraction(at) < 0.5 ? new Date(at) : new Date(at).toISOString(),
  u: unit,
});
