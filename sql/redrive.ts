/** The one move out of the dead letter. It counts itself, and who may not write that count cannot make the move. */
import { maybeOne, type Database } from './pool.ts';

export type Redriven = 'redriven' | 'not_dead' | 'still_running' | 'unknown';

/** As lading_owner; an operator's key does it with `operatorRedrives`. What it does to a job stands in the migration. */
export async function redriveJob(db: Database, id: string, reason: string): Promise<Redriven> {
  const row = await maybeOne<{ answer: Redriven }>(db, 'SELECT redrive_job($1::uuid, $2::text) AS answer', [
    id,
    reason,
  ]);
  return row?.answer ?? 'unknown';
}
