import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { roundToHundredth } from '../readings/sample.js';
import { inert } from './message.js';
import { topicOf } from './mqtt.js';
import { type Connection, type MqttTransport, type Publication, STATUS_TOPIC } from './mqtt-transport.js';

/** One sensor: a probe, an alert, or whether a device has a session. */
const sensor = z.object({
  kind: z.enum(['probe', 'alert', 'session']),
  /** Of Home Assistant's discovery. */
  prefix: z.string(),
  owner: z.string(),
  device: z.string(),
  device_name: z.string(),
  /** The alert's public id, or the probe as the cloud names it; null for a session. */
  id: z.string().nullable(),
  name: z.string(),
  /** Null: unknown. */
  value: z.number().nullable(),
  unit: z.enum(['F', 'C', 'H']).nullable(),
});
type Sensor = z.infer<typeof sensor>;

/** All sensors of all users with a channel that is on; one statement, whatever their number. */
const SENSORS = `
  WITH owner AS (
    SELECT DISTINCT u.id, u.public_id AS owner, substr(c.config->>'url', 6) AS prefix
    FROM notification_channels c JOIN users u ON u.id = c.user_id
    WHERE c.kind = 'mqtt' AND c.is_active AND u.is_active AND u.deleted_at IS NULL
  ), device AS (
    SELECT o.*, d.device_id, d.public_id AS device, coalesce(nullif(d.nickname, ''), nullif(d.label, ''), d.device_id) AS device_name
    FROM owner o JOIN devices d ON d.user_id = o.id WHERE d.deleted_at IS NULL
  )
  SELECT 'probe' AS kind, d.prefix, d.owner, d.device, d.device_name, p.probe_id AS id,
    coalesce(nullif(p.label, ''), 'Probe ' || p.probe_id) AS name,
    CASE WHEN p.state = 'ok' THEN p.last_value END::float8 AS value, p.last_unit AS unit
  FROM device d JOIN probes p ON p.user_id = d.id AND p.device_id = d.device_id
  WHERE p.last_unit IS NOT NULL AND p.state <> 'disabled'
  UNION ALL
  SELECT 'alert', d.prefix, d.owner, d.device, d.device_name, a.public_id::text,
    coalesce(nullif(a.name, ''), concat_ws(' ', coalesce(nullif(p.label, ''), 'Probe ' || a.probe_id), replace(a.alert_type, '_', ' '),
      CASE a.alert_type WHEN 'target' THEN a.target_temperature || ' °' || a.temperature_unit
        WHEN 'range' THEN concat_ws(' ', 'above ' || a.max_temperature, 'below ' || a.min_temperature) || ' °' || a.temperature_unit
        WHEN 'battery' THEN a.battery_percent || ' %' END)),
    (SELECT count(*) FROM alert_states s WHERE s.alert_id = a.id AND s.phase IN ('firing', 'recovering')), NULL
  FROM device d JOIN temperature_alerts a ON a.user_id = d.id AND a.device_id = d.device_id
  LEFT JOIN probes p ON p.user_id = a.user_id AND p.device_id = a.device_id AND p.probe_id = a.probe_id
  WHERE a.is_active AND a.deleted_at IS NULL
  UNION ALL
  SELECT 'session', d.prefix, d.owner, d.device, d.device_name, NULL, 'Session',
    (SELECT count(*) FROM grilling_sessions s
     WHERE s.device_id = d.device_id AND s.user_id = d.id AND s.status = 'active' AND s.deleted_at IS NULL), NULL
  FROM device d`;

const AT_ONCE = 500;

/**
 * Tells Home Assistant, each time it is called, what has changed since the last: sensors that appear, their retained
 * states, and those that are gone. After a new connection everything is told again, as the broker may have forgotten it.
 */
export function createHomeAssistant(uses: {
  db: EntityManager;
  transport: MqttTransport;
}): () => Promise<void> {
  const { db, transport } = uses;
  /** By topic; empty: to be told again. */
  let told = new Map<string, string>();
  let toldOver: Connection | undefined;

  return async () => {
    let sensors = await loadSensors(db);
    if (sensors.length === 0 && told.size === 0) return;
    const connection = await transport.connect();
    if (connection !== toldOver) {
      const left = await leftBehind(connection, db, new Set(sensors.map(({ prefix }) => prefix)));
      told = new Map([...told.keys(), ...left].map((topic) => [topic, '']));
      sensors = await loadSensors(db); // what another notifier has told meanwhile is not left behind
    }
    toldOver = connection;
    const wanted = new Map(sensors.flatMap(publicationsOf));
    const changed = [...wanted].filter(([topic, payload]) => told.get(topic) !== payload);
    const gone = [...told.keys()].filter((topic) => !wanted.has(topic)).map((topic) => [topic, ''] as const);
    const all = [...changed, ...gone];
    for (let index = 0; index < all.length; index += AT_ONCE) {
      const part = all.slice(index, index + AT_ONCE);
      await connection.publish(
        part.map(([topic, payload]): Publication => ({ topic, payload, retain: true })),
      );
      for (const [topic, payload] of part) {
        if (payload === '') told.delete(topic);
        else told.set(topic, payload);
      }
    }
  };
}

async function loadSensors(db: EntityManager): Promise<Sensor[]> {
  return z.array(sensor).parse(await db.query(SENSORS));
}

const OWNER = /(?:^grill-stats\/|\/grill_stats_)([0-9a-f-]{36})[/_](?:probe|alert|session)s[/_]/;

/** What the broker still holds of our users, from a notifier that was not there to take it back. Others' is left alone. */
async function leftBehind(
  connection: Connection,
  db: EntityManager,
  prefixes: ReadonlySet<string>,
): Promise<string[]> {
  const states = ['probes/+/+', 'alerts/+', 'sessions/+'].map((path) => `${topicOf('+')}/${path}`);
  const configs = [...prefixes].map((prefix) => `${prefix}/+/grill_stats/+/config`);
  const topics = await connection.retained([...states, ...configs]);
  const ownerOf = (topic: string) => OWNER.exec(topic)?.[1];
  const owners = [...new Set(topics.flatMap((topic) => ownerOf(topic) ?? []))];
  const rows = await db.query<{ id: string }[]>(
    'SELECT public_id::text AS id FROM users WHERE public_id::text = ANY($1)',
    [owners],
  );
  const ours = new Set<string | undefined>(rows.map(({ id }) => id));
  return topics.filter((topic) => ours.has(ownerOf(topic)));
}

/** The retained topics of a sensor and what they hold: what it is, and how it stands. */
function publicationsOf(one: Sensor): [topic: string, payload: string][] {
  const { kind, prefix, owner, device, id } = one;
  const path = [`${kind}s`, kind === 'alert' ? [] : device, id === null ? [] : segment(id)].flat();
  const stateTopic = `${topicOf(owner)}/${path.join('/')}`;
  const uniqueId = `grill_stats_${owner}_${path.join('_')}`;
  const config = {
    unique_id: uniqueId,
    name: inert(one.name),
    state_topic: stateTopic,
    availability_topic: STATUS_TOPIC,
    ...looksOf(one),
    device: {
      identifiers: [`grill_stats_${owner}_${device}`],
      name: inert(one.device_name),
      manufacturer: 'ThermoWorks',
    },
    origin: { name: 'Grill Stats' },
  };
  const component = kind === 'probe' ? 'sensor' : 'binary_sensor';
  return [
    [`${prefix}/${component}/grill_stats/${uniqueId}/config`, JSON.stringify(config)],
    [stateTopic, stateOf(one)],
  ];
}

function looksOf({ kind, unit }: Sensor): Record<string, unknown> {
  if (kind === 'session') return { device_class: 'running' };
  if (kind === 'alert') return {};
  const isHumidity = unit === 'H';
  return {
    device_class: isHumidity ? 'humidity' : 'temperature',
    unit_of_measurement: isHumidity ? '%' : `°${unit}`,
    state_class: 'measurement',
  };
}

/** `None` is Home Assistant's word for a state that is not known. */
function stateOf({ kind, value }: Sensor): string {
  if (kind !== 'probe') return value ? 'ON' : 'OFF';
  return value === null ? 'None' : String(roundToHundredth(value));
}

/** A part of a topic for any id: as it is where it can be, else its bytes; never one for two. */
function segment(id: string): string {
  return /^(?!x)[A-Za-z0-9_-]+$/.test(id) ? id : `x${Buffer.from(id).toString('hex')}`;
}
