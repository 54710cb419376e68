/** Who is started next, and whether an engine has room for it. */
import { ATTEMPT_COLUMNS, type AttemptRow } from './attempts.ts';
import type { FolderMode, ProviderName } from './courses.ts';
import { maybeOne, type Database } from './pool.ts';

/** The attempt that was begun, with all that starting it needs to know. */
export type BegunAttempt = AttemptRow & {
  course_id: string;
  course_title: string;
  course_provider: ProviderName;
  course_source: unknown;
  course_folder: FolderMode;
  order_code: string;
};

/**
 * The next job in the queue's order that is due gets a slot: engine, job and attempt are written together or not at
 * all. Undefined when nothing waits, or the engine has no slot, no memory, no disk or no place at the launch gate left,
 * is in quarantine or drained, or the queue is paused. `profiles` maps a profile's name to its limits; a job of another
 * profile, or of one that this engine could never hold, is left to others.
 */
export const beginNextAttempt = (
  db: Database,
  attempt: {
    /** The new attempt's id: whoever begins it knows it before anybody can see it. */
    id: string;
    engine: string;
    holder: string;
    leaseSeconds: number;
    profiles: Readonly<Record<string, { memoryBytes: number; deadlineSeconds: number }>>;
    image: string;
  },
): Promise<BegunAttempt | undefined> =>
  maybeOne<BegunAttempt>(
    db,
    `WITH job AS (
       SELECT j.id, j.fair_tag, p.profile, $4::jsonb -> p.profile AS limits, c.id AS course_id, c.title, c.provider,
         c.source, c.folder, o.code
       FROM jobs j JOIN courses c ON c.id = j.course_id JOIN orders o ON o.id = j.order_id
       CROSS JOIN LATERAL (SELECT coalesce(j.profile, c.profile) AS profile) p
       WHERE j.state = 'enrolled' AND j.next_task_at <= now() AND $4::jsonb ? p.profile
         AND ($4::jsonb -> p.profile ->> 'memoryBytes')::bigint <= (SELECT memory_bytes FROM engines WHERE name = $1::text)
       ORDER BY j.fair_tag, j.created_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
     ), unpaused AS (
       -- Locked, so that no pause can be committed between this look and the begun attempt.
       SELECT FROM queue_pause WHERE paused_at IS NULL FOR SHARE
     ), slot AS (
       UPDATE engines e SET slots_used = slots_used + 1, launching = launching + 1,
         memory_used = memory_used + (job.limits ->> 'memoryBytes')::bigint, updated_at = now()
       FROM job, unpaused
       WHERE e.name = $1::text AND e.quarantined_at IS NULL AND e.slots_used < e.slots AND e.launching < e.launches_max
         AND e.memory_used + (job.limits ->> 'memoryBytes')::bigint <= e.memory_bytes
         AND coalesce(e.disk_free_bytes >= e.disk_floor_bytes, true)
         AND e.drained_at IS NULL
       RETURNING e.name
     ), clock AS (
       UPDATE dispatch_clock SET fair_tag = greatest(dispatch_clock.fair_tag, job.fair_tag) FROM job, slot
     ), moved AS (
       UPDATE jobs SET state = 'attempting', attempts_started = attempts_started + 1, updated_at = now()
       FROM job, slot WHERE jobs.id = job.id RETURNING jobs.id, jobs.attempts_started
     ), begun AS (
       INSERT INTO attempts (id, job_id, n, engine, lease_holder, lease_expires_at, profile, limits, image, deadline_at)
       SELECT $6::uuid, moved.id, moved.attempts_started, $1::text, $2::text, now() + make_interval(secs => $3::int),
              job.profile, job.limits, $5::text, now() + make_interval(secs => (job.limits ->> 'deadlineSeconds')::int)
       FROM moved, job RETURNING ${ATTEMPT_COLUMNS}
     )
     SELECT begun.*, job.course_id, job.title AS course_title, job.provider AS course_provider,
            job.source AS course_source, job.folder AS course_folder, job.code AS order_code
     FROM begun, job`,
    [attempt.engine, attempt.holder, attempt.leaseSeconds, JSON.stringify(attempt.profiles), attempt.image, attempt.id],
  );

/** The first jobs that wait for a slot, in the order in which they will get one. */
export async function waitingJobs(db: Database, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM jobs WHERE state = 'enrolled' AND next_task_at <= now()
     ORDER BY fair_tag, created_at LIMIT $1::int`,
    [limit],
  );
  return rows.map((row) => row.id);
}
