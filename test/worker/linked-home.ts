import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { ThermoworksCredential } from '../../src/entities/thermoworks-credential.js';
import type { Ingest } from '../../src/ingest/ingest.js';
import { addHome, type Home, job, MINUTE, T0 } from '../ingest/household.js';

/** A home with a linked account. */
export async function addLinkedHome(db: DataSource, given: Parameters<typeof addHome>[1]): Promise<Home> {
  const home = await addHome(db, given);
  const named = { publicId: uuidv7(), userId: home.userId, provider: 'simulator' as const };
  await db.manager.save(ThermoworksCredential, { ...named, thermoworksUid: 'u', refreshToken: 't' });
  return home;
}

/** One with a cook that began by itself at minute 2 and was last heard of at minute 8. */
export async function cook(db: DataSource, ingest: Ingest): Promise<Home> {
  const home = await addLinkedHome(db, { probes: [{ label: 'Pit' }, { label: 'Meat' }] });
  for (let minute = 0; minute <= 8; minute++) {
    const ms = T0 + minute * MINUTE;
    await ingest([job(home, [[ms, minute < 2 ? 20 : 110, 'C']], [[ms, 5 + minute, 'C']])]);
  }
  return home;
}

/** The account's last good poll, by the cloud's clock. */
export async function polledAt(db: DataSource, { userId }: Home, ms: number): Promise<void> {
  await db.query('UPDATE thermoworks_credentials SET cloud_read_at = $2 WHERE user_id = $1', [
    userId,
    new Date(ms),
  ]);
}
