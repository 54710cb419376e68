/**
 * The named moves of a job. Each is one statement that acts only when the job still stands where the move begins, and
 * answers whether it did; losing a race is an answer, not an error. The picture is in docs/lifecycle.md.
 */
import type { ProviderName } from './courses.ts';
import { atOnce, maybeOne, type Database } from './pool.ts';

export const JOB_STATES = ['paid', 'enrolling', 'enrolled', 'attempting', 'delivering', 'completed', 'dead'] as const;
export type JobState = (typeof JOB_STATES)[number];

export type JobRow = {
  id: string;
  order_id: string;
  course_id: string;
  state: JobState;
  attempts_started: number;
  attempts_spent: number;
  losses: number;
  task_failures: number;
  profile: string | null;
  folder_id: string | null;
};

const COLUMNS =
  'id, order_id, course_id, state, attempts_started, attempts_spent, losses, task_failures, profile, folder_id';

/** How long a queued task may take to be begun before it is queued again. */
const QUEUED_SECONDS = 2;

/** A job of this priority stands as many places behind as this many jobs of its customer would. */
const PLACES_PER_PRIORITY = 100;

/**
 * The job a paid order buys, at its customer's next place in the queue; `priority` above 0 is less urgent, below 0
 * more, and since the queue's clock runs on, nothing waits for ever. Undefined when the order has a job already. To be
 * called in a transaction: the customer's other payments take turns.
 */
export async function insertJob(
  db: Database,
  order: { id: string; courseId: string },
  priority = 0,
): Promise<JobRow | undefined> {
  const takeTurns = () =>
    db.query(
      `SELECT pg_advisory_xact_lock(hashtext('lading customer'), hashtext(lower(email))) FROM orders WHERE id = $1::uuid`,
      [order.id],
    );
  const insert = () =>
    maybeOne<JobRow>(
      db,
      `INSERT INTO jobs (order_id, course_id, customer, fair_tag)
     SELECT o.id, $2::text, lower(o.email),
            greatest((SELECT fair_tag FROM dispatch_clock),
                     (SELECT max(j.fair_tag) + 1 FROM jobs j
                      WHERE j.customer = lower(o.email) AND j.state IN ('paid', 'enrolling', 'enrolled')))
              + $3::int * ${PLACES_PER_PRIORITY}
     FROM orders o WHERE o.id = $1::uuid
     ON CONFLICT (order_id) DO NOTHING RETURNING ${COLUMNS}`,
      [order.id, order.courseId, priority],
    );
  const [, job] = await atOnce<[unknown, JobRow | undefined]>(db, takeTurns, insert);
  return job;
}

export const findJob = (db: Database, id: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(db, `SELECT ${COLUMNS} FROM jobs WHERE id = $1::uuid`, [id]);

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
       UPDATE jobs SET state = 'enrolling', next_task_at = now() + make_interval(secs => $2::int), updated_at = now()
       WHERE id = $1::uuid AND state IN ('paid', 'enrolling') AND next_task_at <= now() RETURNING ${COLUMNS}
     )
     SELECT taken.*, c.provider AS course_provider, c.source AS course_source, c.profile AS course_profile
     FROM taken JOIN courses c ON c.id = taken.course_id`,
    [id, leaseSeconds],
  );

export const confirmEnrol = (db: Database, id: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'enrolled', next_task_at = now(), task_failures = 0, updated_at = now()
     WHERE id = $1::uuid AND state = 'enrolling' RETURNING ${COLUMNS}`,
    [id],
  );

/** Takes the delivery step for `leaseSeconds`. */
export const takeDelivery = (db: Database, id: string, leaseSeconds: number): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $2::int), updated_at = now()
     WHERE id = $1::uuid AND state = 'delivering' AND next_task_at <= now() RETURNING ${COLUMNS}`,
    [id, leaseSeconds],
  );

/** The attempt's manifest is accepted: the files are in Drive. */
export const acceptManifest = (db: Database, id: string, folderId: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'delivering', folder_id = $2::text, next_task_at = now(), task_failures = 0,
       updated_at = now()
     WHERE id = $1::uuid AND state = 'attempting' RETURNING ${COLUMNS}`,
    [id, folderId],
  );

/** The step cannot be done yet, and nobody is to blame: it is due again after `seconds`, and no failure is counted. */
export async function deferStep(db: Database, id: string, state: JobState, seconds: number): Promise<void> {
  await db.query(
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $3::int), updated_at = now()
     WHERE id = $1::uuid AND state = $2::text`,
    [id, state, seconds],
  );
}

/** A task that is still at work keeps its step for another `leaseSeconds`. */
export async function renewStep(db: Database, id: string, state: JobState, leaseSeconds: number): Promise<void> {
  await db.query(
    `UPDATE jobs SET next_task_at = now() + make_interval(secs => $3::int)
     WHERE id = $1::uuid AND state = $2::text AND next_task_at > now()`,
    [id, state, leaseSeconds],
  );
}

/** Gives the step back so that the next one of this state is due at once. */
export const releaseStep = (db: Database, id: string, state: JobState): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET next_task_at = now(), task_failures = 0, updated_at = now()
     WHERE id = $1::uuid AND state = $2::text RETURNING ${COLUMNS}`,
    [id, state],
  );

/** Granted and mailed. */
export const complete = (db: Database, id: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs j SET state = 'completed', updated_at = now() FROM deliveries d
     WHERE j.id = $1::uuid AND j.state = 'delivering' AND d.job_id = j.id
       AND d.granted_at IS NOT NULL AND d.mailed_at IS NOT NULL
     RETURNING j.id, j.order_id, j.course_id, j.state, j.attempts_started, j.attempts_spent, j.losses,
               j.task_failures, j.profile, j.folder_id`,
    [id],
  );

/** The step failed and may succeed later: it is due again after `delaySeconds`. */
export const postponeStep = (
  db: Database,
  id: string,
  state: JobState,
  delaySeconds: number,
): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET task_failures = task_failures + 1, updated_at = now(),
       next_task_at = now() + make_interval(secs => $3::double precision)
     WHERE id = $1::uuid AND state = $2::text RETURNING ${COLUMNS}`,
    [id, state, delaySeconds],
  );

/** Into the dead letter, from the state the caller saw. `reason` is of the closed list, `detail` for the operator. */
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
     WHERE id = $1::uuid AND state = $2::text AND state NOT IN ('completed', 'dead') RETURNING ${COLUMNS}`,
    [id, from, reason, detail],
  );

/**
 * Open jobs whose task is due and was perhaps never queued, or whose task died with its process. What has just moved is
 * left to the task that was queued with the move, for a while; a step that was postponed has no task and is due at once.
 */
export async function dueSteps(
  db: Database,
  limit: number,
): Promise<{ id: string; state: JobState; granted: boolean }[]> {
  const { rows } = await db.query<{ id: string; state: JobState; granted: boolean }>(
    `SELECT j.id, j.state, d.granted_at IS NOT NULL AS granted
     FROM jobs j LEFT JOIN deliveries d ON d.job_id = j.id
     WHERE j.state IN ('paid', 'enrolling', 'delivering') AND j.next_task_at <= now()
       AND (j.task_failures > 0 OR j.updated_at <= now() - make_interval(secs => ${QUEUED_SECONDS}))
     ORDER BY j.next_task_at LIMIT $1::int`,
    [limit],
  );
  return rows;
}

/** The first jobs that wait for a slot, in the order in which they will get one. */
export async function waitingJobs(db: Database, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM jobs WHERE state = 'enrolled' AND next_task_at <= now()
     ORDER BY fair_tag, created_at LIMIT $1::int`,
    [limit],
  );
  return rows.map((row) => row.id);
}

/**
 * Cancels a job at whatever point it is: one that waits dies at once, one that runs is stopped by whoever holds it and
 * dies when its container has ended. Too late for one that is being delivered or has ended. To be called in a
 * transaction.
 */
export async function cancelJob(
  db: Database,
  id: string,
  detail: string,
): Promise<'dead' | 'stopping' | 'too_late' | 'unknown'> {
  // The attempt first, as `settle` does, so that the two never wait for each other.
  const open = await maybeOne<{ id: string }>(
    db,
    `SELECT id FROM attempts WHERE job_id = $1::uuid AND state <> 'settled' FOR UPDATE`,
    [id],
  );
  const job = await maybeOne<{ state: JobState }>(db, 'SELECT state FROM jobs WHERE id = $1::uuid FOR UPDATE', [id]);
  if (!job) return 'unknown';
  if (['paid', 'enrolling', 'enrolled'].includes(job.state))
    return (await bury(db, id, job.state, 'cancelled', detail)) ? 'dead' : 'too_late';
  // A job that began to run between the two locks is asked for again.
  if (job.state !== 'attempting' || !open) return job.state === 'attempting' ? cancelJob(db, id, detail) : 'too_late';
  // Also when it is being stopped for another reason: after that one the job would run again.
  await db.query(
    `UPDATE attempts SET stop_reason = 'cancelled', stop_detail = coalesce(stop_detail, $2::text)
     WHERE id = $1::uuid AND finalized_at IS NULL`,
    [open.id, detail],
  );
  await db.query(`SELECT pg_notify('lading_jobs', $1::text)`, [id]);
  return 'stopping';
}

/**
 * How long until the next step falls due, in milliseconds; undefined when nothing is open: no job, and no attempt. What
 * is due already is in the queue or waits for a slot, and is not counted: nobody need wake up for it.
 */
export async function nextDueMs(db: Database): Promise<number | undefined> {
  const row = await maybeOne<{ open: boolean; due_ms: number }>(
    db,
    `SELECT count(*) > 0 OR EXISTS (SELECT FROM attempts WHERE state <> 'settled') AS open,
            coalesce(min(extract(epoch FROM next_task_at - now()) * 1000)
              FILTER (WHERE state <> 'attempting' AND next_task_at > now()), 1e9)::float8 AS due_ms
     FROM jobs WHERE state NOT IN ('completed', 'dead')`,
    [],
  );
  return row?.open ? row.due_ms : undefined;
}
