/** Which logs there are, and who read them. Neither shows what stands in a log. */
import type { Database } from './pool.ts';

export type LoggedAttempt = {
  id: string;
  job_id: string;
  order_code: string;
  n: number;
  settled: boolean;
  /** It got its envelope: from then on its log is kept. */
  ran: boolean;
};

/** The next attempts whose logs may be proved, by id, from the one after `after` on; of all jobs, or of one. */
export async function loggedAttempts(
  db: Database,
  jobId: string | undefined,
  after: string | undefined,
  limit: number,
): Promise<LoggedAttempt[]> {
  const { rows } = await db.query<LoggedAttempt>(
    `SELECT a.id, a.job_id, o.code AS order_code, a.n, a.state = 'settled' AS settled, a.running_at IS NOT NULL AS ran
     FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN orders o ON o.id = j.order_id
     WHERE ($1::uuid IS NULL OR a.job_id = $1::uuid) AND ($2::uuid IS NULL OR a.id > $2::uuid)
     ORDER BY a.id LIMIT $3::int`,
    [jobId ?? null, after ?? null, limit],
  );
  return rows;
}

export type LogReadReport = {
  n: number;
  reader: string;
  person: string;
  address: string | null;
  via: string;
  reason: string | null;
  from_seq: number;
  to_seq: number;
  reads: number;
  first_at: Date;
  last_at: Date;
};

/** Who read the logs of a job, the latest first; reads that differ in nothing but their part and time are one row. */
export async function logReadsOfJob(db: Database, jobId: string, limit: number): Promise<LogReadReport[]> {
  const { rows } = await db.query<LogReadReport>(
    `SELECT a.n, r.reader, r.person, host(r.address) AS address, r.via, r.reason, min(r.from_seq) AS from_seq,
            max(r.to_seq) AS to_seq, count(*) AS reads, min(r.at) AS first_at, max(r.at) AS last_at
     FROM log_reads r JOIN attempts a ON a.id = r.attempt_id
     WHERE a.job_id = $1::uuid
     GROUP BY a.n, r.reader, r.person, r.address, r.via, r.reason
     ORDER BY max(r.at) DESC, a.n LIMIT $2::int`,
    [jobId, limit],
  );
  return rows;
}
