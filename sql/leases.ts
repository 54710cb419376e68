/** Who looks after an attempt, for how long, and who goes on with it afterwards; all by the database's clock. */
import { ATTEMPT_COLUMNS, type AttemptRow } from './attempts.ts';
import type { Database } from './pool.ts';

/** `token_wanted` is the number of the Drive token that its job waits for. */
export type HeldAttempt = AttemptRow & { overdue: boolean; token_wanted: number | null };

/** Prolongs every lease of `holder` and answers what it still holds, and which deadlines have passed. */
export async function renewLeases(db: Database, holder: string, leaseSeconds: number): Promise<HeldAttempt[]> {
  const { rows } = await db.query<HeldAttempt>(
    `UPDATE attempts SET lease_expires_at = now() + make_interval(secs => $2::int)
     WHERE lease_holder = $1::text AND state <> 'settled' RETURNING ${ATTEMPT_COLUMNS}, deadline_at <= now() AS overdue,
       (SELECT min(t.n) FROM drive_tokens t WHERE t.attempt_id = attempts.id AND t.sealed_at IS NULL) AS token_wanted`,
    [holder, leaseSeconds],
  );
  return rows;
}

/**
 * Takes over attempts of this engine whose holder has gone quiet, by the database's clock. Raises their epoch. Answers
 * with each how long it had been nobody's.
 */
export async function adoptExpired(
  db: Database,
  engine: string,
  holder: string,
  leaseSeconds: number,
): Promise<(AttemptRow & { orphaned_seconds: number })[]> {
  const { rows } = await db.query<AttemptRow & { orphaned_seconds: number }>(
    `WITH expired AS (
       SELECT id AS expired_id, extract(epoch FROM now() - lease_expires_at)::float8 AS orphaned_seconds FROM attempts
       WHERE engine = $1::text AND state <> 'settled' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED
     )
     UPDATE attempts SET lease_holder = $2::text, lease_epoch = lease_epoch + 1,
       lease_expires_at = now() + make_interval(secs => $3::int)
     FROM expired WHERE id = expired.expired_id RETURNING ${ATTEMPT_COLUMNS}, orphaned_seconds`,
    [engine, holder, leaseSeconds],
  );
  return rows;
}

/**
 * Takes attempts of other engines that have been nobody's for `goneSeconds`: no orchestrator of theirs is there, or none
 * that reaches its engine. Raises their epoch, so that whoever comes back is refused.
 */
export async function takeFromGone(
  db: Database,
  engine: string,
  holder: string,
  leaseSeconds: number,
  goneSeconds: number,
): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `WITH gone AS (
       SELECT id AS gone_id FROM attempts
       WHERE engine <> $1::text AND state <> 'settled' AND lease_expires_at < now() - make_interval(secs => $4::int)
       FOR UPDATE SKIP LOCKED
     )
     UPDATE attempts SET lease_holder = $2::text, lease_epoch = lease_epoch + 1,
       lease_expires_at = now() + make_interval(secs => $3::int)
     FROM gone WHERE id = gone.gone_id RETURNING ${ATTEMPT_COLUMNS}`,
    [engine, holder, leaseSeconds, goneSeconds],
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
