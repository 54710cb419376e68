import type { Database } from './pool.ts';

export type EndedInHour = { hour: Date; completed: number; dead: number; cancelled: number };

/** What ended in each of the last `hours`, the current one last, hours without anything included. */
export async function endedByHour(db: Database, hours: number): Promise<EndedInHour[]> {
  const { rows } = await db.query<EndedInHour>(
    `WITH span AS (
       SELECT date_trunc('hour', now()) - make_interval(hours => $1::int - 1) AS since, date_trunc('hour', now()) AS until
     ), ended AS (
       SELECT date_trunc('hour', j.updated_at) AS hour,
              count(*) FILTER (WHERE j.state = 'completed') AS completed,
              count(*) FILTER (WHERE j.state = 'dead' AND j.dead_reason <> 'cancelled') AS dead,
              count(*) FILTER (WHERE j.dead_reason = 'cancelled') AS cancelled
       FROM jobs j, span WHERE j.state IN ('completed', 'dead') AND j.updated_at >= span.since GROUP BY 1
     )
     SELECT h.hour, coalesce(e.completed, 0)::int AS completed, coalesce(e.dead, 0)::int AS dead,
            coalesce(e.cancelled, 0)::int AS cancelled
     FROM span, generate_series(span.since, span.until, interval '1 hour') AS h (hour) LEFT JOIN ended e USING (hour)
     ORDER BY h.hour`,
    [hours],
  );
  return rows;
}
