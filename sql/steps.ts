/**
 * The steps that tasks take of a job: enrolment, and delivery. A step is held by a lease, which is the job's next due
 * time, and fenced by an epoch that each taking raises: whoever was frozen, cut off or slow beyond the lease writes
 * nothing any more once another has taken the step. Each move is one statement and answers whether it was made.
 */
import type { ProviderName } from './courses.ts';
import { JOB_COLUMNS, type JobRow } from './jobs.ts';
import { maybeOne, type Database } from './pool.ts';

export type StepState = 'enrolling' | 'delivering';

/** A step as its taker holds it. */
export type Step = { jobId: string; state: StepState; epoch: number };

/** A job whose enrol step was taken, with what the catalogue says of its course. */
export type EnrollingJob = JobRow & {
  course_provider: ProviderName;
  course_source: unknown;
  course_profile: string;
};

/** Takes the enrol step for `leaseSeconds`. Undefined when somebody else has it, it is not due, or it is done. */
export const beginEnrol = (db: Database, id: string, leaseSeconds: number): Promise<EnrollingJob | undefined> =>
  maybeOne<EnrollingJob>(
    db,
    `WITH taken AS (
       UPDATE jobs SET state = 'enrolling', next_task_at = now() + make_interval(secs => $2::int),
         step_epoch = step_epoch + 1, updated_at = now()
       WHERE id = $1::uuid AND state IN ('paid', 'enrolling') AND next_task_at <= now() RETURNING ${JOB_COLUMNS}
     )
     SELECT taken.*, c.provider AS course_provider, c.source AS course_source, c.profile AS course_profile
     FROM taken JOIN courses c ON c.id = taken.course_id`,
    [id, leaseSeconds],
  );

/** Takes the delivery step for `leaseSeconds`. */
export const takeDelivery = (db: Database, id: string, leaseSeconds: number): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $2::int), step_epoch = step_epoch + 1,
       updated_at = now()
     WHERE id = $1::uuid AND state = 'delivering' AND next_task_at <= now() RETURNING ${JOB_COLUMNS}`,
    [id, leaseSeconds],
  );

const HELD = 'id = $1::uuid AND state = $2::text AND step_epoch = $3::int';
const nameOf = (step: Step): [string, string, number] => [step.jobId, step.state, step.epoch];

/** Whether the step is still its taker's; if so it stays that until the transaction ends. */
export const holdStep = async (db: Database, step: Step): Promise<boolean> =>
  (await maybeOne(db, `SELECT FROM jobs WHERE ${HELD} FOR UPDATE`, nameOf(step))) !== undefined;

/** A task that is still at work keeps its step for another `leaseSeconds`. */
export async function renewStep(db: Database, step: Step, leaseSeconds: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $4::int) WHERE ${HELD} AND next_task_at > now()`,
    [...nameOf(step), leaseSeconds],
  );
  return rowCount === 1;
}

/** The provider confirmed access: the job waits for a slot. */
export const confirmEnrol = (db: Database, step: Step): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'enrolled', next_task_at = now(), task_failures = 0, updated_at = now()
     WHERE ${HELD} AND state = 'enrolling' RETURNING ${JOB_COLUMNS}`,
    nameOf(step),
  );

/** Gives the step back so that the next one of this state is due at once. */
export const releaseStep = (db: Database, step: Step): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET next_task_at = now(), task_failures = 0, updated_at = now() WHERE ${HELD} RETURNING ${JOB_COLUMNS}`,
    nameOf(step),
  );

/** The step cannot be done yet, and nobody is to blame: it is due again after `seconds`, and no failure is counted. */
export const deferStep = (db: Database, step: Step, seconds: number): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $4::int), updated_at = now()
     WHERE ${HELD} RETURNING ${JOB_COLUMNS}`,
    [...nameOf(step), seconds],
  );

/** The step failed and may succeed later: it is due again after `delaySeconds`. */
export const postponeStep = (db: Database, step: Step, delaySeconds: number): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET task_failures = task_failures + 1, updated_at = now(),
       next_task_at = now() + make_interval(secs => $4::double precision)
     WHERE ${HELD} RETURNING ${JOB_COLUMNS}`,
    [...nameOf(step), delaySeconds],
  );

/** The step can never be done. `reason` is of the closed list, `detail` for the operator. */
export const buryStep = (db: Database, step: Step, reason: string, detail: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'dead', dead_reason = $4::text, dead_detail = $5::text, updated_at = now()
     WHERE ${HELD} RETURNING ${JOB_COLUMNS}`,
    [...nameOf(step), reason, detail],
  );

/** Granted and mailed. The seconds are from the payment that made the job. */
export const complete = (db: Database, step: Step): Promise<(JobRow & { seconds_from_paid: number }) | undefined> =>
  maybeOne(
    db,
    `UPDATE jobs SET state = 'completed', updated_at = now()
     WHERE ${HELD} AND state = 'delivering' AND EXISTS (
       SELECT FROM deliveries d WHERE d.job_id = jobs.id AND d.granted_at IS NOT NULL AND d.mailed_at IS NOT NULL)
     RETURNING ${JOB_COLUMNS}, extract(epoch FROM now() - created_at)::float8 AS seconds_from_paid`,
    nameOf(step),
  );
