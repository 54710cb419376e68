-- Memory and processor time of an attempt's container while it ran: at most 360 points, with those that are older drawn
-- together. Written whole each time, under the writer's lease; nothing is written any more once the attempt is settled.
CREATE TABLE attempt_samples (
  attempt_id      uuid PRIMARY KEY REFERENCES attempts,
  began_at        timestamptz NOT NULL DEFAULT now(),
  -- A point stands for so many seconds from `at_seconds` after `began_at` on, with the largest that was seen in them.
  step_seconds    integer NOT NULL CHECK (step_seconds BETWEEN 1 AND 86400),
  at_seconds      integer[] NOT NULL CHECK (cardinality(at_seconds) BETWEEN 1 AND 360),
  memory_kib      integer[] NOT NULL CHECK (cardinality(memory_kib) = cardinality(at_seconds)),
  -- Thousandths of one processor, since the sample before; null where there was none.
  cpu_milli       integer[] NOT NULL CHECK (cardinality(cpu_milli) = cardinality(at_seconds)),
  memory_peak_kib integer NOT NULL,
  cpu_peak_milli  integer
);
CREATE INDEX attempt_samples_by_age ON attempt_samples (began_at);
GRANT SELECT ON attempt_samples TO lading_orchestrator, lading_api, lading_auditor;
GRANT INSERT (attempt_id, step_seconds, at_seconds, memory_kib, cpu_milli, memory_peak_kib, cpu_peak_milli),
      UPDATE (step_seconds, at_seconds, memory_kib, cpu_milli, memory_peak_kib, cpu_peak_milli)
  ON attempt_samples TO lading_orchestrator;

-- Who is logged in to the console, with which key. The browser has 32 random bytes, here stands their digest. A session
-- opens while its key does, and no longer than this.
CREATE TABLE console_sessions (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
  key_id       uuid NOT NULL REFERENCES api_keys,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  ends_at      timestamptz NOT NULL DEFAULT now() + interval '12 hours',
  ended_at     timestamptz
);
CREATE INDEX console_sessions_by_age ON console_sessions (created_at, id);
CREATE INDEX console_sessions_of_key ON console_sessions (key_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT (digest, key_id), UPDATE (last_used_at, ended_at) ON console_sessions TO lading_api;
GRANT SELECT (id, key_id, created_at, last_used_at, ends_at, ended_at) ON console_sessions TO lading_auditor;

-- Who read what of customers and their money, by key and by session: once an hour for each thing, however often it was
-- looked at. What was read of logs stands in log_reads, piece by piece, as well.
CREATE TABLE reads (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  hour       timestamptz NOT NULL DEFAULT date_trunc('hour', now()),
  key_id     uuid NOT NULL REFERENCES api_keys,
  session_id uuid REFERENCES console_sessions,
  request_id uuid NOT NULL,
  subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300)
);
CREATE UNIQUE INDEX reads_once_an_hour ON reads (key_id, session_id, hour, subject) NULLS NOT DISTINCT;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reads EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT (key_id, session_id, request_id, subject) ON reads TO lading_api;
GRANT SELECT ON reads TO lading_auditor;

-- What the console's lists and its log viewer look up: none of them reads more rows than it shows.
CREATE INDEX jobs_by_state ON jobs (state, created_at, id);
CREATE INDEX jobs_dead ON jobs (updated_at, id) WHERE state = 'dead';
CREATE INDEX log_chunks_by_line ON log_chunks (attempt_id, first_line);
-- How much money waits, as a number.
GRANT EXECUTE ON FUNCTION count_unplaced() TO lading_api;
