import { hash } from '@node-rs/argon2';
import { type EntityManager, IsNull } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { User } from '../entities/user.js';
import { InputError, NotFoundError, sqlStateOf } from '../errors.js';
import type { CloudUser } from '../thermoworks/types.js';

/** What a user can be given; undefined leaves it as it is. */
export interface UserSettings {
  name?: string;
  temperatureUnit?: 'F' | 'C';
  timeZone?: string;
  /** In the clear; only its hash is kept. */
  password?: string;
}

const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const UNIQUE_VIOLATION = '23505';
const READINGS_PER_BATCH = 10_000;
const idRows = z.array(z.object({ id: z.number() }));

/** The people: reads and writes of `users`. */
export class UserManager {
  /** @param db a transaction's manager makes the class part of it */
  constructor(private readonly db: EntityManager) {}

  /** @throws InputError for an address that is none, or that somebody has */
  async create({ email, ...settings }: UserSettings & { email: string }): Promise<User> {
    if (!/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 255)
      throw new InputError(`--email ${email} is no address`);
    const user = { publicId: uuidv7(), email, ...(await toColumns(settings)) };
    try {
      return await this.db.save(Object.assign(new User(), user));
    } catch (error) {
      if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
      throw new InputError(`there is a user with the e-mail ${email} already`, { cause: error });
    }
  }

  async findByEmail(email: string): Promise<User | null> {
    return (await this.findAll(email)).find(({ deletedAt }) => deletedAt === null) ?? null;
  }

  /** @throws NotFoundError */
  async getByEmail(email: string): Promise<User> {
    const user = await this.findByEmail(email);
    if (!user) throw new NotFoundError(`no user with the e-mail ${email}: user list shows those there are`);
    return user;
  }

  list(): Promise<User[]> {
    return this.db.find(User, { where: { deletedAt: IsNull() }, order: { id: 'ASC' } });
  }

  async set(user: User, settings: UserSettings): Promise<User> {
    return this.change(user, await toColumns(settings));
  }

  /** Whether the user may sign in; unlocking forgets failed attempts. */
  async setLocked(user: User, isLocked: boolean): Promise<User> {
    return this.change(user, isLocked ? { isLocked } : { isLocked, failedLoginAttempts: 0 });
  }

  /** These columns alone: the rest of `user` may be out of date. */
  private async change({ id }: User, columns: Partial<User>): Promise<User> {
    if (Object.keys(columns).length > 0) await this.db.update(User, { id }, columns);
    return this.db.findOneByOrFail(User, { id });
  }

  /** Softly: polling, alerts and notifications stop at once, and everything stays. */
  async delete(user: User): Promise<void> {
    await this.db.update(
      User,
      { id: user.id, deletedAt: IsNull() },
      { deletedAt: () => 'now()', isActive: false },
    );
  }

  /** Erases everybody who has, or had, this address, with all that is theirs. @throws NotFoundError */
  async purge(email: string): Promise<{ users: number; readings: number }> {
    const users = await this.findAll(email);
    if (users.length === 0) throw new NotFoundError(`no user has or had the e-mail ${email}`);
    let readings = 0;
    for (const user of users) {
      await this.delete(user);
      const probes = await this.probesOf(user);
      for (const id of probes) readings += await this.eraseReadings(id);
      readings += await this.db.transaction((tx) => eraseUser(tx, user.id));
    }
    return { users: users.length, readings };
  }

  /** Takes from the cloud account what the user never set. */
  async adoptPreferences(
    userId: number,
    { preferredUnit, timeZone }: Pick<CloudUser, 'preferredUnit' | 'timeZone'>,
  ): Promise<void> {
    await this.db.query(
      `UPDATE users SET temperature_unit = coalesce(temperature_unit, $2), time_zone = coalesce(time_zone, $3),
         updated_at = now()
       WHERE id = $1 AND (temperature_unit IS NULL OR time_zone IS NULL)`,
      [userId, preferredUnit, timeZone !== null && isTimeZone(timeZone) ? timeZone : null],
    );
  }

  private findAll(email: string): Promise<User[]> {
    const query = this.db.createQueryBuilder(User, 'u').where('lower(u.email) = lower(:email)', { email });
    return query.orderBy('u.id').getMany();
  }

  private async probesOf({ id }: User): Promise<number[]> {
    const rows: unknown = await this.db.query('SELECT id FROM probes WHERE user_id = $1 ORDER BY id', [id]);
    return idRows.parse(rows).map((row) => row.id);
  }

  /** In short transactions, so that nobody waits and nothing grows. */
  private async eraseReadings(probe: number): Promise<number> {
    for (let total = 0; ; ) {
      const [, erased]: unknown[] = await this.db.query(
        `DELETE FROM readings WHERE probe_id = $1 AND measured_at <= coalesce(
           (SELECT measured_at FROM readings WHERE probe_id = $1 ORDER BY measured_at OFFSET $2 LIMIT 1), 'infinity')`,
        [probe, READINGS_PER_BATCH - 1],
      );
      total += Number(erased);
      if (Number(erased) < READINGS_PER_BATCH) return total;
    }
  }
}

/**
 * What is left of a user, under the locks of ingest, so that no job under way stores a reading behind our back. A device
 * that others used before goes back to the last of them, whose history hangs on it.
 * @returns how many readings had come meanwhile
 */
async function eraseUser(tx: EntityManager, userId: number): Promise<number> {
  await tx.query(
    `SELECT id FROM devices d WHERE user_id = $1 OR EXISTS (
       SELECT FROM probes p WHERE p.device_id = d.device_id AND p.user_id = $1) ORDER BY id FOR UPDATE`,
    [userId],
  );
  const [, readings]: unknown[] = await tx.query(
    'DELETE FROM readings WHERE probe_id IN (SELECT id FROM probes WHERE user_id = $1)',
    [userId],
  );
  await eraseBuckets(tx, userId);
  await tx.query(
    `DELETE FROM dead_letters l WHERE EXISTS (
       SELECT FROM jsonb_path_query(l.data, '$.probes[*].probe') AS probe JOIN probes p ON to_jsonb(p.id) = probe
       WHERE p.user_id = $1) OR EXISTS (
       SELECT FROM jsonb_path_query(l.data, '$.batteries[*][0]') AS device JOIN devices d ON to_jsonb(d.id) = device
       WHERE d.user_id = $1) OR EXISTS (
       SELECT FROM devices d WHERE d.user_id = $1 AND to_jsonb(d.id) = l.data -> 'device') OR EXISTS (
       SELECT FROM notifications n JOIN notification_channels c ON c.id = n.channel_id
       WHERE c.user_id = $1 AND n.id::text = l.data ->> 'notificationId')`,
    [userId],
  );
  await tx.query(
    `WITH former AS (
       SELECT DISTINCT ON (d.id) d.id, p.user_id FROM devices d JOIN probes p USING (device_id)
       WHERE d.user_id = $1 AND p.user_id <> $1 ORDER BY d.id, p.last_measured_at DESC NULLS LAST
     ), handed AS (
       UPDATE devices d SET user_id = former.user_id, nickname = NULL, is_active = false, status = 'offline',
         updated_at = now() FROM former WHERE former.id = d.id RETURNING d.id
     )
     DELETE FROM detection_states s USING handed WHERE s.device_id = handed.id`,
    [userId],
  );
  await tx.delete(User, { id: userId });
  return Number(readings);
}

/** With their progress first: whoever works on them has it, and without the probes, taken here, nobody begins anew. */
async function eraseBuckets(tx: EntityManager, userId: number): Promise<void> {
  await tx.query('SELECT id FROM probes WHERE user_id = $1 ORDER BY id FOR UPDATE', [userId]);
  for (const table of ['reading_bucket_progress', 'reading_buckets', 'reading_bucket_marks'])
    await tx.query(`DELETE FROM ${table} WHERE probe_id IN (SELECT id FROM probes WHERE user_id = $1)`, [
      userId,
    ]);
}

async function toColumns({
  name,
  temperatureUnit,
  timeZone,
  password,
}: UserSettings): Promise<Partial<User>> {
  if (name !== undefined && name.length > 100)
    throw new InputError('--name must not be longer than 100 characters');
  if (timeZone !== undefined && !isTimeZone(timeZone))
    throw new InputError(`--time-zone ${timeZone} is none: it must be one such as Europe/London`);
  if (password !== undefined && password.length < 8)
    throw new InputError('the password must have 8 characters or more');
  return {
    ...(name !== undefined && { name }),
    ...(temperatureUnit !== undefined && { temperatureUnit }),
    ...(timeZone !== undefined && { timeZone }),
    ...(password !== undefined && { passwordHash: await hash(password, ARGON2ID) }),
  };
}

function isTimeZone(name: string): boolean {
  try {
    return (
      new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '' && name.length <= 64
    );
  } catch {
    return false;
  }
}
