/**
 * What all tasks share: an answer instead of an exception, and our own retries. graphile-worker's are not used: it
 * would poll for delayed work, and it raises its count when a task is taken, so that a crash spends a try.
 */
import type { Logger } from 'pino';
import type { Pool } from '../../sql/pool.ts';
import { bury, deferStep, postponeStep, renewStep, type JobState } from '../../sql/jobs.ts';
import { backoffSeconds } from '../outcome.ts';

/** How long after its last sign of life a task's step is taken by another. Every act of a task may be repeated. */
export const STEP_LEASE_SECONDS = 8;
const STEP_RENEWAL_MS = 2_500;
/** No call of a task takes longer; a task that hangs beyond it is not kept alive. */
const STEP_LIMIT_MS = 120_000;
const STEP_FAILURES_MAX = 10;
const STEP_DELAY_MAX_SECONDS = 10 * 60;

export type StepDeps = { pool: Pool; log: Logger; retryBaseSeconds: number; onChange: () => void };
export type StepAnswer =
  | { step: 'done' }
  /** Somebody else has it, or it is done already. */
  | { step: 'not_ours' }
  | { step: 'postpone'; detail: string; afterSeconds?: number }
  /** Waits for another job; no failure. */
  | { step: 'defer'; afterSeconds: number }
  | { step: 'bury'; reason: string; detail: string };

const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Runs the work of a step that was taken in `state` after `failures` failures, and writes what comes of it. */
export async function runStep(
  deps: StepDeps,
  about: { task: string; jobId: string; state: JobState; failures: number; exhausted: string },
  work: () => Promise<StepAnswer>,
): Promise<void> {
  const ids = { job: about.jobId, task: about.task };
  const giveUpAt = Date.now() + STEP_LIMIT_MS;
  const renewal = setInterval(() => {
    if (Date.now() < giveUpAt)
      renewStep(deps.pool, about.jobId, about.state, STEP_LEASE_SECONDS).catch((error: unknown) =>
        deps.log.warn({ ...ids, err: error }, 'step not renewed'),
      );
  }, STEP_RENEWAL_MS);
  const answer = await work()
    .catch((error: unknown): StepAnswer => ({ step: 'postpone', detail: detailOf(error) }))
    .finally(() => clearInterval(renewal));
  if (answer.step === 'bury') {
    await bury(deps.pool, about.jobId, about.state, answer.reason, answer.detail);
    deps.log.error({ ...ids, reason: answer.reason, detail: answer.detail }, 'job is dead');
  } else if (answer.step === 'defer') {
    await deferStep(deps.pool, about.jobId, about.state, answer.afterSeconds);
  } else if (answer.step === 'postpone' && about.failures + 1 >= STEP_FAILURES_MAX) {
    const detail = `${about.task} failed ${about.failures + 1} times; the last: ${answer.detail}`;
    await bury(deps.pool, about.jobId, about.state, about.exhausted, detail);
    deps.log.error({ ...ids, reason: about.exhausted, detail }, 'job is dead');
  } else if (answer.step === 'postpone') {
    const delay = backoffSeconds(deps.retryBaseSeconds, about.failures, STEP_DELAY_MAX_SECONDS, Math.random());
    const seconds = Math.max(delay, Math.min(answer.afterSeconds ?? 0, STEP_DELAY_MAX_SECONDS));
    await postponeStep(deps.pool, about.jobId, about.state, seconds);
    deps.log.warn({ ...ids, detail: answer.detail, afterSeconds: seconds }, 'step postponed');
  }
  deps.onChange();
}
