/** The operators' five targets, as the tables know them. */
import { maybeOne, type Database } from './pool.ts';

export type SloFigures = {
  since: Date;
  until: Date;
  completed: number;
  dead: number;
  cancelled: number;
  started: number;
  /** Of those that ended, not cancelled, after more than one attempt: all, and the completed ones. */
  retried: number;
  retried_completed: number;
  /** Null where nothing was measured. */
  processing_mean_seconds: number | null;
  queue_wait_mean_seconds: number | null;
  queue_wait_p95_seconds: number | null;
  /** While no engine answered; null when none was at work. */
  down_seconds: number | null;
};

/**
 * Over the last `hours`, by the database's clock. Jobs count when they ended in the window, waits when the first attempt
 * began to run in it. Down is when every engine that was at work in the window was in quarantine at once.
 */
export async function sloFigures(db: Database, hours: number): Promise<SloFigures> {
  const row = await maybeOne<SloFigures>(
    db,
    `WITH span AS (
       SELECT now() - make_interval(hours => $1::int) AS since, now() AS until
     ), ended AS (
       SELECT j.* FROM jobs j, span WHERE j.state IN ('completed', 'dead') AND j.updated_at >= span.since
     ), counted AS (
       SELECT count(*) FILTER (WHERE state = 'completed') AS completed,
              count(*) FILTER (WHERE state = 'dead' AND dead_reason <> 'cancelled') AS dead,
              count(*) FILTER (WHERE dead_reason = 'cancelled') AS cancelled,
              count(*) FILTER (WHERE attempts_started > 1 AND dead_reason IS DISTINCT FROM 'cancelled') AS retried,
              count(*) FILTER (WHERE attempts_started > 1 AND state = 'completed') AS retried_completed,
              (avg(extract(epoch FROM updated_at - created_at)) FILTER (WHERE state = 'completed'))::float8
                AS processing_mean_seconds
       FROM ended
     ), waits AS (
       SELECT extract(epoch FROM a.running_at - j.created_at)::float8 AS seconds
       FROM attempts a JOIN jobs j ON j.id = a.job_id, span WHERE a.n = 1 AND a.running_at >= span.since
     ), waited AS (
       SELECT count(*) AS started, avg(seconds)::float8 AS queue_wait_mean_seconds,
              percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS queue_wait_p95_seconds FROM waits
     ), outages AS (
       SELECT e.name, coalesce(range_agg(tstzrange(o.began_at, coalesce(o.ended_at, span.until)) * tstzrange(span.since, span.until))
                                 FILTER (WHERE o.id IS NOT NULL), '{}'::tstzmultirange) AS down
       FROM span CROSS JOIN engines e
       LEFT JOIN engine_outages o ON o.engine = e.name AND coalesce(o.ended_at, span.until) > span.since
       WHERE e.updated_at >= span.since OR e.quarantined_at IS NOT NULL GROUP BY e.name
     ), together AS (
       SELECT range_intersect_agg(down) AS down FROM outages
     )
     SELECT span.since, span.until, counted.*, waited.*,
            CASE WHEN together.down IS NOT NULL THEN
              coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(together.down) r), 0)::float8
            END AS down_seconds
     FROM span, counted, waited, together`,
    [hours],
  );
  if (row === undefined) throw new Error('a report without a row');
  return row;
}
