-- The customer's word for where an order stands. Nothing downstream writes to orders: this is read from the facts.
CREATE VIEW order_status AS
SELECT o.id AS order_id,
       CASE j.state
         WHEN 'paid' THEN 'paid'
         WHEN 'enrolling' THEN 'processing'
         WHEN 'enrolled' THEN 'enrolled'
         WHEN 'attempting' THEN 'downloading'
         WHEN 'delivering' THEN 'delivering'
         WHEN 'completed' THEN 'completed'
         -- A mail that nobody takes is the operator's to look after; the course is open to its customer.
         WHEN 'dead' THEN CASE WHEN d.granted_at IS NOT NULL THEN 'completed' ELSE 'failed' END
         ELSE CASE WHEN o.cancelled_at IS NOT NULL THEN 'cancelled'
                   WHEN o.expires_at <= now() THEN 'expired'
                   ELSE 'pending' END
       END AS status,
       j.id AS job_id
FROM orders o LEFT JOIN jobs j ON j.order_id = o.id LEFT JOIN deliveries d ON d.job_id = j.id;

-- Operators' habitual queries keep working on this name.
CREATE VIEW tasks AS
SELECT j.id,
       CASE j.state WHEN 'completed' THEN 'completed' WHEN 'dead' THEN 'failed'
                    WHEN 'attempting' THEN 'running' ELSE 'pending' END AS status,
       greatest(j.attempts_started - 1, 0) AS retry_count,
       j.course_id, o.email, j.dead_reason AS error, j.created_at, j.updated_at
FROM jobs j JOIN orders o ON o.id = j.order_id;

-- The one door to the task queue. graphile's own retries are never used (see docs/decisions), so one try is enough;
-- a key per job and task keeps a reconcile that asks twice from queueing twice.
CREATE FUNCTION enqueue_task(task text, job uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF task NOT IN ('enrol', 'start-attempt', 'grant-access', 'send-mail') THEN
    RAISE EXCEPTION 'unknown task %', task;
  END IF;
  PERFORM graphile_worker.add_job(task, json_build_object('jobId', job), job_key => task || ':' || job, max_attempts => 1);
END
$$;
REVOKE EXECUTE ON FUNCTION enqueue_task(text, uuid) FROM PUBLIC;
