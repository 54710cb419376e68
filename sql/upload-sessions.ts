/** Upload sessions that a later attempt of a job may go on with; sealed for the job, and read by nobody else. */
import type { Database } from './pool.ts';

export type SealedSession = { readonly path: string; readonly bytes?: number | undefined; readonly sealed: Buffer };

/** Sessions that `attempt` opened take the place of earlier ones of the same files; above `max` the oldest go. */
export async function keepSessions(
  db: Database,
  attempt: { readonly id: string; readonly jobId: string },
  sessions: readonly SealedSession[],
  max: number,
): Promise<void> {
  if (sessions.length === 0) return;
  await db.query(
    `INSERT INTO upload_sessions (job_id, path, attempt_id, bytes, sealed)
     SELECT $1::uuid, s.path, $2::uuid, s.bytes, s.sealed
     FROM unnest($3::text[], $4::bigint[], $5::bytea[]) AS s (path, bytes, sealed)
     ON CONFLICT (job_id, path) DO UPDATE SET attempt_id = excluded.attempt_id, bytes = excluded.bytes, confirmed = 0,
       sealed = excluded.sealed, kept_at = clock_timestamp()`,
    [
      attempt.jobId,
      attempt.id,
      sessions.map(({ path }) => path),
      sessions.map(({ bytes }) => bytes ?? null),
      sessions.map(({ sealed }) => sealed),
    ],
  );
  await db.query(
    `DELETE FROM upload_sessions WHERE job_id = $1::uuid AND path IN
       (SELECT path FROM upload_sessions WHERE job_id = $1::uuid ORDER BY kept_at DESC, path OFFSET $2::int)`,
    [attempt.jobId, max],
  );
}

/** How far Drive has the files; for those who watch. A file that is not kept is passed over. */
export async function confirmSessions(
  db: Database,
  attempt: { readonly id: string; readonly jobId: string },
  confirmed: readonly { readonly path: string; readonly bytes: number }[],
): Promise<void> {
  if (confirmed.length === 0) return;
  await db.query(
    `UPDATE upload_sessions u SET confirmed = least(c.bytes, u.bytes), attempt_id = $2::uuid
     FROM unnest($3::text[], $4::bigint[]) AS c (path, bytes) WHERE u.job_id = $1::uuid AND u.path = c.path`,
    [attempt.jobId, attempt.id, confirmed.map(({ path }) => path), confirmed.map(({ bytes }) => bytes)],
  );
}

export async function forgetSessions(db: Database, jobId: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  await db.query('DELETE FROM upload_sessions WHERE job_id = $1::uuid AND path = ANY ($2::text[])', [jobId, paths]);
}

export async function sessionsOfJob(db: Database, jobId: string): Promise<{ path: string; sealed: Buffer }[]> {
  const { rows } = await db.query<{ path: string; sealed: Buffer }>(
    'SELECT path, sealed FROM upload_sessions WHERE job_id = $1::uuid ORDER BY path',
    [jobId],
  );
  return rows;
}
