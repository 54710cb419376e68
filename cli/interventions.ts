/** What a person does to a job. Each leaves his name and reason in the audit trail. */
import { cancelJob } from '../sql/jobs.ts';
import { inTransaction, type Pool } from '../sql/pool.ts';
import { deadJobs, redriveJob, type DeadJob, type Redriven } from '../sql/redrive.ts';
import { enqueueTask } from '../sql/tasks.ts';
import { jobCalled } from './attempt-called.ts';
import { json, table } from './print.ts';

/** How many jobs one call sends on their way; the rest waits for the next call. */
const REDRIVE_MAX = 500;

export type Said = { person: string; reason: string | undefined };
const words = ({ person, reason }: Said): string => (reason ? `${person}: ${reason}` : person);

/** A job that waits is dead at once, one that runs is stopping; too late for one that has ended or is being delivered. */
export async function cancel(pool: Pool, idOrCode: string, said: Said): ReturnType<typeof cancelJob> {
  const job = await jobCalled(pool, idOrCode);
  return inTransaction(pool, (db) => cancelJob(db, job.id, words(said)));
}

type Redrive = { job_id: string; order_code: string; was: string | null; answer: Redriven | 'would_be_redriven' };

async function redriveOne(
  pool: Pool,
  job: { id: string; order_code: string; dead_reason: string | null },
  said: Said,
  dryRun: boolean,
): Promise<Redrive> {
  const result = { job_id: job.id, order_code: job.order_code, was: job.dead_reason };
  if (dryRun) return { ...result, answer: job.dead_reason === null ? 'not_dead' : 'would_be_redriven' };
  const answer = await inTransaction(pool, async (db) => {
    const redriven = await redriveJob(db, job.id, words(said));
    if (redriven === 'redriven') await enqueueTask(db, 'enrol', job.id);
    return redriven;
  });
  return { ...result, answer };
}

/** The jobs that are named, or the dead ones with this reason, at most REDRIVE_MAX. */
export async function redriveAll(
  pool: Pool,
  which: { jobs: readonly string[] } | { reasonIs: string },
  said: Said,
  dryRun: boolean,
): Promise<Redrive[]> {
  // All names first, so that a misspelt one changes nothing.
  const jobs: (Omit<DeadJob, 'dead_reason'> & { dead_reason: string | null })[] = [];
  if ('reasonIs' in which) jobs.push(...(await deadJobs(pool, which.reasonIs, REDRIVE_MAX)));
  else for (const name of which.jobs) jobs.push(await jobCalled(pool, name));
  const results: Redrive[] = [];
  for (const job of jobs) results.push(await redriveOne(pool, job, said, dryRun));
  return results;
}

export function showRedriven(results: readonly Redrive[], asJson: boolean): string {
  if (asJson) return json(results);
  const more = results.length === REDRIVE_MAX ? 'There may be more: call again.\n' : '';
  return `${table(results, ['order_code', 'job_id', 'was', 'answer'])}${more}`;
}

/** Whether every job that was named is, or would be, on its way. */
export const allRedriven = (results: readonly Redrive[]): boolean =>
  results.every(({ answer }) => answer === 'redriven' || answer === 'would_be_redriven');
