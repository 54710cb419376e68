/** The moves of an attempt. Each write after the first carries the writer's lease epoch; a stale one is refused. */
import { maybeOne, type Database } from './pool.ts';

export const ATTEMPT_STATES = ['creating', 'running', 'settled'] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];
export type StopReason = 'deadline' | 'cancelled' | 'hardening_mismatch' | 'handshake_failed';

export type AttemptRow = {
  id: string;
  job_id: string;
  n: number;
  state: AttemptState;
  engine: string;
  profile: string;
  limits: { graceSeconds: number; memoryBytes: number };
  image: string;
  container_id: string | null;
  lease_holder: string;
  lease_epoch: number;
  deadline_at: Date;
  stop_reason: StopReason | null;
  finalized_at: Date | null;
};

export const ATTEMPT_COLUMNS = `id, job_id, n, state, engine, profile, limits, image, container_id, lease_holder, lease_epoch, deadline_at,
  stop_reason, finalized_at`;

/** An attempt that has ended; its seconds are from the acknowledged envelope, null when it never had one. */
export type SettledAttempt = AttemptRow & { run_seconds: number | null };

/** What names an attempt and who writes: the row's id and the epoch under which the writer holds it. */
export type Lease = { attemptId: string; epoch: number };

/** The container exists. Written as soon as its id is known, so that whoever comes after us can find it. */
export const recordContainer = (db: Database, lease: Lease, containerId: string): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET container_id = $3::text
     WHERE id = $1::uuid AND lease_epoch = $2::int AND state = 'creating' RETURNING ${ATTEMPT_COLUMNS}`,
    [lease.attemptId, lease.epoch, containerId],
  );

/** An attempt that runs; the seconds are from the payment that made its job. */
export type RunningAttempt = AttemptRow & { seconds_from_paid: number };

/** The container acknowledged its envelope; its place at the launch gate is free again. */
export const beginRunning = (db: Database, lease: Lease): Promise<RunningAttempt | undefined> =>
  maybeOne<RunningAttempt>(
    db,
    `WITH running AS (
       UPDATE attempts SET state = 'running', running_at = clock_timestamp()
       WHERE id = $1::uuid AND lease_epoch = $2::int AND state = 'creating' AND container_id IS NOT NULL
       RETURNING ${ATTEMPT_COLUMNS}, running_at
     ), gate AS (
       UPDATE engines SET launching = launching - 1, updated_at = now() FROM running WHERE engines.name = running.engine
     )
     SELECT ${ATTEMPT_COLUMNS}, (SELECT extract(epoch FROM running.running_at - j.created_at)::float8 FROM jobs j
                         WHERE j.id = running.job_id) AS seconds_from_paid
     FROM running`,
    [lease.attemptId, lease.epoch],
  );

/** Why we are about to stop the container. The first reason stays. */
export const recordStop = (db: Database, lease: Lease, reason: StopReason): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET stop_reason = coalesce(stop_reason, $3::text)
     WHERE id = $1::uuid AND lease_epoch = $2::int AND state <> 'settled' RETURNING ${ATTEMPT_COLUMNS}`,
    [lease.attemptId, lease.epoch, reason],
  );

export async function recordProgress(db: Database, lease: Lease, progress: unknown): Promise<void> {
  await db.query(
    `UPDATE attempts SET progress = $3::jsonb WHERE id = $1::uuid AND lease_epoch = $2::int AND state = 'running'`,
    [lease.attemptId, lease.epoch, JSON.stringify(progress)],
  );
}

/** The attempt as its API calls see it, locked until the transaction ends. */
export const lockAttempt = (db: Database, id: string): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(db, `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE id = $1::uuid FOR UPDATE`, [id]);

/** Undefined when it does not run, has a manifest already, or was cancelled: then nothing may be delivered any more. */
export const recordFinalized = (db: Database, id: string): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET finalized_at = now()
     WHERE id = $1::uuid AND state = 'running' AND finalized_at IS NULL
       AND stop_reason IS DISTINCT FROM 'cancelled' RETURNING ${ATTEMPT_COLUMNS}`,
    [id],
  );

/** What becomes of the job when its attempt is settled. */
export type Verdict =
  | { job: 'stays' }
  /** `profile` is set when the next attempt runs under another one. */
  | { job: 'retries'; spendsAttempt: boolean; delaySeconds: number; profile?: string }
  | { job: 'dies'; spendsAttempt: boolean; reason: string; detail: string };

/**
 * Writes the outcome, frees the slot and moves the job as `verdict` says, all or nothing. Undefined when the writer
 * does not hold the attempt any more or it is settled. A job that is already delivering is left where it is.
 */
export const settle = (
  db: Database,
  lease: Lease,
  outcome: {
    outcome: string;
    detail: string;
    exitCode: number | null;
    oomKilled: boolean | null;
    endMessage: unknown;
  },
  verdict: Verdict,
): Promise<SettledAttempt | undefined> =>
  maybeOne<SettledAttempt>(
    db,
    `WITH open AS (
       SELECT id AS open_id, state AS was, CASE $3::text WHEN 'cancelled' THEN stop_detail END AS said FROM attempts
       WHERE id = $1::uuid AND lease_epoch = $2::int AND state <> 'settled' FOR UPDATE
     ), settled AS (
       UPDATE attempts SET state = 'settled', settled_at = clock_timestamp(), outcome = $3::text,
         detail = concat_ws('; ', open.said, $4::text), exit_code = $5::int, oom_killed = $6::boolean,
         end_message = $7::jsonb
       FROM open WHERE attempts.id = open.open_id RETURNING ${ATTEMPT_COLUMNS}, open.was, open.said,
         extract(epoch FROM settled_at - running_at)::float8 AS run_seconds
     ), freed AS (
       UPDATE engines SET slots_used = slots_used - 1, updated_at = now(),
         launching = launching - (CASE settled.was WHEN 'creating' THEN 1 ELSE 0 END),
         memory_used = memory_used - (settled.limits ->> 'memoryBytes')::bigint
       FROM settled WHERE engines.name = settled.engine
     ), moved AS (
       UPDATE jobs SET
         state = CASE $8::text WHEN 'retries' THEN 'enrolled' WHEN 'dies' THEN 'dead' ELSE jobs.state END,
         attempts_spent = attempts_spent + (CASE WHEN $9::boolean THEN 1 ELSE 0 END),
         losses = losses + (CASE WHEN $9::boolean THEN 0 ELSE 1 END),
         next_task_at = now() + make_interval(secs => $10::double precision),
         profile = coalesce($13::text, jobs.profile),
         dead_reason = CASE $8::text WHEN 'dies' THEN $11::text END,
         dead_detail = CASE $8::text WHEN 'dies' THEN concat_ws('; ', settled.said, $12::text) END,
         updated_at = now()
       FROM settled WHERE jobs.id = settled.job_id AND jobs.state = 'attempting' AND $8::text <> 'stays'
     )
     SELECT ${ATTEMPT_COLUMNS}, run_seconds FROM settled`,
    [
      lease.attemptId,
      lease.epoch,
      outcome.outcome,
      outcome.detail,
      outcome.exitCode,
      outcome.oomKilled,
      outcome.endMessage === undefined ? null : JSON.stringify(outcome.endMessage),
      verdict.job,
      verdict.job === 'stays' ? false : verdict.spendsAttempt,
      verdict.job === 'retries' ? verdict.delaySeconds : 0,
      verdict.job === 'dies' ? verdict.reason : null,
      verdict.job === 'dies' ? verdict.detail : null,
      (verdict.job === 'retries' && verdict.profile) || null,
    ],
  );

/** Of these containers and attempts, which belong to an attempt that is open, and which to one that is settled. */
export async function ownersOf(
  db: Database,
  containerIds: readonly string[],
  attemptIds: readonly string[],
): Promise<{ open: Set<string>; settled: Set<string> }> {
  const { rows } = await db.query<{ id: string; container_id: string | null; settled: boolean }>(
    `SELECT id, container_id, state = 'settled' AS settled FROM attempts
     WHERE container_id = ANY ($1::text[]) OR id = ANY ($2::uuid[])`,
    [containerIds, attemptIds],
  );
  const idsOf = (settled: boolean): Set<string> =>
    new Set(
      rows
        .filter((row) => row.settled === settled)
        .flatMap((row) => [row.id, ...(row.container_id ? [row.container_id] : [])]),
    );
  return { open: idsOf(false), settled: idsOf(true) };
}

/** The container of an attempt, whatever its state. */
export async function containerOf(db: Database, attemptId: string): Promise<string | undefined> {
  const row = await maybeOne<{ container_id: string | null }>(
    db,
    'SELECT container_id FROM attempts WHERE id = $1::uuid',
    [attemptId],
  );
  return row?.container_id ?? undefined;
}
