/**
 * The named moves of a job; those of its steps are in sql/steps.ts. Each is one statement that acts only when the job
 * still stands where the move begins, and answers whether it did; losing a race is an answer, not an error. The picture is in docs/lifecycle.md.
 */
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
  step_epoch: number;
  profile: string | null;
  folder_id: string | null;
};

export const JOB_COLUMNS = `id, order_id, course_id, state, attempts_started, attempts_spent, losses, task_failures, step_epoch,
  profile, folder_id`;

/** How long a queued task may take to be begun before it is queued again. */
const QUEUED_SECONDS = 2;

/** A job of this priority stands as many places behind as this many jobs of its customer would. */
const PLACES_PER_PRIORITY = 100;

/**
 * The job a paid order buys, at its customer's next place in the queue; `priority` (its course's, unless told) above 0 is
 * less urgent, below 0 more, and since the queue's clock runs on, nothing waits for ever. Undefined when the order has a
 * job already. To be called in a transaction: the customer's other payments take turns.
 */
export async function insertJob(
  db: Database,
  order: { id: string; courseId: string },
  priority?: number,
): Promise<JobRow | undefined> {
  const takeTurns = () =>
    db.query(
      `SELECT pg_advisory_xact_lock(hashtext('lading customer'), hashtext(lower(email))) FROM orders WHERE id = $1::uuid`,
      [order.id],
    );
  const insert = () =>
    maybeOne<JobRow>(
      db,
      `INSERT INTO jobs (order_id, course_id, customer, priority, fair_tag)
     SELECT o.id, c.id, lower(o.email), coalesce($3::int, c.priority),
            greatest((SELECT fair_tag FROM dispatch_clock),
                     (SELECT max(j.fair_tag - j.priority * ${PLACES_PER_PRIORITY}) + 1 FROM jobs j
                      WHERE j.customer = lower(o.email) AND j.state IN ('paid', 'enrolling', 'enrolled')))
              + coalesce($3::int, c.priority) * ${PLACES_PER_PRIORITY}
     FROM orders o JOIN courses c ON c.id = $2::text WHERE o.id = $1::uuid
     ON CONFLICT (order_id) DO NOTHING RETURNING ${JOB_COLUMNS}`,
      [order.id, order.courseId, priority ?? null],
    );
  const [, job] = await atOnce<[unknown, JobRow | undefined]>(db, takeTurns, insert);
  return job;
}

export const findJob = (db: Database, id: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(db, `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1::uuid`, [id]);

/** The attempt's manifest is accepted: the files are in Drive. */
export const acceptManifest = (db: Database, id: string, folderId: string): Promise<JobRow | undefined> =>
  maybeOne<JobRow>(
    db,
    `UPDATE jobs SET state = 'delivering', folder_id = $2::text, next_task_at = now(), task_failures = 0,
       updated_at = now()
     WHERE id = $1::uuid AND state = 'attempting' RETURNING ${JOB_COLUMNS}`,
    [id, folderId],
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
