import type { DataSource, EntityManager } from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import { z } from 'zod';
import { createIngest } from '../ingest/ingest.js';
import type { ReadingsJob } from '../queues/jobs.js';

const planted = z.tuple([z.object({ device: z.number(), probe: z.number() })]);

/** Hotter than the alert that is planted with its probe allows. */
export const CANARY_READING = { value: 212, unit: 'F' } as const;

/** Does this work in a transaction that is always rolled back: nobody ever sees, or waits for, a row of it. */
export async function inVain<T>(
  { manager }: Pick<DataSource, 'manager'>,
  work: (tx: EntityManager) => Promise<T>,
): Promise<T> {
  const undone = new Error('undone on purpose');
  let result: { value: T } | undefined;
  await manager
    .transaction(async (tx) => {
      result = { value: await work(tx) };
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  if (!result) throw undone;
  return result.value;
}

/**
 * A household of its own in this transaction, whose canary is ingested as any reading is.
 * @returns the notification of the alert that it fired @throws when it is not stored or fires no alert
 */
export async function ingestCanary(tx: EntityManager, job: ReadingsJob): Promise<string> {
  const samples = job.probes[0]?.samples ?? [];
  const probes = [{ ...(await plant(tx)), samples }];
  const outcome = await createIngest({ dataSource: { manager: tx } })([{ ...job, probes }]);
  const [notificationId, ...others] = outcome.notificationIds;
  const kinds = outcome.transitions.map(({ kind }) => kind).join();
  if (outcome.stored.length === 1 && kinds === 'fired' && notificationId && others.length === 0)
    return notificationId;
  const found = { stored: outcome.stored.length, kinds, notifications: outcome.notificationIds.length };
  throw new Error(`one reading, one alert and one notification expected: ${JSON.stringify(found)}`);
}

/** A user with a device, its probe, an alert and a channel, under names that nobody else has. One statement. */
async function plant(tx: EntityManager): Promise<{ device: number; probe: number }> {
  const rows: unknown = await tx.query(
    `WITH owner AS (
       INSERT INTO users (public_id, email) VALUES (gen_random_uuid(), $1) RETURNING id
     ), device AS (
       INSERT INTO devices (public_id, user_id, device_id, status)
       SELECT gen_random_uuid(), id, $1, 'online' FROM owner RETURNING id, user_id, device_id
     ), probe AS (
       INSERT INTO probes (user_id, device_id, probe_id) SELECT user_id, device_id, '1' FROM device RETURNING id
     ), alert AS (
       INSERT INTO temperature_alerts (public_id, user_id, device_id, probe_id, name, alert_type, max_temperature)
       SELECT gen_random_uuid(), user_id, device_id, '1', 'Canary', 'range', 100 FROM device RETURNING id
     ), state AS (
       INSERT INTO alert_states (alert_id, side, tier, phase) SELECT id, 'high', 'warning', 'inactive' FROM alert
     ), channel AS (
       INSERT INTO notification_channels (public_id, user_id, kind, config)
       SELECT gen_random_uuid(), id, 'webhook', '{"url":"canary:sink","secret":null}' FROM owner
     )
     SELECT device.id AS device, probe.id AS probe FROM device, probe`,
    [`canary-${uuidv4()}`],
  );
  return planted.parse(rows)[0];
}
