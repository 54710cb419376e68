/** Who read what of customers and their money. */
import type { Database } from './pool.ts';

export type Read = { keyId: string; sessionId: string | undefined; requestId: string; subject: string };

/** Before what is read is answered. Once an hour for each thing and reader; a repeat writes nothing. */
export async function recordRead(db: Database, read: Read): Promise<void> {
  await db.query(
    `INSERT INTO reads (key_id, session_id, request_id, subject) VALUES ($1::uuid, $2::uuid, $3::uuid, $4::text)
     ON CONFLICT DO NOTHING`,
    [read.keyId, read.sessionId ?? null, read.requestId, read.subject],
  );
}

export type ReadRow = {
  id: number;
  at: Date;
  prefix: string;
  name: string;
  role: string;
  in_console: boolean;
  request_id: string;
  subject: string;
};

/** The newest first, from behind `afterId`; of one key only where its prefix is given. */
export async function pageOfReads(
  db: Database,
  prefix: string | undefined,
  afterId: number | undefined,
  limit: number,
): Promise<ReadRow[]> {
  const { rows } = await db.query<ReadRow>(
    `SELECT r.id, r.at, k.prefix, k.name, k.role, r.session_id IS NOT NULL AS in_console, r.request_id, r.subject
     FROM reads r JOIN api_keys k ON k.id = r.key_id
     WHERE ($1::bigint IS NULL OR r.id < $1::bigint) AND ($3::text IS NULL OR k.prefix = $3::text)
     ORDER BY r.id DESC LIMIT $2::int`,
    [afterId ?? null, limit, prefix ?? null],
  );
  return rows;
}
