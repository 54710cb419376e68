/** The end of an attempt: evidence in, outcome and what becomes of the job out, in one transaction. */
import type { Logger } from 'pino';
import { storableText } from '../job-image/contract/storable-text.ts';
import { lockAttempt, settle, type AttemptRow, type Lease, type Verdict } from '../sql/attempts.ts';
import { findJob, type JobRow } from '../sql/jobs.ts';
import { OUTCOMES, type Outcome, type Policy } from '../sql/outcomes.ts';
import { inTransaction, type Database, type Pool } from '../sql/pool.ts';
import { largestEngineBytes } from '../sql/unfit.ts';
import { classify, verdictOf, type Evidence } from './outcome.ts';
import type { JobEnded } from './metrics.ts';
import { nextBigger, type Profiles } from './profiles.ts';

export type SettleDeps = {
  pool: Pool;
  log: Logger;
  retryBaseSeconds: number;
  profiles: Profiles;
  onSettled: (outcome: Outcome, runSeconds: number | null) => void;
  onJobEnded: (ended: JobEnded) => void;
  onStaleWrite: () => void;
};

/** What its observer knows of an ending; the rest stands in the attempt's row. */
export type Seen = Omit<Evidence, 'finalized' | 'stopReason'>;

async function judge(
  deps: SettleDeps,
  client: Database,
  attempt: AttemptRow,
  job: JobRow,
  evidence: Seen,
): Promise<{ result: ReturnType<typeof classify>; verdict: Verdict }> {
  const finalized = attempt.finalized_at !== null;
  const result = classify({ ...evidence, finalized, stopReason: attempt.stop_reason });
  if (finalized) return { result, verdict: { job: 'stays' } };
  const { needsBiggerProfile }: Policy = OUTCOMES[result.outcome];
  const wantsBigger = needsBiggerProfile && job.profile === null;
  const spent = {
    attemptsSpent: job.attempts_spent,
    losses: job.losses,
    biggerProfile: wantsBigger
      ? nextBigger(deps.profiles, attempt.profile, await largestEngineBytes(client))
      : undefined,
  };
  const retryAfterSeconds = evidence.end?.retryAfterSeconds;
  return {
    result,
    verdict: verdictOf(result, spent, {
      retryBaseSeconds: deps.retryBaseSeconds,
      retryAfterSeconds,
      random: Math.random(),
    }),
  };
}

/** Writes the outcome that the evidence shows. False when the attempt is not ours to settle any more. */
export async function settleAttempt(deps: SettleDeps, lease: Lease, evidence: Seen): Promise<boolean> {
  // Locked from the look to the write: a cancellation or a manifest that comes in between would be passed over.
  const { settled, about, next, retried } = await inTransaction(deps.pool, async (client) => {
    const attempt = await lockAttempt(client, lease.attemptId);
    const job = attempt && (await findJob(client, attempt.job_id));
    if (!attempt || !job) throw new Error(`attempt ${lease.attemptId} has no row`);
    const { result, verdict } = await judge(deps, client, attempt, job, evidence);
    const outcome = {
      outcome: result.outcome,
      // Whatever a container or an engine said: an attempt that cannot be settled would keep its slot for ever.
      detail: storableText(result.detail),
      exitCode: evidence.exitCode,
      oomKilled: evidence.oomKilled,
      endMessage: evidence.end,
    };
    return {
      settled: await settle(client, lease, outcome, verdict),
      about: { job: job.id, attempt: attempt.id, n: attempt.n, ...result },
      next: verdict,
      retried: job.attempts_started > 1,
    };
  });
  if (!settled) {
    deps.onStaleWrite();
    deps.log.warn({ ...about, epoch: lease.epoch }, 'late settle refused');
    return false;
  }
  deps.onSettled(about.outcome, settled.run_seconds);
  if (next.job === 'dies') deps.onJobEnded({ result: next.reason, retried });
  deps.log.info({ ...about, exitCode: evidence.exitCode, verdict: next.job }, 'attempt settled');
  return true;
}
