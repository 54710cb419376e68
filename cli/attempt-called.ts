/** From what people type to the job and the attempt they mean. Nothing that is not there is passed over in silence. */
import type { Database } from '../sql/pool.ts';
import { attemptsOfJob, findJobReport, type AttemptReport, type JobReport } from '../sql/reports.ts';

export async function jobCalled(db: Database, idOrCode: string): Promise<JobReport> {
  const job = await findJobReport(db, idOrCode);
  if (job === undefined) throw new Error(`no job or order is called ${idOrCode}`);
  return job;
}

/** Attempt `n` of the job, or its last. */
export async function attemptCalled(
  db: Database,
  idOrCode: string,
  n: number | undefined,
): Promise<{ job: JobReport; attempt: AttemptReport }> {
  const job = await jobCalled(db, idOrCode);
  const attempts = await attemptsOfJob(db, job.id);
  const attempt = n === undefined ? attempts.at(-1) : attempts.find((candidate) => candidate.n === n);
  if (attempt === undefined) throw new Error(`job ${job.id} has no attempt ${n ?? 'yet'}`);
  return { job, attempt };
}
