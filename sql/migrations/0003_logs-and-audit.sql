-- A chunk holds whole lines, zstd-compressed NDJSON: {"n":line number,"t":daemon timestamp,"s":"o"|"e","l":text}, with
-- "c":1 where the line goes on in the next one of its stream, and "g":1 where lines before it are lost.
-- hash = sha256(previous hash || lines), over the uncompressed bytes; the first previous hash is 32 zero bytes.
CREATE TABLE log_chunks (
  attempt_id   uuid NOT NULL REFERENCES attempts,
  seq          integer NOT NULL CHECK (seq >= 0),
  first_line   bigint NOT NULL,
  line_count   integer NOT NULL CHECK (line_count > 0),
  raw_bytes    integer NOT NULL,
  -- The daemon's timestamp of the last line.
  last_at      text NOT NULL,
  -- Where to go on after a crash: the daemon's log is read again from this timestamp on (null: from its beginning), and
  -- that many lines of what it then gives are stored already.
  resume_at    text,
  resume_lines integer NOT NULL,
  -- Lines of this chunk before which others are lost: the daemon had rotated its file when we came back.
  gaps         integer NOT NULL,
  zstd         bytea NOT NULL,
  hash         bytea NOT NULL CHECK (length(hash) = 32),
  stored_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (attempt_id, seq)
);

CREATE TABLE log_ends (
  attempt_id    uuid PRIMARY KEY REFERENCES attempts,
  chunks        integer NOT NULL,
  lines         bigint NOT NULL,
  raw_bytes     bigint NOT NULL,
  -- Lines that were counted and not kept because the attempt had said too much. At least: a flood is not all read.
  lines_cut     bigint NOT NULL DEFAULT 0,
  -- Places where lines are lost; the line after each is marked.
  gaps          integer NOT NULL DEFAULT 0,
  final_hash    bytea NOT NULL CHECK (length(final_hash) = 32),
  ended_at      timestamptz NOT NULL DEFAULT now()
);

-- Who follows a log hears of each new chunk and of the end.
CREATE FUNCTION log_grew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_logs', NEW.attempt_id::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER log_grew AFTER INSERT ON log_chunks FOR EACH ROW EXECUTE FUNCTION log_grew();
CREATE TRIGGER log_ended AFTER INSERT ON log_ends FOR EACH ROW EXECUTE FUNCTION log_grew();

-- Who read which part of a log.
CREATE TABLE log_reads (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- What the database knows of the reader, and what the reader says of himself.
  reader      text NOT NULL DEFAULT session_user,
  address     inet DEFAULT inet_client_addr(),
  person      text NOT NULL CHECK (length(person) BETWEEN 1 AND 200),
  reason      text CHECK (length(reason) <= 1000),
  via         text NOT NULL CHECK (length(via) BETWEEN 1 AND 100),
  attempt_id  uuid NOT NULL REFERENCES attempts,
  from_seq    integer NOT NULL,
  to_seq      integer NOT NULL CHECK (to_seq >= from_seq),
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX log_reads_of_attempt ON log_reads (attempt_id, id);

-- A log is read in two steps: the read is announced, and the chunks are given for an announcement that is committed.
-- In one step a reader could roll back the trace of what he has seen. Null when nothing is stored from there on.
CREATE FUNCTION announce_log_read(attempt uuid, first_seq integer, max_chunks integer, via text, person text, reason text)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO log_reads (attempt_id, from_seq, to_seq, via, person, reason)
  SELECT attempt, min(page.seq), max(page.seq), via, person, reason
  FROM (SELECT seq FROM log_chunks WHERE attempt_id = attempt AND seq >= first_seq
        ORDER BY seq LIMIT least(max_chunks, 64)) page
  HAVING count(*) > 0
  RETURNING id
$$;

CREATE FUNCTION read_log(announced bigint)
RETURNS TABLE (seq integer, first_line bigint, line_count integer, raw_bytes integer, zstd bytea, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  reading log_reads;
BEGIN
  SELECT * INTO reading FROM log_reads r
  WHERE r.id = announced AND r.reader = session_user AND r.at > clock_timestamp() - interval '1 minute'
    AND r.transaction IS DISTINCT FROM pg_current_xact_id_if_assigned();
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this read was not announced, and committed, within the last minute' USING ERRCODE = 'LD002';
  END IF;
  RETURN QUERY SELECT c.seq, c.first_line, c.line_count, c.raw_bytes, c.zstd, c.hash
               FROM log_chunks c
               WHERE c.attempt_id = reading.attempt_id AND c.seq BETWEEN reading.from_seq AND reading.to_seq
               ORDER BY c.seq;
END
$$;
REVOKE EXECUTE ON FUNCTION announce_log_read(uuid, integer, integer, text, text, text), read_log(bigint) FROM PUBLIC;

-- Every state change of a job or an attempt, and every decision to stop one, written by trigger so that no code path can forget it.
CREATE TABLE audit_events (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT now(),
  actor      text NOT NULL DEFAULT session_user,
  subject    text NOT NULL,
  subject_id uuid NOT NULL,
  from_state text,
  to_state   text NOT NULL,
  detail     jsonb
);
CREATE INDEX audit_events_of_subject ON audit_events (subject_id, id);

CREATE FUNCTION is_service(role name) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT role IN ('lading_api', 'lading_orchestrator', 'lading_auditor')
$$;

CREATE FUNCTION job_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.state <> 'paid' THEN
    RAISE EXCEPTION 'job % cannot begin as %', NEW.id, NEW.state USING ERRCODE = 'LD001';
  END IF;
  IF TG_OP = 'UPDATE' AND (
    NOT EXISTS (SELECT FROM job_moves_allowed WHERE from_state = OLD.state AND to_state = NEW.state
                AND (by_role = session_user OR NOT is_service(session_user)))
    OR (OLD.state = 'dead' AND NEW.redrives <> OLD.redrives + 1)
  ) THEN
    RAISE EXCEPTION 'job % cannot move from % to %', NEW.id, OLD.state, NEW.state USING ERRCODE = 'LD001';
  END IF;
  INSERT INTO audit_events (subject, subject_id, from_state, to_state, detail)
  VALUES ('job', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state END, NEW.state,
          CASE WHEN NEW.state = 'dead' THEN jsonb_build_object('reason', NEW.dead_reason, 'detail', NEW.dead_detail)
               WHEN TG_OP = 'UPDATE' AND OLD.state = 'dead'
               THEN jsonb_build_object('reason', NEW.redrive_reason, 'was', OLD.dead_reason, 'detail', OLD.dead_detail)
          END);
  PERFORM pg_notify('lading_jobs', NEW.id::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER job_inserted AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION job_moved();
CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION job_moved();

-- The folder that is opened to the customer is named once, by the manifest that is accepted.
CREATE FUNCTION job_folder_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (OLD.state = 'attempting' AND NEW.state = 'delivering') THEN
    RAISE EXCEPTION 'the folder of job % is not named now', NEW.id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER job_folder_named BEFORE UPDATE OF folder_id ON jobs FOR EACH ROW
  WHEN (OLD.folder_id IS DISTINCT FROM NEW.folder_id) EXECUTE FUNCTION job_folder_named();

-- An attempt goes from creating to running to settled, or is settled at once. A manifest is accepted once, while it
-- runs. What is settled stays, but for one thing: an accepted manifest may turn out to be false.
CREATE FUNCTION attempt_may_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state = 'settled' AND NOT (OLD.outcome = 'succeeded' AND NEW.outcome = 'manifest_false' AND NEW.state = 'settled'))
     OR (NEW.state = 'creating' AND OLD.state <> 'creating')
     OR (OLD.finalized_at IS DISTINCT FROM NEW.finalized_at AND NOT (OLD.finalized_at IS NULL AND OLD.state = 'running'
         AND OLD.stop_reason IS DISTINCT FROM 'cancelled'))
     OR NEW.lease_epoch < OLD.lease_epoch
     OR (NEW.job_id, NEW.n, NEW.id, NEW.engine, NEW.limits) IS DISTINCT FROM (OLD.job_id, OLD.n, OLD.id, OLD.engine, OLD.limits)
  THEN
    RAISE EXCEPTION 'attempt % cannot be changed so', OLD.id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER attempt_may_change BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION attempt_may_change();

-- Access is opened to the address of the order and to no other; what was granted or mailed is not rewritten. Taking a
-- grant back, for a redrive, is the owner's, or a function of his.
CREATE FUNCTION delivery_may_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.granted_at IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.granted_at IS NULL)
      AND NOT EXISTS (SELECT FROM jobs j JOIN orders o ON o.id = j.order_id
                      WHERE j.id = NEW.job_id AND o.email = NEW.granted_to))
     OR (TG_OP = 'UPDATE' AND is_service(current_user) AND (
       NEW.job_id <> OLD.job_id
       OR (OLD.granted_at IS NOT NULL AND (NEW.granted_to, NEW.granted_at, NEW.permission_id)
                                          IS DISTINCT FROM (OLD.granted_to, OLD.granted_at, OLD.permission_id))
       OR (OLD.mailed_at IS NOT NULL AND (NEW.mail_to, NEW.mailed_at, NEW.mail_message_id)
                                         IS DISTINCT FROM (OLD.mail_to, OLD.mailed_at, OLD.mail_message_id))))
  THEN
    RAISE EXCEPTION 'the delivery of job % cannot be changed so', NEW.job_id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER delivery_may_change BEFORE INSERT OR UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION delivery_may_change();

CREATE FUNCTION attempt_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_events (subject, subject_id, from_state, to_state, detail)
  VALUES ('attempt', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state END, NEW.state,
          jsonb_strip_nulls(jsonb_build_object('job', NEW.job_id, 'n', NEW.n, 'container', NEW.container_id,
            'stop_reason', NEW.stop_reason, 'stop_detail', NEW.stop_detail, 'outcome', NEW.outcome,
            'exit_code', NEW.exit_code, 'lease_holder', NEW.lease_holder)));
  -- A slot is free again: waiting jobs are looked at.
  IF NEW.state = 'settled' THEN
    PERFORM pg_notify('lading_jobs', NEW.job_id::text);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER attempt_inserted AFTER INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION attempt_moved();
CREATE TRIGGER attempt_moved AFTER UPDATE OF state ON attempts FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION attempt_moved();
CREATE TRIGGER attempt_found_false AFTER UPDATE OF outcome ON attempts FOR EACH ROW
  WHEN (OLD.outcome IS NOT NULL AND OLD.outcome IS DISTINCT FROM NEW.outcome) EXECUTE FUNCTION attempt_moved();
CREATE TRIGGER attempt_stopped AFTER UPDATE OF stop_reason ON attempts FOR EACH ROW
  WHEN (OLD.stop_reason IS DISTINCT FROM NEW.stop_reason) EXECUTE FUNCTION attempt_moved();

-- What was logged, read and audited stays as it is, whoever is at work. An administrator who must delete (a request for
-- erasure, old logs) says so first: SET LOCAL session_replication_role = replica, which only a superuser may.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'LD003';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_chunks EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_ends EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_reads EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events EXECUTE FUNCTION refuse_change();
