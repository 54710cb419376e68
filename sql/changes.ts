import type { Database } from './pool.ts';

export type ChangeRow = {
  id: number;
  at: Date;
  prefix: string;
  name: string;
  request_id: string;
  action: string;
  subject: string;
  before: unknown;
  after: unknown;
};

/** What was changed over the API, the newest first, from behind the change `afterId`. */
export async function pageOfChanges(db: Database, afterId: number | undefined, limit: number): Promise<ChangeRow[]> {
  const { rows } = await db.query<ChangeRow>(
    `SELECT c.id, c.at, k.prefix, k.name, c.request_id, c.action, c.subject, c.before, c.after
     FROM changes c JOIN api_keys k ON k.id = c.key_id
     WHERE $1::bigint IS NULL OR c.id < $1::bigint ORDER BY c.id DESC LIMIT $2::int`,
    [afterId ?? null, limit],
  );
  return rows;
}
