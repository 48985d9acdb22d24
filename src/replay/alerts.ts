import { z } from 'zod';
import { type AlertSettings, defaultRecoverySeconds, withDefaults } from '../alerts/defaults.js';
import { InputError } from '../errors.js';
import type { ProbeRole } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

/** A probe of the trace, as far as the defaults of an alert ask for it. */
export interface Watched {
  deviceId: string;
  probeId: string;
  kind: 'temperature' | 'humidity';
  role: ProbeRole;
  /** Null: it has fewer than two readings. */
  intervalSeconds: number | null;
}

export interface ReplayedAlert {
  /** As it is called in the answer. */
  name: string;
  deviceId: string;
  /** Null: the device as a whole. */
  probeId: string | null;
  settings: AlertSettings;
}

/** Columns that say nothing of what an alert does: `alert list --json` shows them too. */
const ASIDE = new Set([
  ...['id', 'public_id', 'user_id', 'device_id', 'probe_id', 'alert_type', 'is_active', 'states', 'events'],
  ...['last_triggered', 'created_at', 'updated_at', 'deleted_at', 'already_met'],
]);

const text = z.string('must be a text').nullish();
const alerts = z.array(
  z.looseObject({
    device_id: text,
    probe_id: text,
    alert_type: z.string('must be a text'),
    is_active: z.boolean('must be true or false').default(true),
  }),
  'must be an array of alerts',
);

/**
 * The alerts of an ALERTS.json: objects named after the columns of `temperature_alerts`, of which null is the same as
 * left out. What is left out gets the default of the probe's role; a device or probe need not be named where there is
 * only one. Alerts that are not active are passed over.
 * @param probes of the trace
 * @throws InputError that names the alert by its index, and the column
 */
export function parseAlerts(
  json: string,
  probes: readonly Watched[],
  temperatureUnit: TemperatureUnit,
): ReplayedAlert[] {
  const { data, error } = alerts.safeParse(parseJson(json));
  if (error) {
    const [issue] = error.issues;
    const [index, column] = issue?.path ?? [];
    throw new InputError(
      `${index === undefined ? 'it' : `[${String(index)}]: ${String(column ?? 'it')}`} ${issue?.message}`,
    );
  }
  return data.flatMap((alert, index) => {
    if (!alert.is_active) return [];
    try {
      return [toAlert(alert, index, probes, temperatureUnit)];
    } catch (cause) {
      if (cause instanceof InputError) throw new InputError(`[${index}]: ${cause.message}`, { cause });
      throw cause;
    }
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new InputError(`it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function toAlert(
  alert: z.infer<typeof alerts>[number],
  index: number,
  probes: readonly Watched[],
  temperatureUnit: TemperatureUnit,
): ReplayedAlert {
  const given = Object.entries(alert).filter(([column, value]) => !ASIDE.has(column) && value !== null);
  const options = Object.fromEntries(given.map(([column, value]) => [camelCase(column), value]));
  const place = { temperatureUnit, transmitIntervalSeconds: null };
  try {
    // First what it is: some types watch no probe.
    withDefaults({ ...options, type: alert.alert_type }, { role: 'other', intervalSeconds: null, ...place });
    const { deviceId, probeId, role, intervalSeconds } =
      alert.alert_type === 'battery' ? findDevice(alert, probes) : findProbe(alert, probes);
    const settings = withDefaults(
      { ...options, type: alert.alert_type },
      { role, intervalSeconds, ...place },
    );
    const recoverySeconds = settings.recoverySeconds ?? defaultRecoverySeconds(intervalSeconds);
    const name = settings.name ?? `alerts[${index}]`;
    return { name, deviceId, probeId, settings: { ...settings, recoverySeconds } };
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new InputError(cause.message.replaceAll(/--[a-z-]+/g, columnOf), { cause });
  }
}

type Named = z.infer<typeof alerts>[number];

function findDevice({ device_id: deviceId, probe_id: probeId }: Named, probes: readonly Watched[]) {
  const devices = [...new Set(probes.map((one) => one.deviceId))];
  const device = deviceId ?? (devices.length === 1 ? devices[0] : undefined);
  if (device === undefined || !devices.includes(device))
    throw new InputError(`device_id must be one of the trace: ${listed(devices)}`);
  if (probeId) throw new InputError('probe_id is not for a battery alert: it watches the device');
  return { deviceId: device, probeId: null, role: 'other' as const, intervalSeconds: null };
}

function findProbe({ probe_id: probeId, ...alert }: Named, probes: readonly Watched[]): Watched {
  const { deviceId } = findDevice(alert, probes);
  const theirs = probes.filter((one) => one.deviceId === deviceId && one.kind === 'temperature');
  const found = theirs.filter((one) => one.probeId === (probeId ?? one.probeId));
  if (found.length === 1 && found[0]) return found[0];
  throw new InputError(
    `probe_id must be one that measures temperature on ${deviceId}: ${listed(theirs.map((one) => one.probeId))}`,
  );
}

function listed(names: readonly string[]): string {
  const [first = 'there is none', ...others] = names.slice(0, 10);
  return [first, ...others].join(', ');
}

function camelCase(column: string): string {
  return column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** An option of the command line as the column it sets. */
function columnOf(option: string): string {
  return option === '--type' ? 'alert_type' : option.slice(2).replaceAll('-', '_');
}
