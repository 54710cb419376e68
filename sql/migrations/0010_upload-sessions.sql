-- Upload sessions of large files that are on their way, for the next attempt of the same job. A session's address is as
-- good as a key to it: the job seals it with a key that only attempts of its job are given. A row goes with its file, and
-- all of a job's rows when nothing is left to upload.
CREATE TABLE upload_sessions (
  job_id     uuid NOT NULL REFERENCES jobs,
  path       text NOT NULL CHECK (length(path) BETWEEN 1 AND 1024),
  attempt_id uuid NOT NULL REFERENCES attempts,
  -- Null for a stream.
  bytes      bigint CHECK (bytes > 0),
  -- As the job last told; Drive is asked anew before anything is built on it.
  confirmed  bigint NOT NULL DEFAULT 0 CHECK (confirmed >= 0 AND confirmed <= bytes),
  sealed     bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 29 AND 6144),
  kept_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (job_id, path)
);

CREATE FUNCTION upload_session_may_be_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM attempts WHERE id = NEW.attempt_id AND job_id = NEW.job_id AND state = 'running'
                 AND finalized_at IS NULL) THEN
    RAISE EXCEPTION 'attempt % keeps no session of job %', NEW.attempt_id, NEW.job_id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER upload_session_may_be_kept BEFORE INSERT OR UPDATE ON upload_sessions
  FOR EACH ROW EXECUTE FUNCTION upload_session_may_be_kept();

CREATE FUNCTION forget_upload_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM upload_sessions WHERE job_id = NEW.id;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION forget_upload_sessions() FROM PUBLIC;
CREATE TRIGGER forget_upload_sessions AFTER UPDATE OF state ON jobs FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('delivering', 'completed', 'dead'))
  EXECUTE FUNCTION forget_upload_sessions();

GRANT SELECT, INSERT (job_id, path, attempt_id, bytes, sealed), DELETE,
      UPDATE (attempt_id, bytes, confirmed, sealed, kept_at) ON upload_sessions TO lading_api;
GRANT SELECT (job_id, path, attempt_id, bytes, confirmed, kept_at) ON upload_sessions TO lading_auditor;
