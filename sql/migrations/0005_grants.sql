GRANT USAGE ON SCHEMA public TO lading_api, lading_orchestrator, lading_auditor;

GRANT SELECT ON courses, course_rights, orders, payment_events, payments, jobs, attempts, files, deliveries,
                signed_calls_seen, order_status, tasks TO lading_api;
GRANT INSERT ON orders, payment_events, payments, files, signed_calls_seen TO lading_api;
GRANT INSERT (order_id, course_id, customer, fair_tag) ON jobs TO lading_api;
-- Cancelling is the API's; and without the right to update some column it could not lock an order it is paying.
GRANT UPDATE (cancelled_at) ON orders TO lading_api;
GRANT UPDATE (state, folder_id, next_task_at, task_failures, updated_at) ON jobs TO lading_api;
GRANT UPDATE (finalized_at) ON attempts TO lading_api;

GRANT SELECT ON courses, course_rights, orders, jobs, attempts, engines, files, deliveries, order_status, tasks,
                log_ends TO lading_orchestrator;
-- Where to go on with a log; not what stands in it.
GRANT SELECT (attempt_id, seq, first_line, line_count, raw_bytes, last_at, resume_at, resume_lines, gaps, hash)
  ON log_chunks TO lading_orchestrator;
GRANT UPDATE (state, attempts_started, attempts_spent, losses, profile, next_task_at, task_failures, step_epoch,
              dead_reason, dead_detail, updated_at) ON jobs TO lading_orchestrator;
GRANT INSERT, UPDATE ON engines, deliveries TO lading_orchestrator;
GRANT INSERT (id, job_id, n, engine, lease_holder, lease_expires_at, profile, limits, image, deadline_at)
  ON attempts TO lading_orchestrator;
GRANT UPDATE (state, container_id, lease_holder, lease_epoch, lease_expires_at, stop_reason, stop_detail, running_at,
              settled_at, exit_code, oom_killed, outcome, detail, end_message, progress) ON attempts TO lading_orchestrator;
GRANT SELECT ON dispatch_clock TO lading_api, lading_orchestrator;
GRANT UPDATE (fair_tag) ON dispatch_clock TO lading_orchestrator;
GRANT INSERT ON log_chunks, log_ends TO lading_orchestrator;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO lading_auditor;
-- Logs are read through the two functions that leave a trace.
REVOKE SELECT ON log_chunks FROM lading_auditor;
GRANT EXECUTE ON FUNCTION announce_log_read(uuid, integer, integer, text, text, text), read_log(bigint) TO lading_auditor;

GRANT EXECUTE ON FUNCTION enqueue_task(text, uuid) TO lading_api, lading_orchestrator;

-- graphile-worker's tables carry row level security without policies: closed to everyone but their owner.
GRANT USAGE ON SCHEMA graphile_worker TO lading_orchestrator;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA graphile_worker TO lading_orchestrator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA graphile_worker TO lading_orchestrator;
DO $policies$
DECLARE
  guarded regclass;
BEGIN
  FOR guarded IN SELECT oid::regclass FROM pg_class
                 WHERE relnamespace = 'graphile_worker'::regnamespace AND relkind = 'r' AND relrowsecurity LOOP
    EXECUTE format('CREATE POLICY lading_orchestrator ON %s TO lading_orchestrator USING (true) WITH CHECK (true)', guarded);
  END LOOP;
END
$policies$;
