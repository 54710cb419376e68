/** Fresh Drive tokens for attempts that outlive theirs: asked for by the api, given, sealed, by the orchestrator. */
import { maybeOne, type Database } from './pool.ts';

/**
 * Asks for the attempt's n-th token, or finds what was given: `sealed` is null until then. Undefined where the one before
 * it was not given yet. Asking again changes nothing. `keyId` is the master key the job's own key comes from.
 */
export async function askForDriveToken(
  db: Database,
  attemptId: string,
  n: number,
  keyId?: string,
): Promise<{ sealed: Buffer | null } | undefined> {
  await db.query(
    `INSERT INTO drive_tokens (attempt_id, n, key_id)
     SELECT $1::uuid, $2::int, $3::text
     WHERE $2::int = 1 OR EXISTS (SELECT FROM drive_tokens
                                  WHERE attempt_id = $1::uuid AND n = $2::int - 1 AND sealed_at IS NOT NULL)
     ON CONFLICT (attempt_id, n) DO NOTHING`,
    [attemptId, n, keyId ?? null],
  );
  return await maybeOne<{ sealed: Buffer | null }>(
    db,
    'SELECT sealed FROM drive_tokens WHERE attempt_id = $1::uuid AND n = $2::int',
    [attemptId, n],
  );
}

/** False where it was given already, or the attempt has ended. */
export async function giveDriveToken(db: Database, attemptId: string, n: number, sealed: Buffer): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE drive_tokens SET sealed = $3::bytea, sealed_at = now()
     WHERE attempt_id = $1::uuid AND n = $2::int AND sealed_at IS NULL`,
    [attemptId, n, sealed],
  );
  return rowCount === 1;
}

/** The master key that whoever asked has his key from; undefined where he asked before that was written down. */
export async function wantedTokenKey(db: Database, attemptId: string, n: number): Promise<string | undefined> {
  const row = await maybeOne<{ key_id: string | null }>(
    db,
    'SELECT key_id FROM drive_tokens WHERE attempt_id = $1::uuid AND n = $2::int',
    [attemptId, n],
  );
  return row?.key_id ?? undefined;
}
