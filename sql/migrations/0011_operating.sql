-- What operators do over the API. Each act is one function: it locks what it is about, asks whose key it is, acts, and
-- writes who, what, when, before and after into `changes`, all or nothing. The API's role may call these functions and
-- has no other way to do what they do.

-- Place in the queue, in steps of 100 places: above 0 less urgent, below 0 more. Already in fair_tag.
ALTER TABLE jobs ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -10 AND 10);
-- What the jobs of a course begin with.
ALTER TABLE courses ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -10 AND 10);
GRANT INSERT (priority) ON jobs TO lading_api;
CREATE INDEX jobs_ended ON jobs (updated_at, id) WHERE state IN ('completed', 'dead');

-- A moment as a number, for where a page ends: as fine as it is kept, which a Date is not.
CREATE FUNCTION micros(at timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT (extract(epoch FROM at) * 1000000)::bigint $$;
CREATE FUNCTION moment(micros bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT 'epoch'::timestamptz + micros * interval '1 microsecond'
$$;

-- The shop whose key placed the order: the name its keys share. Null: a customer by himself.
ALTER TABLE orders ADD COLUMN shop text CHECK (length(shop) BETWEEN 1 AND 100);
CREATE INDEX orders_by_age ON orders (created_at, id);
CREATE INDEX orders_of_shop ON orders (shop, created_at, id) WHERE shop IS NOT NULL;

-- While paused no attempt begins, on any engine; what runs goes on. One row.
CREATE TABLE queue_pause (
  one       boolean PRIMARY KEY DEFAULT true CHECK (one),
  paused_at timestamptz,
  reason    text,
  CHECK ((paused_at IS NULL) = (reason IS NULL))
);
INSERT INTO queue_pause DEFAULT VALUES;

-- On a drained engine no attempt begins; what runs there goes on.
ALTER TABLE engines ADD COLUMN drained_at timestamptz, ADD COLUMN drain_reason text,
  ADD CHECK ((drained_at IS NULL) = (drain_reason IS NULL));

-- Who waits for room hears that there may be some again.
CREATE FUNCTION room_may_have_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_jobs', '');
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_resumed AFTER UPDATE OF paused_at ON queue_pause FOR EACH ROW EXECUTE FUNCTION room_may_have_come();
CREATE TRIGGER engine_undrained AFTER UPDATE OF drained_at ON engines FOR EACH ROW
  WHEN (OLD.drained_at IS DISTINCT FROM NEW.drained_at) EXECUTE FUNCTION room_may_have_come();

-- When an engine did not answer; written by trigger, so that the report of uptime has something to go by.
CREATE TABLE engine_outages (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  engine   text NOT NULL REFERENCES engines,
  began_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  reason   text
);
CREATE UNIQUE INDEX engine_outages_one_open ON engine_outages (engine) WHERE ended_at IS NULL;
CREATE FUNCTION engine_went() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE engine_outages SET ended_at = now() WHERE engine = NEW.name AND ended_at IS NULL;
  IF NEW.quarantined_at IS NOT NULL THEN
    INSERT INTO engine_outages (engine, reason) VALUES (NEW.name, NEW.quarantine_reason);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER engine_went AFTER UPDATE OF quarantined_at ON engines FOR EACH ROW
  WHEN (OLD.quarantined_at IS DISTINCT FROM NEW.quarantined_at) EXECUTE FUNCTION engine_went();

-- Of these moves the API has only what the functions below do: it may not write dead_reason or redrives itself.
ALTER TABLE job_moves_allowed DROP CONSTRAINT job_moves_allowed_pkey, ADD PRIMARY KEY (from_state, to_state, by_role);
INSERT INTO job_moves_allowed VALUES
  ('paid', 'dead', 'lading_api'), ('enrolling', 'dead', 'lading_api'), ('enrolled', 'dead', 'lading_api'),
  ('dead', 'paid', 'lading_api');

-- Locks a job and the attempt that is open, if there is one, until the transaction ends. The attempt first, as settling
-- does, so that the two never wait for each other. False: there is no such job.
CREATE FUNCTION lock_job_and_attempt(job uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now_in text;
BEGIN
  FOR look IN 1..10 LOOP
    BEGIN
      PERFORM FROM attempts a WHERE a.job_id = job AND a.state <> 'settled' FOR UPDATE;
      IF FOUND THEN
        PERFORM FROM jobs j WHERE j.id = job FOR UPDATE;
        RETURN true;
      END IF;
      SELECT j.state INTO now_in FROM jobs j WHERE j.id = job FOR UPDATE;
      IF NOT FOUND THEN RETURN false; END IF;
      IF now_in <> 'attempting' THEN RETURN true; END IF;
      -- It began to run between the two locks. They go with this block: held on to, the next look would take them in the
      -- wrong order.
      RAISE EXCEPTION 'job % moved on', job USING ERRCODE = 'LD009';
    EXCEPTION WHEN SQLSTATE 'LD009' THEN
      NULL;
    END;
  END LOOP;
  RAISE EXCEPTION 'job % moves on faster than it can be locked', job;
END
$$;

-- Cancels a job at whatever point it is: one that waits dies at once, one that runs is stopped by whoever holds it and
-- dies when its container has ended. Too late for one that is being delivered or has ended.
CREATE FUNCTION cancel_job(job uuid, why text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  now_in text;
BEGIN
  IF NOT lock_job_and_attempt(job) THEN RETURN 'unknown'; END IF;
  SELECT j.state INTO now_in FROM jobs j WHERE j.id = job;
  IF now_in IN ('paid', 'enrolling', 'enrolled') THEN
    UPDATE jobs SET state = 'dead', dead_reason = 'cancelled', dead_detail = why, updated_at = now() WHERE id = job;
    RETURN 'dead';
  END IF;
  IF now_in <> 'attempting' THEN RETURN 'too_late'; END IF;
  -- Also when it is being stopped for another reason: after that one the job would run again.
  UPDATE attempts SET stop_reason = 'cancelled', stop_detail = coalesce(stop_detail, why)
  WHERE job_id = job AND state <> 'settled' AND finalized_at IS NULL;
  PERFORM pg_notify('lading_jobs', job::text);
  RETURN 'stopping';
END
$$;

-- Out of the dead letter and on its way again from the start, with all its budgets, at its customer's next place in the
-- queue. Attempts, accepted manifests and the mail that was sent stay; access is granted anew, since folder and address
-- may be others now. Refused while a container of the job still runs.
CREATE FUNCTION redrive_job(job uuid, why text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  dead jobs;
BEGIN
  SELECT * INTO dead FROM jobs j WHERE j.id = job FOR UPDATE;
  IF NOT FOUND THEN RETURN 'unknown'; END IF;
  IF dead.state <> 'dead' THEN RETURN 'not_dead'; END IF;
  IF EXISTS (SELECT FROM attempts a WHERE a.job_id = job AND a.state <> 'settled') THEN RETURN 'still_running'; END IF;
  -- What was paid for it may have been given back.
  IF EXISTS (SELECT FROM inbox_decisions d WHERE d.from_order_id = dead.order_id AND d.action <> 'ignored')
     AND EXISTS (SELECT FROM orders o WHERE o.id = dead.order_id AND order_paid(o.id) < o.amount_vnd) THEN
    RETURN 'not_paid';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('lading customer'), hashtext(dead.customer));
  UPDATE jobs SET state = 'paid', attempts_spent = 0, losses = 0, task_failures = 0, profile = NULL,
    dead_reason = NULL, dead_detail = NULL, redrives = redrives + 1, redrive_reason = why,
    fair_tag = greatest((SELECT fair_tag FROM dispatch_clock),
                        (SELECT max(j.fair_tag - j.priority * 100) + 1 FROM jobs j
                         WHERE j.customer = dead.customer AND j.state IN ('paid', 'enrolling', 'enrolled')))
               + jobs.priority * 100,
    next_task_at = now(), updated_at = now()
  WHERE id = job AND state = 'dead';
  UPDATE deliveries SET granted_at = NULL WHERE job_id = job;
  RETURN 'redriven';
END
$$;

-- Makes or renews a catalogue entry. Without `rights` the course exists but cannot be ordered, unless it could before.
CREATE FUNCTION put_course(entry jsonb, rights jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO courses (id, title, price_vnd, provider, source, profile, folder, priority, listed)
  VALUES (entry ->> 'id', entry ->> 'title', (entry ->> 'price_vnd')::bigint, entry ->> 'provider', entry -> 'source',
          entry ->> 'profile', coalesce(entry ->> 'folder', 'personal'), coalesce((entry ->> 'priority')::smallint, 0),
          coalesce((entry ->> 'listed')::boolean, true))
  ON CONFLICT (id) DO UPDATE SET title = excluded.title, price_vnd = excluded.price_vnd, provider = excluded.provider,
    source = excluded.source, profile = excluded.profile, folder = excluded.folder, priority = excluded.priority,
    listed = excluded.listed, updated_at = now();
  INSERT INTO course_rights (course_id, kind, evidence, recorded_by)
  SELECT entry ->> 'id', rights ->> 'kind', rights ->> 'evidence', rights ->> 'recordedBy' WHERE rights ? 'kind'
  ON CONFLICT (course_id) DO UPDATE SET kind = excluded.kind, evidence = excluded.evidence,
    recorded_by = excluded.recorded_by, recorded_at = now()
    WHERE (course_rights.kind, course_rights.evidence, course_rights.recorded_by)
          IS DISTINCT FROM (excluded.kind, excluded.evidence, excluded.recorded_by);
$$;

-- What stands in `changes` of a job, an engine, the queue, a course.
CREATE FUNCTION facts_of_job(job uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('state', j.state, 'priority', j.priority, 'deadReason', j.dead_reason, 'redrives', j.redrives,
    'stopReason', (SELECT a.stop_reason FROM attempts a WHERE a.job_id = j.id AND a.state <> 'settled'))
  FROM jobs j WHERE j.id = job
$$;
CREATE FUNCTION facts_of_engine(engine text) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('drainedAt', e.drained_at, 'drainReason', e.drain_reason) FROM engines e WHERE e.name = engine
$$;
CREATE FUNCTION facts_of_queue() RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('pausedAt', q.paused_at, 'reason', q.reason) FROM queue_pause q
$$;
CREATE FUNCTION facts_of_course(course text) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(c) - 'created_at' - 'updated_at' || jsonb_build_object('rights', to_jsonb(r) - 'course_id')
  FROM courses c LEFT JOIN course_rights r ON r.course_id = c.id WHERE c.id = course
$$;

-- The name of an operator's key that is valid now. Nobody else's opens these acts, whatever the API believes.
CREATE FUNCTION operator_named(by_key uuid) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  person text;
BEGIN
  SELECT k.name INTO person FROM api_keys k WHERE k.id = by_key AND k.role = 'operator' AND k.expires_at > now();
  IF NOT FOUND THEN RAISE EXCEPTION 'this is no key of an operator' USING ERRCODE = 'LD004'; END IF;
  RETURN person;
END
$$;
CREATE FUNCTION record_act(by_key uuid, request uuid, act text, subject text, before jsonb, after jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO changes (key_id, request_id, action, subject, before, after)
  SELECT by_key, request, act, subject, before, after WHERE before IS DISTINCT FROM after
$$;

CREATE FUNCTION operator_cancels(by_key uuid, request uuid, job uuid, because text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  person text := operator_named(by_key);
  before jsonb;
  result text;
BEGIN
  PERFORM lock_job_and_attempt(job);
  before := facts_of_job(job);
  result := cancel_job(job, person || ': ' || because);
  PERFORM record_act(by_key, request, 'job cancel', job::text, before, facts_of_job(job) || jsonb_build_object('because', because))
  WHERE result IN ('dead', 'stopping');
  RETURN result;
END
$$;

CREATE FUNCTION operator_redrives(by_key uuid, request uuid, job uuid, because text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  person text := operator_named(by_key);
  before jsonb;
  result text;
BEGIN
  PERFORM FROM jobs j WHERE j.id = job FOR UPDATE;
  before := facts_of_job(job);
  result := redrive_job(job, person || ': ' || because);
  IF result = 'redriven' THEN
    PERFORM enqueue_task('enrol', job);
    PERFORM record_act(by_key, request, 'job retry', job::text, before, facts_of_job(job) || jsonb_build_object('because', because));
  END IF;
  RETURN result;
END
$$;

-- From its place to the one it would have with this priority; it keeps what it has waited for.
CREATE FUNCTION operator_prioritises(by_key uuid, request uuid, job uuid, to_priority integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb;
BEGIN
  PERFORM operator_named(by_key);
  PERFORM FROM jobs j WHERE j.id = job FOR UPDATE;
  IF NOT FOUND THEN RETURN 'unknown'; END IF;
  before := facts_of_job(job);
  UPDATE jobs SET fair_tag = fair_tag + (to_priority - priority) * 100, priority = to_priority, updated_at = now()
  WHERE id = job AND state IN ('paid', 'enrolling', 'enrolled', 'attempting');
  IF NOT FOUND THEN RETURN 'not_queued'; END IF;
  PERFORM record_act(by_key, request, 'job priority', job::text, before, facts_of_job(job));
  RETURN 'set';
END
$$;

-- Null goes on. A pause that is there stays as it is.
CREATE FUNCTION operator_pauses(by_key uuid, request uuid, because text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb;
BEGIN
  PERFORM operator_named(by_key);
  PERFORM FROM queue_pause FOR UPDATE;
  before := facts_of_queue();
  UPDATE queue_pause SET paused_at = CASE WHEN because IS NOT NULL THEN now() END, reason = because
  WHERE (paused_at IS NULL) = (because IS NOT NULL);
  PERFORM record_act(by_key, request, CASE WHEN because IS NULL THEN 'queue resume' ELSE 'queue pause' END, 'queue', before,
                     facts_of_queue());
END
$$;

-- Null undrains. False: there is no such engine.
CREATE FUNCTION operator_drains(by_key uuid, request uuid, engine text, because text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb;
BEGIN
  PERFORM operator_named(by_key);
  PERFORM FROM engines e WHERE e.name = engine FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  before := facts_of_engine(engine);
  UPDATE engines SET drained_at = CASE WHEN because IS NOT NULL THEN now() END, drain_reason = because, updated_at = now()
  WHERE name = engine AND (drained_at IS NULL) = (because IS NOT NULL);
  PERFORM record_act(by_key, request, CASE WHEN because IS NULL THEN 'engine undrain' ELSE 'engine drain' END, engine, before,
                     facts_of_engine(engine));
  RETURN true;
END
$$;

CREATE FUNCTION operator_puts_course(by_key uuid, request uuid, entry jsonb, rights jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb;
BEGIN
  PERFORM operator_named(by_key);
  PERFORM FROM courses c WHERE c.id = entry ->> 'id' FOR UPDATE;
  before := facts_of_course(entry ->> 'id');
  PERFORM put_course(entry, rights);
  PERFORM record_act(by_key, request, 'course put', entry ->> 'id', before, facts_of_course(entry ->> 'id'));
END
$$;

REVOKE EXECUTE ON FUNCTION lock_job_and_attempt(uuid), cancel_job(uuid, text), redrive_job(uuid, text), put_course(jsonb, jsonb), facts_of_job(uuid),
  facts_of_engine(text), facts_of_queue(), facts_of_course(text), operator_named(uuid),
  record_act(uuid, uuid, text, text, jsonb, jsonb), operator_cancels(uuid, uuid, uuid, text),
  operator_redrives(uuid, uuid, uuid, text), operator_prioritises(uuid, uuid, uuid, integer),
  operator_pauses(uuid, uuid, text), operator_drains(uuid, uuid, text, text),
  operator_puts_course(uuid, uuid, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operator_cancels(uuid, uuid, uuid, text), operator_redrives(uuid, uuid, uuid, text),
  operator_prioritises(uuid, uuid, uuid, integer), operator_pauses(uuid, uuid, text),
  operator_drains(uuid, uuid, text, text), operator_puts_course(uuid, uuid, jsonb, jsonb) TO lading_api;

-- A log is read over the API in the same two steps, and leaves the same trace.
GRANT EXECUTE ON FUNCTION announce_log_read(uuid, integer, integer, text, text, text), read_log(bigint) TO lading_api;
GRANT SELECT ON log_ends, log_reads TO lading_api;
-- Where to go on with a log; not what stands in it.
GRANT SELECT (attempt_id, seq, first_line, line_count) ON log_chunks TO lading_api;
GRANT SELECT ON queue_pause, engine_outages TO lading_api, lading_auditor;
GRANT SELECT ON queue_pause TO lading_orchestrator;
-- Without the right to update some column it could not lock the row; this one can hold no other value.
GRANT UPDATE (one) ON queue_pause TO lading_orchestrator;
CREATE INDEX orders_of_address ON orders (lower(email));
