/** Sessions of the console. All times are the database's. */
import type { KeyRole } from './api-keys.ts';
import { maybeOne, type Database } from './pool.ts';

/** Nobody sits there any more. */
const IDLE_MINUTES = 60;
/** Beyond this many at once, the oldest of a key ends. */
export const SESSIONS_OF_KEY_MAX = 10;

/** Answers its id. */
export async function beginSession(db: Database, keyId: string, digest: Buffer): Promise<string> {
  const row = await maybeOne<{ id: string }>(
    db,
    `WITH surplus AS (
       UPDATE console_sessions SET ended_at = now()
       WHERE id IN (SELECT id FROM console_sessions WHERE key_id = $1::uuid AND ended_at IS NULL
                    ORDER BY created_at DESC, id OFFSET ${SESSIONS_OF_KEY_MAX - 1})
     )
     INSERT INTO console_sessions (key_id, digest) VALUES ($1::uuid, $2::bytea) RETURNING id`,
    [keyId, digest],
  );
  if (row === undefined) throw new Error('a session without a row');
  return row.id;
}

export type SessionRow = { id: string; key_id: string; prefix: string; name: string; role: KeyRole; note_use: boolean };

/** A session that is open now, and so is its key. `note_use`: its last use was noted more than a minute ago. */
export const findSession = (db: Database, digest: Buffer): Promise<SessionRow | undefined> =>
  maybeOne<SessionRow>(
    db,
    `SELECT s.id, k.id AS key_id, k.prefix, k.name, k.role, s.last_used_at < now() - interval '1 minute' AS note_use
     FROM console_sessions s JOIN api_keys k ON k.id = s.key_id
     WHERE s.digest = $1::bytea AND s.ended_at IS NULL AND s.ends_at > now()
       AND s.last_used_at > now() - make_interval(mins => ${IDLE_MINUTES}) AND k.expires_at > now()`,
    [digest],
  );

export async function noteSessionUse(db: Database, id: string): Promise<void> {
  await db.query('UPDATE console_sessions SET last_used_at = now() WHERE id = $1::uuid', [id]);
}

export async function endSession(db: Database, id: string): Promise<void> {
  await db.query('UPDATE console_sessions SET ended_at = now() WHERE id = $1::uuid AND ended_at IS NULL', [id]);
}

export type SessionReport = {
  id: string;
  micros: number;
  prefix: string;
  name: string;
  role: KeyRole;
  created_at: Date;
  last_used_at: Date;
  ends_at: Date;
  ended_at: Date | null;
};

/** The newest first, from behind `after`, those that have ended included. */
export async function pageOfSessions(
  db: Database,
  after: { micros: number; id: string } | undefined,
  limit: number,
): Promise<SessionReport[]> {
  const { rows } = await db.query<SessionReport>(
    `SELECT s.id, micros(s.created_at) AS micros, k.prefix, k.name, k.role, s.created_at, s.last_used_at, s.ends_at,
            least(s.ended_at, CASE WHEN k.expires_at <= now() THEN k.expires_at END) AS ended_at
     FROM console_sessions s JOIN api_keys k ON k.id = s.key_id
     WHERE $1::bigint IS NULL OR (s.created_at, s.id) < (moment($1::bigint), $2::uuid)
     ORDER BY s.created_at DESC, s.id DESC LIMIT $3::int`,
    [after?.micros ?? null, after?.id ?? null, limit],
  );
  return rows;
}
