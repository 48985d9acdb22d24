import type { EntityManager } from 'typeorm';
import { z } from 'zod';

const rowsOfTime = z.array(z.object({ at: z.date() }));

/** The cloud's clock (epoch ms), as the last poll of this user's account told it; ours where there was none or it failed. */
export async function cloudNowMs(db: EntityManager, userId: number): Promise<number> {
  const rows: unknown = await db.query(
    `SELECT coalesce((SELECT cloud_read_at + (now() - last_polled_at) FROM thermoworks_credentials
       WHERE user_id = $1 AND last_error IS NULL), now()) AS at`,
    [userId],
  );
  return rowsOfTime.parse(rows)[0]?.at.getTime() ?? Date.now();
}
