/** Jobs that wait for an engine which is not there. */
import type { Database } from './pool.ts';

/** They gather at the head of the queue, since all others pass them by. */
const LOOKED_AT_MAX = 100;
/** While a job waits, every engine that has an orchestrator tells its free disk twice a minute. */
const GONE_AFTER_MINUTES = 10;

export type UnfitJob = { id: string; dead_reason: string; dead_detail: string; attempts_started: number };

/**
 * Of the first jobs in the queue, those that have waited `afterSeconds` and that no engine could ever hold go into the
 * dead letter as `no_engine_fits`: none that is there has their profile, or the memory for it even when it is empty.
 */
export async function buryUnfit(db: Database, afterSeconds: number): Promise<UnfitJob[]> {
  const { rows } = await db.query<UnfitJob>(
    `WITH first AS (
       SELECT j.id, coalesce(j.profile, c.profile) AS needs FROM jobs j JOIN courses c ON c.id = j.course_id
       WHERE j.state = 'enrolled' ORDER BY j.fair_tag, j.created_at LIMIT ${LOOKED_AT_MAX}
     ), largest AS (
       SELECT max(memory_bytes) AS bytes FROM engines
     )
     UPDATE jobs SET state = 'dead', dead_reason = 'no_engine_fits', updated_at = now(),
       dead_detail = format('no engine has the profile %s and the memory for it; the largest has %s MiB', first.needs,
                            largest.bytes / 1048576)
     FROM first, largest
     WHERE jobs.id = first.id AND jobs.state = 'enrolled'
       AND jobs.next_task_at <= now() - make_interval(secs => $1::int)
       AND NOT EXISTS (SELECT FROM engines e WHERE (e.profiles ->> first.needs)::bigint <= e.memory_bytes
                         AND e.updated_at > now() - make_interval(mins => ${GONE_AFTER_MINUTES}))
     RETURNING jobs.id, jobs.dead_reason, jobs.dead_detail, jobs.attempts_started`,
    [afterSeconds],
  );
  return rows;
}

/** The memory of the largest engine, in bytes. */
export async function largestEngineBytes(db: Database): Promise<number> {
  const { rows } = await db.query<{ bytes: number | null }>('SELECT max(memory_bytes)::float8 AS bytes FROM engines');
  return rows[0]?.bytes ?? 0;
}
