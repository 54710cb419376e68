/** What a customer who waits is told: how many stand before him, and what is needed to say for how long. */
import { maybeOne, type Database } from './pool.ts';

/** Beyond this many it is only said that there are more. */
export const AHEAD_MAX = 1_000;
const RECENT_ATTEMPTS = 50;
/** So many downloads of the same course tell more than those of all. */
const OF_COURSE_MIN = 3;

export type WaitFigures = {
  /** Jobs that get a slot before this one; AHEAD_MAX when there are as many or more. */
  ahead: number;
  /** Slots of engines that take jobs, and how many of them are in use. */
  slots: number;
  slots_used: number;
  paused: boolean;
  /** Until it may be tried again. */
  back_off_seconds: number;
  /** Median of recent successful attempts, of this course where there are enough; null when nothing was measured. */
  attempt_seconds: number | null;
};

/** Undefined when the job does not wait for a slot. */
export const waitFigures = (db: Database, jobId: string): Promise<WaitFigures | undefined> =>
  maybeOne<WaitFigures>(
    db,
    `WITH mine AS (
       SELECT id, course_id, fair_tag, created_at, next_task_at, state FROM jobs
       WHERE id = $1::uuid AND state IN ('paid', 'enrolling', 'enrolled')
     ), ahead AS (
       -- Compared with values, so that the index on the place is enough.
       SELECT FROM jobs j
       WHERE j.state IN ('paid', 'enrolling', 'enrolled') AND (j.state <> 'enrolled' OR j.next_task_at <= now())
         AND (j.fair_tag, j.created_at, j.id)
           < ((SELECT fair_tag FROM mine), (SELECT created_at FROM mine), (SELECT id FROM mine)) LIMIT $2::int
     ), recent AS (
       SELECT extract(epoch FROM a.settled_at - a.running_at)::float8 AS seconds, j.course_id
       FROM attempts a JOIN jobs j ON j.id = a.job_id
       WHERE a.outcome = 'succeeded' AND a.running_at IS NOT NULL ORDER BY a.settled_at DESC LIMIT $3::int
     ), taken AS (
       SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
                FILTER (WHERE course_id = (SELECT course_id FROM mine)) AS of_course,
              count(*) FILTER (WHERE course_id = (SELECT course_id FROM mine)) AS of_course_count,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS of_all
       FROM recent
     ), room AS (
       SELECT coalesce(sum(slots), 0)::int AS slots, coalesce(sum(least(slots_used, slots)), 0)::int AS slots_used
       FROM engines WHERE quarantined_at IS NULL AND drained_at IS NULL
     )
     SELECT (SELECT count(*) FROM ahead)::int AS ahead, room.slots, room.slots_used,
            (SELECT paused_at IS NOT NULL FROM queue_pause) AS paused,
            CASE WHEN mine.state = 'enrolled'
                 THEN greatest(0, extract(epoch FROM mine.next_task_at - now()))::float8 ELSE 0 END AS back_off_seconds,
            CASE WHEN taken.of_course_count >= $4::int THEN taken.of_course ELSE taken.of_all END AS attempt_seconds
     FROM mine, room, taken`,
    [jobId, AHEAD_MAX, RECENT_ATTEMPTS, OF_COURSE_MIN],
  );
