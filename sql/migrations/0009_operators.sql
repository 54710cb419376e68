-- Counters of rate-limiter-flexible, whose columns these are. Unlogged: after a crash of the server everybody starts anew.
CREATE UNLOGGED TABLE rate_limits (
  key    varchar(255) PRIMARY KEY,
  points integer NOT NULL DEFAULT 0,
  -- Milliseconds since 1970.
  expire bigint
);
CREATE INDEX rate_limits_by_expiry ON rate_limits (expire);
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO lading_api;

-- Keys of the operators' API. The key itself is shown once, when it is made; here stands its digest. Made and ended by
-- the owner; the API looks them up and notes their use.
CREATE TABLE api_keys (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  prefix       text NOT NULL UNIQUE CHECK (prefix ~ '^[a-z2-7]{8}$'),
  digest       bytea NOT NULL CHECK (length(digest) = 32),
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  role         text NOT NULL CHECK (role IN ('operator', 'auditor', 'shop')),
  created_by   text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  -- The key this one takes the place of; both open until the old one expires.
  replaces     uuid REFERENCES api_keys,
  CHECK (expires_at >= created_at)
);

-- What was changed: who, what, when, before and after. With a key over the API, or by a person at the owner's terminal.
CREATE TABLE changes (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  key_id     uuid REFERENCES api_keys,
  request_id uuid,
  person     text CHECK (length(person) BETWEEN 1 AND 200),
  action     text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
  subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
  before     jsonb,
  after      jsonb,
  CHECK (num_nonnulls(key_id, person) = 1),
  CHECK ((key_id IS NULL) = (request_id IS NULL))
);
CREATE INDEX changes_of_subject ON changes (subject, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON changes EXECUTE FUNCTION refuse_change();

GRANT SELECT ON api_keys, changes, audit_events, engines TO lading_api;
GRANT SELECT ON changes TO lading_auditor;
GRANT SELECT (id, prefix, name, role, created_by, created_at, expires_at, last_used_at, replaces) ON api_keys
  TO lading_auditor;
GRANT UPDATE (last_used_at) ON api_keys TO lading_api;
CREATE INDEX jobs_by_age ON jobs (created_at, id);
