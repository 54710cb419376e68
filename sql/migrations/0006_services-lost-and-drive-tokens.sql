-- What a running job lost of ours: egress or the API stayed away. Exactly the names of sql/outcomes.ts.
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_outcome_check CHECK (outcome IN (
  'succeeded', 'app_temporary', 'bad_input', 'protected_content', 'not_entitled', 'bug',
  'no_manifest', 'unknown_exit', 'oom', 'deadline', 'cancelled', 'handshake_failed',
  'hardening_mismatch', 'killed_outside', 'start_failed', 'image_missing', 'engine_lost',
  'orchestrator_lost', 'services_lost', 'manifest_false'));

-- Drive tokens that running attempts ask for, through the api. The orchestrator that holds the attempt mints and seals
-- them with the attempt's key for the job alone; a settled attempt's are removed. The n-th is asked for after the one
-- before it was given.
CREATE TABLE drive_tokens (
  attempt_id uuid NOT NULL REFERENCES attempts,
  n          integer NOT NULL CHECK (n BETWEEN 1 AND 48),
  asked_at   timestamptz NOT NULL DEFAULT now(),
  sealed     bytea CHECK (octet_length(sealed) BETWEEN 29 AND 8192),
  sealed_at  timestamptz,
  PRIMARY KEY (attempt_id, n),
  CHECK ((sealed IS NULL) = (sealed_at IS NULL))
);

CREATE FUNCTION drive_token_may_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.sealed IS NOT NULL OR (NEW.attempt_id, NEW.n, NEW.asked_at) IS DISTINCT FROM (OLD.attempt_id, OLD.n, OLD.asked_at) THEN
    RAISE EXCEPTION 'token % of attempt % was given', OLD.n, OLD.attempt_id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER drive_token_may_change BEFORE UPDATE ON drive_tokens FOR EACH ROW EXECUTE FUNCTION drive_token_may_change();

CREATE FUNCTION forget_drive_tokens() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM drive_tokens WHERE attempt_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER forget_drive_tokens AFTER UPDATE OF state ON attempts FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state = 'settled') EXECUTE FUNCTION forget_drive_tokens();

GRANT SELECT, INSERT (attempt_id, n) ON drive_tokens TO lading_api;
GRANT SELECT (attempt_id, n, sealed_at), UPDATE (sealed, sealed_at) ON drive_tokens TO lading_orchestrator;
GRANT SELECT (attempt_id, n, asked_at, sealed_at) ON drive_tokens TO lading_auditor;
