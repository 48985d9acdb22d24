import type { DataSource, EntityManager } from 'typeorm';
import { arrayOf, epochMs, numbersOf } from '../array-literal.js';
import { groupBy } from '../group-by.js';
import type { AlertRule, AlertState } from './types.js';

/** An alert in force. */
export interface LoadedAlert {
  /** The probe (`probes.id`) that it watches; of a battery alert: the device, as minus `devices.id`. */
  probeId: number;
  publicId: string;
  rule: AlertRule;
  states: AlertState[];
}

/** An alert, with one of its states where it has any. */
interface StateRow
  extends Pick<
    AlertState,
    'tier' | 'phase' | 'isUnknown' | 'isArmed' | 'isAnnounced' | 'isMuted' | 'isInhibited' | 'recent'
  > {
  probeId: number;
  id: number;
  version: string;
  /** Null: it has none. */
  side: AlertState['side'] | null;
  /** In the order of {@link STATE_NUMBERS}. */
  numbers: [
    version: number,
    heldMs: number,
    heldReadings: number,
    rearmMs: number,
    evaluatedMs: number | null,
    firedMs: number | null,
    resolvedMs: number | null,
    extreme: number | null,
    acknowledgedMs: number | null,
    snoozedUntilMs: number | null,
    toldMs: number | null,
  ];
}

const STATE_NUMBERS = numbersOf(
  's.version',
  's.held_ms',
  's.held_readings',
  's.rearm_ms',
  epochMs('s.evaluated_at'),
  epochMs('s.fired_at'),
  epochMs('s.resolved_at'),
  's.extreme',
  epochMs('s.acknowledged_at'),
  epochMs('s.snoozed_until'),
  epochMs('s.told_at'),
);

interface RuleRow
  extends Pick<AlertRule, 'id' | 'type' | 'temperatureUnit' | 'direction' | 'severity'>,
    Pick<LoadedAlert, 'publicId'> {
  version: string;
  /** In the order of {@link RULE_NUMBERS}. */
  numbers: [
    target: number | null,
    min: number | null,
    max: number | null,
    criticalMin: number | null,
    criticalMax: number | null,
    threshold: number | null,
    windowSeconds: number | null,
    recoverySeconds: number | null,
    holdSeconds: number,
    hysteresis: number,
    cooldownSeconds: number,
    silenceMinutes: number | null,
    criticalSilenceMinutes: number | null,
    repeatSeconds: number,
    preAlertDifference: number | null,
    batteryPercent: number | null,
    criticalBatteryPercent: number | null,
  ];
}

const RULE_NUMBERS = numbersOf(
  'target_temperature',
  'min_temperature',
  'max_temperature',
  'critical_min_temperature',
  'critical_max_temperature',
  'threshold_value',
  'window_seconds',
  'recovery_seconds',
  'hold_seconds',
  'hysteresis',
  'cooldown_seconds',
  'silence_minutes',
  'critical_silence_minutes',
  'repeat_seconds',
  'pre_alert_difference',
  'battery_percent',
  'critical_battery_percent',
);

/** A rule as this process read it. */
interface KnownRule extends Pick<LoadedAlert, 'publicId' | 'rule'> {
  /** No two contents of a row have had it in common, unless the server was set back in time meanwhile. */
  version: string;
}

/**
 * States change with every other reading, rules hardly ever, and to read one takes longer than to judge a reading by it.
 * By `temperature_alerts.id`, of one database.
 */
const knownRules = new WeakMap<DataSource, Map<number, KnownRule>>();
const MOST_KNOWN = 100_000;
/** Of the row `a`: who wrote it, and where it lies. */
const VERSION = "a.xmin::text || ' ' || a.ctid::text";

/**
 * The alerts in force on these probes (`probes.id`), and on these devices (`devices.id`) as a whole, in order of their
 * ids. One statement, and one more for the rules of which this process does not know the present version.
 */
export async function loadAlerts(
  tx: EntityManager,
  probeIds: readonly number[],
  deviceRows: readonly number[] = [],
): Promise<LoadedAlert[]> {
  if (probeIds.length + deviceRows.length === 0) return [];
  const rows = await tx.query<StateRow[]>(
    `${select('p.id', 'probes p JOIN temperature_alerts a USING (user_id, device_id, probe_id)')}
       AND p.id = ANY($1::integer[])
     UNION ALL
     ${select('-d.id', 'devices d JOIN temperature_alerts a USING (user_id, device_id)')}
       AND d.id = ANY($2::integer[]) AND a.probe_id IS NULL AND a.alert_type = 'battery'`,
    [arrayOf(probeIds), arrayOf(deviceRows)],
  );
  // Here, not by the server: it would sort whole rows, and words by the rules of a language.
  const alerts = [...groupBy(rows, ({ id }) => id)]
    .sort(([a], [b]) => a - b)
    .map(([, own]) => own.sort(inOrder));
  const rules = await loadRules(tx, alerts);
  return alerts.flatMap((rowsOfOne) => {
    const [row] = rowsOfOne;
    const known = row && rules.get(row.id);
    if (!known) return [];
    const { publicId, rule } = known;
    return [{ probeId: row.probeId, publicId, rule, states: rowsOfOne.flatMap(toState) }];
  });
}

const select = (watched: string, alerts: string): string =>
  `SELECT ${watched} AS "probeId", a.id, ${VERSION} AS version, s.side, s.tier, s.phase, s.is_unknown AS "isUnknown",
     s.is_armed AS "isArmed", s.is_announced AS "isAnnounced", s.is_muted AS "isMuted",
     s.is_inhibited AS "isInhibited", s.recent, ${STATE_NUMBERS} AS numbers
   FROM ${alerts} JOIN users u ON u.id = a.user_id
   LEFT JOIN alert_states s ON s.alert_id = a.id
   WHERE a.is_active AND a.deleted_at IS NULL AND u.deleted_at IS NULL`;

function inOrder(a: StateRow, b: StateRow): number {
  if (a.side === b.side) return a.tier < b.tier ? -1 : 1;
  return (a.side ?? '') < (b.side ?? '') ? -1 : 1;
}

function toState({ id, side, numbers, ...row }: StateRow): AlertState[] {
  if (side === null) return [];
  const state = {
    alertId: id,
    side,
    tier: row.tier,
    phase: row.phase,
    isUnknown: row.isUnknown,
    isArmed: row.isArmed,
    isAnnounced: row.isAnnounced,
    version: numbers[0],
    heldMs: numbers[1],
    heldReadings: numbers[2],
    rearmMs: numbers[3],
    evaluatedAtMs: numbers[4],
    firedAtMs: numbers[5],
    resolvedAtMs: numbers[6],
    extreme: numbers[7],
    recent: row.recent,
    acknowledgedAtMs: numbers[8],
    snoozedUntilMs: numbers[9],
    toldAtMs: numbers[10],
    isMuted: row.isMuted,
    isInhibited: row.isInhibited,
  };
  return [state];
}

/** The rules of these alerts; one that is gone since its states were read is not among them. */
async function loadRules(
  tx: EntityManager,
  alerts: readonly StateRow[][],
): Promise<ReadonlyMap<number, KnownRule>> {
  const known = knownRules.get(tx.connection) ?? new Map<number, KnownRule>();
  knownRules.set(tx.connection, known);
  const rules = new Map<number, KnownRule>();
  const missing: number[] = [];
  for (const [row] of alerts) {
    const one = row && known.get(row.id);
    if (one && one.version === row.version) rules.set(row.id, one);
    else if (row) missing.push(row.id);
  }
  if (missing.length === 0) return rules;
  const rows = await tx.query<RuleRow[]>(
    `SELECT a.id, ${VERSION} AS version, public_id AS "publicId", alert_type AS type,
       temperature_unit AS "temperatureUnit", direction, severity, ${RULE_NUMBERS} AS numbers
     FROM temperature_alerts a WHERE id = ANY($1::integer[])`,
    [arrayOf(missing)],
  );
  if (known.size + rows.length > MOST_KNOWN) known.clear();
  for (const row of rows) {
    const rule = { version: row.version, publicId: row.publicId, rule: toRule(row) };
    rules.set(row.id, rule);
    known.set(row.id, rule);
  }
  return rules;
}

function toRule({ id, type, temperatureUnit, direction, severity, numbers }: RuleRow): AlertRule {
  return {
    id,
    type,
    temperatureUnit,
    direction,
    severity,
    targetTemperature: numbers[0],
    minTemperature: numbers[1],
    maxTemperature: numbers[2],
    criticalMinTemperature: numbers[3],
    criticalMaxTemperature: numbers[4],
    thresholdValue: numbers[5],
    windowSeconds: numbers[6],
    recoverySeconds: numbers[7],
    holdSeconds: numbers[8],
    hysteresis: numbers[9],
    cooldownSeconds: numbers[10],
    silenceMinutes: numbers[11],
    criticalSilenceMinutes: numbers[12],
    repeatSeconds: numbers[13],
    preAlertDifference: numbers[14],
    batteryPercent: numbers[15],
    criticalBatteryPercent: numbers[16],
  };
}
