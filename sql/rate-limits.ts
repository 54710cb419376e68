import type { Database } from './pool.ts';

const FORGOTTEN_AT_ONCE_MAX = 5_000;

/** Removes counters that ended before `nowMs`, a bounded number of them. */
export async function forgetExpiredLimits(db: Database, nowMs: number): Promise<void> {
  await db.query(
    `DELETE FROM rate_limits WHERE key IN
       (SELECT key FROM rate_limits WHERE expire < $1::bigint LIMIT ${FORGOTTEN_AT_ONCE_MAX} FOR UPDATE SKIP LOCKED)`,
    [nowMs],
  );
}
