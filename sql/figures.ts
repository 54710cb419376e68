/** What all orchestrators show alike, as the tables have it: one statement a reconcile pass, none while nothing moves. */
import { maybeOne, type Database } from './pool.ts';

/** A step that has been due for so long was lost, and reconcile did not find it. */
const STEP_STUCK_SECONDS = 10 * 60;
/** What runs on after its deadline is being stopped; beyond this nobody does. */
const ATTEMPT_STUCK_SECONDS = 5 * 60;

export type Figures = {
  /** Jobs that wait for a slot; jobs whose enrolment or delivery is due. */
  downloads: number;
  steps: number;
  /** Since the job that waits longest for a slot could have had one; 0 when none waits. */
  oldest_seconds: number;
  stuck: number;
  paused: boolean;
  /** Payments and events in the operator's inbox. */
  unplaced: number;
};

export async function figures(db: Database): Promise<Figures> {
  const row = await maybeOne<Figures>(
    db,
    `SELECT count(*) FILTER (WHERE state = 'enrolled')::int AS downloads,
            count(*) FILTER (WHERE state IN ('paid', 'enrolling', 'delivering'))::int AS steps,
            greatest(0, coalesce(extract(epoch FROM now() - min(next_task_at) FILTER (WHERE state = 'enrolled')), 0))::float8
              AS oldest_seconds,
            (count(*) FILTER (WHERE state IN ('paid', 'enrolling', 'delivering')
                                AND next_task_at < now() - make_interval(secs => ${STEP_STUCK_SECONDS}))
              + (SELECT count(*) FROM attempts WHERE state <> 'settled'
                   AND deadline_at < now() - make_interval(secs => ${ATTEMPT_STUCK_SECONDS})))::int AS stuck,
            (SELECT paused_at IS NOT NULL FROM queue_pause) AS paused,
            count_unplaced()::int AS unplaced
     FROM jobs WHERE state NOT IN ('completed', 'dead')`,
    [],
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}
