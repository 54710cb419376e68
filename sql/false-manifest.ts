/** The way back from `delivering`: what the accepted manifest says is not in Drive. */
import type { Verdict } from './attempts.ts';
import { JOB_COLUMNS, type JobRow } from './jobs.ts';
import { maybeOne, type Database } from './pool.ts';
import type { Step } from './steps.ts';

/**
 * Withdraws the manifest that was accepted last, and moves its job as `verdict` says: tried again, or dead. The attempt
 * that said so is no success any more. Undefined while a container of the job still runs, after access was granted, or
 * when the step is not its taker's any more.
 */
export const withdrawManifest = (
  db: Database,
  step: Step,
  verdict: Exclude<Verdict, { job: 'stays' }>,
  detail: string,
): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `WITH moved AS (
       UPDATE jobs SET
         state = CASE $2::text WHEN 'retries' THEN 'enrolled' ELSE 'dead' END,
         attempts_spent = attempts_spent + 1, task_failures = 0,
         next_task_at = now() + make_interval(secs => $3::double precision),
         dead_reason = $4::text, dead_detail = $5::text, updated_at = now()
       WHERE id = $1::uuid AND state = 'delivering' AND step_epoch = $7::int
         AND NOT EXISTS (SELECT FROM attempts a WHERE a.job_id = jobs.id AND a.state <> 'settled')
         AND NOT EXISTS (SELECT FROM deliveries d WHERE d.job_id = jobs.id AND d.granted_at IS NOT NULL)
       RETURNING ${JOB_COLUMNS}
     ), found_false AS (
       UPDATE attempts SET outcome = 'manifest_false', detail = $6::text FROM moved
       WHERE attempts.outcome = 'succeeded'
         AND attempts.id = (SELECT a.id FROM attempts a
                            WHERE a.job_id = moved.id AND a.finalized_at IS NOT NULL ORDER BY a.n DESC LIMIT 1)
     )
     SELECT * FROM moved`,
    [
      step.jobId,
      verdict.job,
      verdict.job === 'retries' ? verdict.delaySeconds : 0,
      verdict.job === 'dies' ? verdict.reason : null,
      verdict.job === 'dies' ? verdict.detail : null,
      detail,
      step.epoch,
    ],
  );
