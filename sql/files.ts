import type { Database } from './pool.ts';

export type FileRow = { path: string; bytes: number; sha256: string; drive_id: string };

/** Stores an accepted manifest in one statement, whatever its length. */
export async function insertFiles(
  db: Database,
  jobId: string,
  attemptId: string,
  files: readonly { path: string; bytes: number; sha256: string; driveId: string }[],
): Promise<void> {
  await db.query(
    `INSERT INTO files (job_id, attempt_id, path, bytes, sha256, drive_id)
     SELECT $1::uuid, $2::uuid, f.path, f.bytes, f.sha256, f."driveId"
     FROM jsonb_to_recordset($3::jsonb) AS f(path text, bytes bigint, sha256 text, "driveId" text)`,
    [jobId, attemptId, JSON.stringify(files)],
  );
}

/** The manifest that was accepted last, of the job's own upload or of the one it delivers. */
export async function listFiles(db: Database, jobId: string): Promise<FileRow[]> {
  const { rows } = await db.query<FileRow>(
    `SELECT path, bytes, sha256, drive_id FROM files
     WHERE attempt_id = (SELECT id FROM attempts
                         WHERE job_id = (SELECT coalesce(delivers_job, id) FROM jobs WHERE id = $1::uuid)
                           AND finalized_at IS NOT NULL ORDER BY n DESC LIMIT 1)
     ORDER BY path`,
    [jobId],
  );
  return rows;
}
