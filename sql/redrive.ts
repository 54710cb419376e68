/** The one move out of the dead letter. It counts itself, and who may not write that count cannot make the move. */
import type { JobState } from './jobs.ts';
import { maybeOne, type Database } from './pool.ts';

export type Redriven = 'redriven' | 'not_dead' | 'still_running' | 'unknown';

/**
 * Out of the dead letter and on its way again from the start, with all its budgets, at its customer's next place in the
 * queue. Attempts, accepted manifests and the mail that was sent stay; access is granted anew, since folder and address
 * may be others now. Refused while a container of the job still runs. To be called in a transaction.
 */
export async function redriveJob(db: Database, id: string, reason: string): Promise<Redriven> {
  const job = await maybeOne<{ state: JobState; running: boolean }>(
    db,
    `SELECT state, EXISTS (SELECT FROM attempts a WHERE a.job_id = jobs.id AND a.state <> 'settled') AS running
     FROM jobs WHERE id = $1::uuid FOR UPDATE`,
    [id],
  );
  if (!job) return 'unknown';
  if (job.state !== 'dead') return 'not_dead';
  if (job.running) return 'still_running';
  await db.query(
    `SELECT pg_advisory_xact_lock(hashtext('lading customer'), hashtext(customer)) FROM jobs WHERE id = $1::uuid`,
    [id],
  );
  await db.query(
    `UPDATE jobs SET state = 'paid', attempts_spent = 0, losses = 0, task_failures = 0, profile = NULL,
       dead_reason = NULL, dead_detail = NULL, redrives = redrives + 1, redrive_reason = $2::text,
       fair_tag = greatest((SELECT fair_tag FROM dispatch_clock),
                           (SELECT max(j.fair_tag) + 1 FROM jobs j
                            WHERE j.customer = jobs.customer AND j.state IN ('paid', 'enrolling', 'enrolled'))),
       next_task_at = now(), updated_at = now()
     WHERE id = $1::uuid AND state = 'dead'`,
    [id, reason],
  );
  await db.query('UPDATE deliveries SET granted_at = NULL WHERE job_id = $1::uuid', [id]);
  return 'redriven';
}

export type DeadJob = { id: string; order_code: string; dead_reason: string };

/** Jobs that died for `reason`, the oldest first. */
export async function deadJobs(db: Database, reason: string, limit: number): Promise<DeadJob[]> {
  const { rows } = await db.query<DeadJob>(
    `SELECT j.id, o.code AS order_code, j.dead_reason FROM jobs j JOIN orders o ON o.id = j.order_id
     WHERE j.state = 'dead' AND j.dead_reason = $1::text ORDER BY j.updated_at, j.id LIMIT $2::int`,
    [reason, limit],
  );
  return rows;
}
