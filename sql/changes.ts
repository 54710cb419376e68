/** Who changed what. What is done with a key writes itself down, in the database's functions (operating.ts). */
import type { Database } from './pool.ts';

export type ChangeRow = {
  id: number;
  at: Date;
  /** Null: by a person at the owner's terminal, who is the name then. */
  prefix: string | null;
  name: string;
  request_id: string | null;
  action: string;
  subject: string;
  before: unknown;
  after: unknown;
};

/** The newest first, from behind the change `afterId`. */
export async function pageOfChanges(db: Database, afterId: number | undefined, limit: number): Promise<ChangeRow[]> {
  const { rows } = await db.query<ChangeRow>(
    `SELECT c.id, c.at, k.prefix, coalesce(k.name, c.person) AS name, c.request_id, c.action, c.subject, c.before, c.after
     FROM changes c LEFT JOIN api_keys k ON k.id = c.key_id
     WHERE $1::bigint IS NULL OR c.id < $1::bigint ORDER BY c.id DESC LIMIT $2::int`,
    [afterId ?? null, limit],
  );
  return rows;
}

export type OwnersChange = { person: string; action: string; subject: string; before?: object; after?: object };

/** As lading_owner, in the transaction of the change itself. */
export async function recordOwnersChange(db: Database, change: OwnersChange): Promise<void> {
  await db.query(
    `INSERT INTO changes (person, action, subject, before, after) VALUES ($1::text, $2::text, $3::text, $4::jsonb, $5::jsonb)`,
    [
      change.person,
      change.action,
      change.subject,
      JSON.stringify(change.before ?? null),
      JSON.stringify(change.after ?? null),
    ],
  );
}
