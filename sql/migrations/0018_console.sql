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
