/** Moves that the product makes in other ways, for tests that need a job to be somewhere, or to be taken from there. */
import { JOB_COLUMNS, type JobRow, type JobState } from '../sql/jobs.ts';
import type { Cancelled, Redriven } from '../sql/operating.ts';
import { maybeOne, type Database } from '../sql/pool.ts';

/** Into the dead letter, from the state the caller saw. */
export const bury = (
  db: Database,
  id: string,
  from: JobState,
  reason: string,
  detail: string,
): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'dead', dead_reason = $3::text, dead_detail = $4::text, updated_at = now()
     WHERE id = $1::uuid AND state = $2::text AND state NOT IN ('completed', 'dead') RETURNING ${JOB_COLUMNS}`,
    [id, from, reason, detail],
  );

/** As lading_owner; an operator's key does it with `operatorCancels`. */
export async function cancelJob(db: Database, id: string, detail: string): Promise<Cancelled> {
  const row = await maybeOne<{ answer: Cancelled }>(db, 'SELECT cancel_job($1::uuid, $2::text) AS answer', [
    id,
    detail,
  ]);
  return row?.answer ?? 'unknown';
}

/** As lading_owner; an operator's key does it with `operatorRedrives`. */
export async function redriveJob(db: Database, id: string, reason: string): Promise<Redriven> {
  const row = await maybeOne<{ answer: Redriven }>(db, 'SELECT redrive_job($1::uuid, $2::text) AS answer', [
    id,
    reason,
  ]);
  return row?.answer ?? 'unknown';
}
