/** Memory and processor time of attempts: one row an attempt. */
import { maybeOne, type Database } from './pool.ts';

export type StoredSamples = {
  step_seconds: number;
  at_seconds: number[];
  memory_kib: number[];
  cpu_milli: (number | null)[];
  /** Since the first of them, by the database's clock. */
  age_seconds: number;
};

export const findSamples = (
  db: Database,
  attemptId: string,
): Promise<(StoredSamples & { began_at: Date }) | undefined> =>
  maybeOne(
    db,
    `SELECT began_at, step_seconds, at_seconds, memory_kib, cpu_milli,
            extract(epoch FROM now() - began_at)::float8 AS age_seconds
     FROM attempt_samples WHERE attempt_id = $1::uuid`,
    [attemptId],
  );

export type SampledAttempt = Omit<StoredSamples, 'age_seconds'> & {
  attempt_id: string;
  epoch: number;
  memory_peak_kib: number;
  cpu_peak_milli: number | null;
};

/**
 * Of those attempts whose lease the writer still holds, and that are not settled. An attempt that somebody else has locked
 * just now is left out: its points come again with the next ones, and waiting for several could be a deadlock.
 */
export async function storeSamples(db: Database, samples: readonly SampledAttempt[]): Promise<void> {
  await db.query(
    `INSERT INTO attempt_samples (attempt_id, step_seconds, at_seconds, memory_kib, cpu_milli, memory_peak_kib,
                                  cpu_peak_milli)
     SELECT a.id, s.step_seconds, s.at_seconds, s.memory_kib, s.cpu_milli, s.memory_peak_kib, s.cpu_peak_milli
     FROM jsonb_to_recordset($1::jsonb) AS s (attempt_id uuid, epoch integer, step_seconds integer,
            at_seconds integer[], memory_kib integer[], cpu_milli integer[], memory_peak_kib integer,
            cpu_peak_milli integer)
     JOIN attempts a ON a.id = s.attempt_id AND a.lease_epoch = s.epoch AND a.state <> 'settled'
     FOR SHARE OF a SKIP LOCKED
     ON CONFLICT (attempt_id) DO UPDATE SET step_seconds = excluded.step_seconds, at_seconds = excluded.at_seconds,
       memory_kib = excluded.memory_kib, cpu_milli = excluded.cpu_milli, memory_peak_kib = excluded.memory_peak_kib,
       cpu_peak_milli = excluded.cpu_peak_milli`,
    [JSON.stringify(samples)],
  );
}

/** What finished attempts of a profile used, as far as they were sampled. */
export type ProfileUsage = {
  profile: string;
  /** Those that the figures are of; of them, how many ran out of memory. */
  attempts: number;
  out_of_memory: number;
  /** What the latest of them ran under. */
  memory_limit_bytes: number | null;
  cpu_limit_milli: number | null;
  memory_p95_kib: number;
  memory_max_kib: number;
  cpu_p95_milli: number | null;
  cpu_max_milli: number | null;
};

/** No more of the latest are looked at. */
const ATTEMPTS_LOOKED_AT_MAX = 10_000;

/** By profile, over what ended within `days`. An attempt counts with its peaks. */
export async function usageOfProfiles(db: Database, days: number): Promise<ProfileUsage[]> {
  const { rows } = await db.query<ProfileUsage>(
    `WITH sampled AS (
       SELECT a.profile, a.outcome, a.limits, s.began_at, s.memory_peak_kib, s.cpu_peak_milli
       FROM attempt_samples s JOIN attempts a ON a.id = s.attempt_id
       WHERE s.began_at >= now() - make_interval(days => $1::int) AND a.state = 'settled'
       ORDER BY s.began_at DESC LIMIT ${ATTEMPTS_LOOKED_AT_MAX}
     ), latest AS (
       SELECT DISTINCT ON (profile) profile, limits FROM sampled ORDER BY profile, began_at DESC
     )
     SELECT s.profile, count(*)::int AS attempts, (count(*) FILTER (WHERE s.outcome = 'oom'))::int AS out_of_memory,
            (l.limits ->> 'memoryBytes')::bigint AS memory_limit_bytes,
            ((l.limits ->> 'nanoCpus')::bigint / 1000000)::int AS cpu_limit_milli,
            percentile_disc(0.95) WITHIN GROUP (ORDER BY s.memory_peak_kib) AS memory_p95_kib,
            max(s.memory_peak_kib) AS memory_max_kib,
            percentile_disc(0.95) WITHIN GROUP (ORDER BY s.cpu_peak_milli) AS cpu_p95_milli,
            max(s.cpu_peak_milli) AS cpu_max_milli
     FROM sampled s JOIN latest l USING (profile) GROUP BY s.profile, l.limits ORDER BY s.profile`,
    [days],
  );
  return rows;
}
