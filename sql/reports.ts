/** What operators and auditors ask. Reads only; every list has a limit. */
import { maybeOne, type Database } from './pool.ts';

export type JobReport = {
  id: string;
  order_code: string;
  email: string;
  course_id: string;
  course_title: string;
  state: string;
  attempts_started: number;
  attempts_spent: number;
  losses: number;
  task_failures: number;
  next_task_at: Date;
  folder_id: string | null;
  dead_reason: string | null;
  dead_detail: string | null;
  redrives: number;
  priority: number;
  redrive_reason: string | null;
  created_at: Date;
  updated_at: Date;
};

/** The job with this id, or of the order with this code. */
export const findJobReport = (db: Database, idOrCode: string): Promise<JobReport | undefined> =>
  maybeOne<JobReport>(
    db,
    `SELECT j.id, o.code AS order_code, o.email, j.course_id, c.title AS course_title, j.state, j.attempts_started,
            j.attempts_spent, j.losses, j.task_failures, j.next_task_at, j.folder_id, j.dead_reason, j.dead_detail,
            j.redrives, j.priority, j.redrive_reason, j.created_at, j.updated_at
     FROM jobs j JOIN orders o ON o.id = j.order_id JOIN courses c ON c.id = j.course_id
     WHERE j.id = coalesce(CASE WHEN $1::text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN $1::uuid END,
                           (SELECT named.id FROM orders code JOIN jobs named ON named.order_id = code.id
                            WHERE code.code = upper($1::text)))`,
    [idOrCode],
  );

export type OrderReport = {
  code: string;
  status: string;
  amount_vnd: number;
  paid_vnd: number;
  created_at: Date;
  expires_at: Date;
};

export const orderOfJob = (db: Database, jobId: string): Promise<OrderReport | undefined> =>
  maybeOne<OrderReport>(
    db,
    `SELECT o.code, s.status, o.amount_vnd, o.created_at, o.expires_at,
            order_paid(o.id) AS paid_vnd
     FROM jobs j JOIN orders o ON o.id = j.order_id JOIN order_status s ON s.order_id = o.id
     WHERE j.id = $1::uuid`,
    [jobId],
  );

export type AttemptReport = {
  id: string;
  n: number;
  state: string;
  engine: string;
  profile: string;
  limits: unknown;
  image: string;
  container_id: string | null;
  exit_code: number | null;
  oom_killed: boolean | null;
  stop_reason: string | null;
  stop_detail: string | null;
  outcome: string | null;
  detail: string | null;
  created_at: Date;
  running_at: Date | null;
  finalized_at: Date | null;
  settled_at: Date | null;
};

/** Every attempt of a job, the first one first. */
export async function attemptsOfJob(db: Database, jobId: string): Promise<AttemptReport[]> {
  const { rows } = await db.query<AttemptReport>(
    `SELECT id, n, state, engine, profile, limits, image, container_id, exit_code, oom_killed, stop_reason,
            stop_detail, outcome, detail, created_at, running_at, finalized_at, settled_at
     FROM attempts WHERE job_id = $1::uuid ORDER BY n`,
    [jobId],
  );
  return rows;
}
