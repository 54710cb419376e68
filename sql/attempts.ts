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
  limits: { graceSeconds: number };
  image: string;
  container_id: string | null;
  lease_holder: string;
  lease_epoch: number;
  deadline_at: Date;
  stop_reason: StopReason | null;
  finalized_at: Date | null;
};

const COLUMNS = `id, job_id, n, state, engine, profile, limits, image, container_id, lease_holder, lease_epoch, deadline_at,
  stop_reason, finalized_at`;

/** What names an attempt and who writes: the row's id and the epoch under which the writer holds it. */
export type Lease = { attemptId: string; epoch: number };

/**
 * Takes a free slot of the engine, moves the job and writes the attempt's row, all or nothing. Undefined when the job
 * is not waiting any more, not due, or the engine has no free slot.
 */
export const beginAttempt = (
  db: Database,
  jobId: string,
  attempt: {
    engine: string;
    holder: string;
    leaseSeconds: number;
    profile: string;
    limits: unknown;
    image: string;
    deadlineSeconds: number;
  },
): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `WITH job AS (
       SELECT id FROM jobs WHERE id = $1::uuid AND state = 'enrolled' AND next_task_at <= now() FOR UPDATE
     ), slot AS (
       UPDATE engines SET slots_used = slots_used + 1, updated_at = now()
       WHERE name = $2::text AND slots_used < slots AND EXISTS (SELECT FROM job) RETURNING name
     ), moved AS (
       UPDATE jobs SET state = 'attempting', attempts_started = attempts_started + 1, updated_at = now()
       FROM job, slot WHERE jobs.id = job.id RETURNING jobs.id, jobs.attempts_started
     )
     INSERT INTO attempts (job_id, n, engine, lease_holder, lease_expires_at, profile, limits, image, deadline_at)
     SELECT moved.id, moved.attempts_started, $2::text, $3::text, now() + make_interval(secs => $4::int), $5::text,
            $6::jsonb, $7::text, now() + make_interval(secs => $8::int)
     FROM moved RETURNING ${COLUMNS}`,
    [
      jobId,
      attempt.engine,
      attempt.holder,
      attempt.leaseSeconds,
      attempt.profile,
      JSON.stringify(attempt.limits),
      attempt.image,
      attempt.deadlineSeconds,
    ],
  );

/** The container exists. Written as soon as its id is known, so that whoever comes after us can find it. */
export const recordContainer = (db: Database, lease: Lease, containerId: string): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET container_id = $3::text
     WHERE id = $1::uuid AND lease_epoch = $2::int AND state = 'creating' RETURNING ${COLUMNS}`,
    [lease.attemptId, lease.epoch, containerId],
  );

/** The container acknowledged its envelope. */
export const beginRunning = (db: Database, lease: Lease): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET state = 'running', running_at = clock_timestamp()
     WHERE id = $1::uuid AND lease_epoch = $2::int AND state = 'creating' AND container_id IS NOT NULL
     RETURNING ${COLUMNS}`,
    [lease.attemptId, lease.epoch],
  );

/** Why we are about to stop the container. The first reason stays. */
export const recordStop = (db: Database, lease: Lease, reason: StopReason): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET stop_reason = coalesce(stop_reason, $3::text)
     WHERE id = $1::uuid AND lease_epoch = $2::int AND state <> 'settled' RETURNING ${COLUMNS}`,
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
  maybeOne<AttemptRow>(db, `SELECT ${COLUMNS} FROM attempts WHERE id = $1::uuid FOR UPDATE`, [id]);

export const recordFinalized = (db: Database, id: string): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `UPDATE attempts SET finalized_at = now()
     WHERE id = $1::uuid AND state = 'running' AND finalized_at IS NULL RETURNING ${COLUMNS}`,
    [id],
  );

/** What becomes of the job when its attempt is settled. */
export type Verdict =
  | { job: 'stays' }
  | { job: 'retries'; spendsAttempt: boolean; delaySeconds: number }
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
): Promise<AttemptRow | undefined> =>
  maybeOne<AttemptRow>(
    db,
    `WITH settled AS (
       UPDATE attempts SET state = 'settled', settled_at = clock_timestamp(), outcome = $3::text, detail = $4::text,
         exit_code = $5::int, oom_killed = $6::boolean, end_message = $7::jsonb
       WHERE id = $1::uuid AND lease_epoch = $2::int AND state <> 'settled' RETURNING ${COLUMNS}
     ), freed AS (
       UPDATE engines SET slots_used = slots_used - 1, updated_at = now()
       FROM settled WHERE engines.name = settled.engine
     ), moved AS (
       UPDATE jobs SET
         state = CASE $8::text WHEN 'retries' THEN 'enrolled' WHEN 'dies' THEN 'dead' ELSE jobs.state END,
         attempts_spent = attempts_spent + (CASE WHEN $9::boolean THEN 1 ELSE 0 END),
         losses = losses + (CASE WHEN $9::boolean THEN 0 ELSE 1 END),
         next_task_at = now() + make_interval(secs => $10::double precision),
         dead_reason = CASE $8::text WHEN 'dies' THEN $11::text END,
         dead_detail = CASE $8::text WHEN 'dies' THEN $12::text END,
         updated_at = now()
       FROM settled WHERE jobs.id = settled.job_id AND jobs.state = 'attempting' AND $8::text <> 'stays'
     )
     SELECT ${COLUMNS} FROM settled`,
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
    ],
  );

/** Prolongs every lease of `holder` and answers what it still holds, and which deadlines have passed. */
export async function renewLeases(
  db: Database,
  holder: string,
  leaseSeconds: number,
): Promise<(AttemptRow & { overdue: boolean })[]> {
  const { rows } = await db.query<AttemptRow & { overdue: boolean }>(
    `UPDATE attempts SET lease_expires_at = now() + make_interval(secs => $2::int)
     WHERE lease_holder = $1::text AND state <> 'settled' RETURNING ${COLUMNS}, deadline_at <= now() AS overdue`,
    [holder, leaseSeconds],
  );
  return rows;
}

/** Takes over attempts of this engine whose holder has gone quiet, by the database's clock. Raises their epoch. */
export async function adoptExpired(
  db: Database,
  engine: string,
  holder: string,
  leaseSeconds: number,
): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `UPDATE attempts SET lease_holder = $2::text, lease_epoch = lease_epoch + 1,
       lease_expires_at = now() + make_interval(secs => $3::int)
     WHERE id IN (SELECT id FROM attempts WHERE engine = $1::text AND state <> 'settled' AND lease_expires_at < now()
                  FOR UPDATE SKIP LOCKED)
     RETURNING ${COLUMNS}`,
    [engine, holder, leaseSeconds],
  );
  return rows;
}

/** Lets go of everything `holder` has, so that another adopts it at once. For an orderly stop. */
export async function releaseLeases(db: Database, holder: string): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE attempts SET lease_expires_at = now() - interval '1 millisecond'
     WHERE lease_holder = $1::text AND state <> 'settled'`,
    [holder],
  );
  return rowCount ?? 0;
}

/** Which of these containers belong to an attempt that is not settled. */
export async function openContainers(db: Database, attemptIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM attempts WHERE id = ANY ($1::uuid[]) AND state <> 'settled'`,
    [attemptIds],
  );
  return new Set(rows.map((row) => row.id));
}
