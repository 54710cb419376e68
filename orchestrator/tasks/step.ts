/**
 * What all tasks share: an answer instead of an exception, and our own retries. graphile-worker's are not used: it
 * would poll for delayed work, and it raises its count when a task is taken, so that a crash spends a try.
 */
import type { Logger } from 'pino';
import { RETRY_AFTER_MAX_SECONDS } from '../../job-image/contract/retry-after.ts';
import type { Pool } from '../../sql/pool.ts';
import { buryStep, deferStep, postponeStep, renewStep, type Step } from '../../sql/steps.ts';
import type { JobEnded } from '../metrics.ts';
import { backoffSeconds } from '../outcome.ts';

/** How long after its last sign of life a task's step is taken by another. Every act of a task may be repeated. */
export const STEP_LEASE_SECONDS = 8;
const STEP_RENEWAL_MS = 2_500;
/** No call of a task takes longer; a task that hangs beyond it is not kept alive. */
const STEP_LIMIT_MS = 120_000;
const STEP_FAILURES_MAX = 10;
const STEP_DELAY_MAX_SECONDS = 10 * 60;

export type StepDeps = {
  pool: Pool;
  log: Logger;
  retryBaseSeconds: number;
  onChange: () => void;
  onStaleWrite: () => void;
  onJobEnded: (ended: JobEnded) => void;
};
export type StepAnswer =
  | { step: 'done' }
  /** Somebody else has taken it since. */
  | { step: 'not_ours' }
  | { step: 'postpone'; detail: string; afterSeconds?: number }
  /** Waits for another job; no failure. */
  | { step: 'defer'; afterSeconds: number }
  | { step: 'bury'; reason: string; detail: string };

const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type About = { task: string; step: Step; failures: number; exhausted: string };

async function bury(deps: StepDeps, about: About, reason: string, detail: string): Promise<boolean> {
  const dead = await buryStep(deps.pool, about.step, reason, detail);
  if (!dead) return false;
  deps.onJobEnded({ result: reason, retried: dead.attempts_started > 1 });
  deps.log.error({ job: about.step.jobId, task: about.task, reason, detail }, 'job is dead');
  return true;
}

async function postpone(deps: StepDeps, about: About, detail: string, afterSeconds = 0): Promise<boolean> {
  const failures = about.failures + 1;
  if (failures >= STEP_FAILURES_MAX)
    return bury(deps, about, about.exhausted, `${about.task} failed ${failures} times; the last: ${detail}`);
  const delay = backoffSeconds(deps.retryBaseSeconds, about.failures, STEP_DELAY_MAX_SECONDS, Math.random());
  const seconds = Math.max(delay, Math.min(afterSeconds, RETRY_AFTER_MAX_SECONDS));
  if (!(await postponeStep(deps.pool, about.step, seconds))) return false;
  deps.log.warn({ job: about.step.jobId, task: about.task, detail, afterSeconds: seconds }, 'step postponed');
  return true;
}

/** False when another has taken the step since: then nothing is written. */
async function write(deps: StepDeps, about: About, answer: StepAnswer): Promise<boolean> {
  if (answer.step === 'bury') return bury(deps, about, answer.reason, answer.detail);
  if (answer.step === 'postpone') return postpone(deps, about, answer.detail, answer.afterSeconds);
  if (answer.step === 'defer') return (await deferStep(deps.pool, about.step, answer.afterSeconds)) !== undefined;
  return answer.step === 'done';
}

/** Runs the work of a step that was taken after `failures` failures, and writes what comes of it. */
export async function runStep(deps: StepDeps, about: About, work: () => Promise<StepAnswer>): Promise<void> {
  const ids = { job: about.step.jobId, task: about.task };
  const giveUpAt = Date.now() + STEP_LIMIT_MS;
  const renewal = setInterval(() => {
    if (Date.now() < giveUpAt)
      renewStep(deps.pool, about.step, STEP_LEASE_SECONDS).catch((error: unknown) =>
        deps.log.warn({ ...ids, err: error }, 'step not renewed'),
      );
  }, STEP_RENEWAL_MS);
  const answer = await work()
    .catch((error: unknown): StepAnswer => ({ step: 'postpone', detail: detailOf(error) }))
    .finally(() => clearInterval(renewal));
  if (!(await write(deps, about, answer))) {
    deps.onStaleWrite();
    deps.log.warn({ ...ids, epoch: about.step.epoch, answer: answer.step }, 'late step refused');
  }
  deps.onChange();
}
