-- The state machine of a job, and which service makes each move; the owner may make all of them. The statements in
-- sql/jobs.ts are its named moves; this table is the check behind them.
CREATE TABLE job_moves_allowed (
  from_state text NOT NULL,
  to_state   text NOT NULL,
  by_role    text NOT NULL,
  PRIMARY KEY (from_state, to_state)
);
INSERT INTO job_moves_allowed VALUES
  ('paid', 'enrolling', 'lading_orchestrator'), ('enrolling', 'enrolled', 'lading_orchestrator'),
  ('enrolled', 'attempting', 'lading_orchestrator'), ('attempting', 'enrolled', 'lading_orchestrator'),
  ('attempting', 'delivering', 'lading_api'), ('delivering', 'completed', 'lading_orchestrator'),
  -- What the manifest said is not in Drive.
  ('delivering', 'enrolled', 'lading_orchestrator'),
  ('paid', 'dead', 'lading_orchestrator'), ('enrolling', 'dead', 'lading_orchestrator'),
  ('enrolled', 'dead', 'lading_orchestrator'), ('attempting', 'dead', 'lading_orchestrator'),
  ('delivering', 'dead', 'lading_orchestrator'),
  -- Only with a redrive counted.
  ('dead', 'paid', 'lading_owner');

CREATE TABLE jobs (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  order_id        uuid NOT NULL UNIQUE REFERENCES orders,
  course_id       text NOT NULL REFERENCES courses,
  state           text NOT NULL DEFAULT 'paid'
                  CHECK (state IN ('paid', 'enrolling', 'enrolled', 'attempting', 'delivering', 'completed', 'dead')),
  -- Whose job it is, for fairness: the order's address in lower case.
  customer        text NOT NULL,
  -- Place in the queue: start-time fair queueing. A customer's next job stands one behind his last, and nobody's
  -- stands before the clock of what was started, so that thousand orders of one do not hold up the one of another.
  fair_tag        bigint NOT NULL,
  -- Set when an attempt ran out of memory: the bigger profile, once.
  profile         text,
  -- Attempts that were started, attempts that count against the customer's three, and losses of ours that do not.
  attempts_started smallint NOT NULL DEFAULT 0,
  attempts_spent  smallint NOT NULL DEFAULT 0,
  losses          smallint NOT NULL DEFAULT 0,
  -- The task of the current state is due from here on. A running task moves it ahead, as a lease on the step.
  next_task_at    timestamptz NOT NULL DEFAULT now(),
  task_failures   smallint NOT NULL DEFAULT 0,
  -- Raised each time a task takes the step of the current state; what an earlier taker writes late is refused by it.
  step_epoch      integer NOT NULL DEFAULT 0,
  folder_id       text,
  dead_reason     text,
  dead_detail     text,
  -- How often an operator sent it on its way again out of the dead letter, and why he did the last time.
  redrives        smallint NOT NULL DEFAULT 0,
  redrive_reason  text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CHECK ((state = 'dead') = (dead_reason IS NOT NULL)),
  CHECK (state NOT IN ('delivering', 'completed') OR folder_id IS NOT NULL)
);
CREATE INDEX jobs_open ON jobs (next_task_at) WHERE state NOT IN ('completed', 'dead');
CREATE INDEX jobs_waiting ON jobs (fair_tag, created_at) WHERE state = 'enrolled';
CREATE INDEX jobs_ahead_of_customer ON jobs (customer, fair_tag) WHERE state IN ('paid', 'enrolling', 'enrolled');

-- The fair tag of the job that was started last; one row.
CREATE TABLE dispatch_clock (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  fair_tag bigint NOT NULL
);
INSERT INTO dispatch_clock (fair_tag) VALUES (0);

-- What an engine has room for, guarded here for all its orchestrators together. The used figures are raised by
-- begin_attempt and lowered by begin_running and settle, each in the statement that writes the attempt.
CREATE TABLE engines (
  name             text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  slots            smallint NOT NULL CHECK (slots BETWEEN 0 AND 1000),
  slots_used       smallint NOT NULL DEFAULT 0 CHECK (slots_used >= 0),
  -- Attempts between row and acknowledged envelope; a daemon starts only a few containers at once.
  launches_max     smallint NOT NULL CHECK (launches_max BETWEEN 1 AND 1000),
  launching        smallint NOT NULL DEFAULT 0 CHECK (launching >= 0),
  memory_bytes     bigint NOT NULL CHECK (memory_bytes > 0),
  memory_used      bigint NOT NULL DEFAULT 0 CHECK (memory_used >= 0),
  -- What its orchestrators may run here: a profile's name to the bytes of memory that an attempt of it is given.
  profiles         jsonb NOT NULL DEFAULT '{}',
  -- Null until somebody measured.
  disk_free_bytes  bigint,
  disk_floor_bytes bigint NOT NULL DEFAULT 0,
  -- The daemon does not answer: nothing new is started until it does.
  quarantined_at   timestamptz,
  quarantine_reason text,
  updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE attempts (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id           uuid NOT NULL REFERENCES jobs,
  n                smallint NOT NULL CHECK (n >= 1),
  state            text NOT NULL DEFAULT 'creating' CHECK (state IN ('creating', 'running', 'settled')),
  engine           text NOT NULL REFERENCES engines,
  profile          text NOT NULL,
  limits           jsonb NOT NULL,
  image            text NOT NULL,
  container_id     text,
  -- Who follows the container now. A late writer is refused by the epoch.
  lease_holder     text NOT NULL,
  lease_epoch      integer NOT NULL DEFAULT 1,
  lease_expires_at timestamptz NOT NULL,
  deadline_at      timestamptz NOT NULL,
  -- Written before the signal is sent.
  stop_reason      text CHECK (stop_reason IN ('deadline', 'cancelled', 'hardening_mismatch', 'handshake_failed')),
  -- What the person said who asked for the stop.
  stop_detail      text,
  created_at       timestamptz NOT NULL DEFAULT now(),
  running_at       timestamptz,
  finalized_at     timestamptz,
  settled_at       timestamptz,
  exit_code        integer,
  oom_killed       boolean,
  -- Exactly the names of sql/outcomes.ts.
  outcome          text CHECK (outcome IN (
                     'succeeded', 'app_temporary', 'bad_input', 'protected_content', 'not_entitled', 'bug',
                     'no_manifest', 'unknown_exit', 'oom', 'deadline', 'cancelled', 'handshake_failed',
                     'hardening_mismatch', 'killed_outside', 'start_failed', 'image_missing', 'engine_lost',
                     'orchestrator_lost', 'manifest_false')),
  detail           text,
  end_message      jsonb,
  progress         jsonb,
  UNIQUE (job_id, n),
  CHECK ((state = 'settled') = (outcome IS NOT NULL)),
  CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
  CHECK (state <> 'running' OR container_id IS NOT NULL)
);
-- A job never runs twice at once, whatever the code above it believes.
CREATE UNIQUE INDEX attempts_one_open ON attempts (job_id) WHERE state <> 'settled';
CREATE INDEX attempts_of_container ON attempts (container_id);
CREATE INDEX attempts_open ON attempts (engine) WHERE state <> 'settled';

-- The manifest of each attempt that had one accepted; what a job delivers is that of the last.
CREATE TABLE files (
  job_id     uuid NOT NULL REFERENCES jobs,
  path       text NOT NULL,
  bytes      bigint NOT NULL CHECK (bytes >= 0),
  sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  drive_id   text NOT NULL,
  attempt_id uuid NOT NULL REFERENCES attempts,
  PRIMARY KEY (attempt_id, path)
);

CREATE TABLE deliveries (
  job_id          uuid PRIMARY KEY REFERENCES jobs,
  granted_to      text NOT NULL,
  permission_id   text,
  granted_at      timestamptz,
  mail_to         text,
  mail_subject    text,
  mail_message_id text,
  mailed_at       timestamptz
);

-- Signed calls already taken. The same id with another body is refused; with the same body it changes nothing.
CREATE TABLE signed_calls_seen (
  webhook_id  text PRIMARY KEY CHECK (length(webhook_id) BETWEEN 1 AND 128),
  attempt_id  uuid NOT NULL REFERENCES attempts,
  body_digest bytea NOT NULL,
  seen_at     timestamptz NOT NULL DEFAULT now()
);
