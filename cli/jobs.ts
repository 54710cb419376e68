import { findDelivery } from '../sql/deliveries.ts';
import { listFiles } from '../sql/files.ts';
import { JOB_STATES } from '../sql/jobs.ts';
import { readLogChunks } from '../sql/logs.ts';
import type { Pool } from '../sql/pool.ts';
import { attemptsOfJob, findJobReport, listDeadLetters, listJobs, orderOfJob, type JobReport } from '../sql/reports.ts';
import { formatLine, linesOf } from './log-lines.ts';
import { fields, json, table } from './print.ts';

const LISTED_MAX = 500;
const FILES_SHOWN_MAX = 20;

async function jobCalled(pool: Pool, idOrCode: string): Promise<JobReport> {
  const job = await findJobReport(pool, idOrCode);
  if (job === undefined) throw new Error(`no job or order is called ${idOrCode}`);
  return job;
}

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

/** The stored log of one attempt, the last one unless `n` says otherwise, piece by piece. */
export async function* showLogs(
  pool: Pool,
  idOrCode: string,
  options: { attempt: number | undefined; raw: boolean },
): AsyncGenerator<string> {
  const job = await jobCalled(pool, idOrCode);
  const attempts = await attemptsOfJob(pool, job.id);
  const attempt =
    options.attempt === undefined ? attempts.at(-1) : attempts.find((candidate) => candidate.n === options.attempt);
  if (attempt === undefined) throw new Error(`job ${job.id} has no attempt ${options.attempt ?? 'yet'}`);
  for (const chunk of await readLogChunks(pool, attempt.id))
    yield linesOf(chunk.zstd)
      .map((line) => formatLine(line, options.raw))
      .join('');
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
