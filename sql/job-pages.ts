import type { Database } from './pool.ts';
import type { JobState } from './jobs.ts';

export type JobLine = {
  id: string;
  order_code: string;
  course_id: string;
  state: JobState;
  attempts_started: number;
  priority: number;
  dead_reason: string | null;
  created_at: Date;
  updated_at: Date;
  /** `created_at`, in microseconds since 1970. */
  micros: number;
};

/** The newest first, from behind `after`. */
export async function pageOfJobs(
  db: Database,
  filter: { state?: JobState | undefined; deadReason?: string | undefined; courseId?: string | undefined },
  after: { micros: number; id: string } | undefined,
  limit: number,
): Promise<JobLine[]> {
  const { rows } = await db.query<JobLine>(
    `SELECT j.id, o.code AS order_code, j.course_id, j.state, j.attempts_started, j.priority, j.dead_reason,
            j.created_at, j.updated_at, micros(j.created_at) AS micros
     FROM jobs j JOIN orders o ON o.id = j.order_id
     WHERE ($1::text IS NULL OR j.state = $1::text) AND ($2::text IS NULL OR j.dead_reason = $2::text)
       AND ($6::text IS NULL OR j.course_id = $6::text)
       AND ($3::bigint IS NULL OR (j.created_at, j.id) < (moment($3::bigint), $4::uuid))
     ORDER BY j.created_at DESC, j.id DESC LIMIT $5::int`,
    [
      filter.state ?? null,
      filter.deadReason ?? null,
      after?.micros ?? null,
      after?.id ?? null,
      limit,
      filter.courseId ?? null,
    ],
  );
  return rows;
}

export type TimelineEntry = {
  at: Date;
  subject: string;
  from_state: string | null;
  to_state: string;
  actor: string;
  detail: unknown;
};

const TIMELINE_MAX = 1_000;

/** Every state change of a job and its attempts, the first one first. */
export async function timelineOfJob(db: Database, jobId: string): Promise<TimelineEntry[]> {
  const { rows } = await db.query<TimelineEntry>(
    `SELECT e.at, e.subject, e.from_state, e.to_state, e.actor, e.detail FROM audit_events e
     WHERE e.subject_id = $1::uuid OR e.subject_id IN (SELECT a.id FROM attempts a WHERE a.job_id = $1::uuid)
     ORDER BY e.id LIMIT ${TIMELINE_MAX}`,
    [jobId],
  );
  return rows;
}
