import type { EntityManager } from 'typeorm';
import { isOpen } from './draft.js';
import { nameOf } from './name.js';
import type { DeviceFacts, Session } from './types.js';

/**
 * Names sessions that have ended, and takes the name back from one that goes on: decided at the end, and anew with each
 * other end. What a person called it stays. One statement, or none where nothing ended.
 * @param sessions as they are now, with exact figures
 * @param before those that were there
 */
export async function saveNames(
  tx: EntityManager,
  sessions: readonly Session[],
  before: readonly Session[],
  deviceOf: (session: Session) => DeviceFacts | undefined,
): Promise<void> {
  if (sessions.every(isOpen) && before.every(isOpen)) return;
  const known = new Map(before.map((session) => [session.publicId, session]));
  const renamed = sessions.flatMap((session) => {
    const was = known.get(session.publicId);
    const device = isOpen(session) && (!was || isOpen(was)) ? undefined : deviceOf(session);
    if (!device) return [];
    const [old, name] = [was, session].map((one) => (one && !isOpen(one) ? nameOf(one, device) : null));
    return old === name ? [] : [{ id: session.publicId, old, name }];
  });
  if (renamed.length === 0) return;
  await tx.query(
    `UPDATE grilling_sessions s SET name = new.name
     FROM jsonb_to_recordset($1) AS new (id uuid, old text, name text)
     WHERE s.public_id = new.id AND (s.name IS NULL OR s.name = new.old)`,
    [JSON.stringify(renamed)],
  );
}
