import { findDelivery } from '../sql/deliveries.ts';
import { listFiles } from '../sql/files.ts';
import { JOB_STATES } from '../sql/jobs.ts';
import type { Pool } from '../sql/pool.ts';
import { attemptsOfJob, listDeadLetters, listJobs, orderOfJob } from '../sql/reports.ts';
import { jobCalled } from './attempt-called.ts';
import { fields, json, table } from './print.ts';

const LISTED_MAX = 500;
const FILES_SHOWN_MAX = 20;

export async function showJobs(pool: Pool, state: string | undefined, asJson: boolean): Promise<string> {
  if (state !== undefined && !(JOB_STATES as readonly string[]).includes(state))
    throw new Error(`--state is one of ${JOB_STATES.join(', ')}`);
  const jobs = await listJobs(pool, state, LISTED_MAX);
  if (asJson) return json(jobs);
  return table(jobs, ['id', 'order_code', 'course_id', 'state', 'attempts_started', 'dead_reason', 'updated_at']);
}

/** One job with its order, attempts, files and delivery. */
export async function showJob(pool: Pool, idOrCode: string, asJson: boolean): Promise<string> {
  const job = await jobCalled(pool, idOrCode);
  const order = (await orderOfJob(pool, job.id)) ?? {};
  const attempts = await attemptsOfJob(pool, job.id);
  const files = await listFiles(pool, job.id);
  const delivery = (await findDelivery(pool, job.id)) ?? null;
  if (asJson) return json({ job, order, attempts, files, delivery });
  const more =
    files.length > FILES_SHOWN_MAX ? `… and ${files.length - FILES_SHOWN_MAX} more (--json shows all)\n` : '';
  return [
    `JOB\n${fields(job)}`,
    `ORDER\n${fields(order)}`,
    ...attempts.map((attempt) => `ATTEMPT ${attempt.n}\n${fields(attempt)}`),
    `FILES (${files.length})\n${table(files.slice(0, FILES_SHOWN_MAX), ['path', 'bytes', 'sha256', 'drive_id'])}${more}`,
    `DELIVERY\n${delivery ? fields(delivery) : '(none)\n'}`,
  ].join('\n');
}

export async function showDeadLetters(pool: Pool, asJson: boolean): Promise<string> {
  const letters = await listDeadLetters(pool, LISTED_MAX);
  if (asJson) return json(letters);
  const columns = ['job_id', 'order_code', 'course_id', 'reason', 'detail', 'died_at', 'attempts'] as const;
  const rows = letters.map((letter) => ({
    ...letter,
    attempts: letter.attempts
      .map(({ n, outcome, detail }) => `${n}: ${outcome ?? 'open'} (${detail ?? ''})`)
      .join('; '),
  }));
  return table(rows, columns);
}
