-- A chunk holds whole lines, zstd-compressed NDJSON: {"n":line number,"t":daemon timestamp,"s":"o"|"e","l":text}.
-- hash = sha256(previous hash || lines), over the uncompressed bytes; the first previous hash is 32 zero bytes.
CREATE TABLE log_chunks (
  attempt_id   uuid NOT NULL REFERENCES attempts,
  seq          integer NOT NULL CHECK (seq >= 0),
  first_line   bigint NOT NULL,
  line_count   integer NOT NULL CHECK (line_count > 0),
  raw_bytes    integer NOT NULL,
  -- Where to go on after a crash: the last daemon timestamp and how many stored lines carry it.
  last_at      text NOT NULL,
  last_at_lines integer NOT NULL,
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
  -- Lines that were counted and not kept because the attempt had said too much.
  lines_cut     bigint NOT NULL DEFAULT 0,
  final_hash    bytea NOT NULL CHECK (length(final_hash) = 32),
  ended_at      timestamptz NOT NULL DEFAULT now()
);

-- Every state change of a job or an attempt, written by trigger so that no code path can forget it.
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

CREATE FUNCTION job_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NOT EXISTS (
    SELECT FROM job_moves_allowed WHERE from_state = OLD.state AND to_state = NEW.state
  ) THEN
    RAISE EXCEPTION 'job % cannot move from % to %', NEW.id, OLD.state, NEW.state USING ERRCODE = 'LD001';
  END IF;
  INSERT INTO audit_events (subject, subject_id, from_state, to_state, detail)
  VALUES ('job', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state END, NEW.state,
          CASE WHEN NEW.dead_reason IS NOT NULL
               THEN jsonb_build_object('reason', NEW.dead_reason, 'detail', NEW.dead_detail) END);
  PERFORM pg_notify('lading_jobs', NEW.id::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER job_inserted AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION job_moved();
CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION job_moved();

CREATE FUNCTION attempt_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_events (subject, subject_id, from_state, to_state, detail)
  VALUES ('attempt', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state END, NEW.state,
          jsonb_strip_nulls(jsonb_build_object('job', NEW.job_id, 'n', NEW.n, 'container', NEW.container_id,
            'outcome', NEW.outcome, 'exit_code', NEW.exit_code, 'lease_holder', NEW.lease_holder)));
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
