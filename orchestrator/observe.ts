/**
 * Follows one running container to its end: stores its log, keeps its progress, reads its exit, settles the attempt,
 * removes the container. May be cut at any point; whoever adopts the attempt goes on from what is stored.
 */
import type { Logger } from 'pino';
import type { Pool } from '../sql/pool.ts';
import { lockAttempt, recordProgress, settle, type AttemptRow, type Lease } from '../sql/attempts.ts';
import { findJob } from '../sql/jobs.ts';
import type { Outcome } from '../sql/outcomes.ts';
import { parseJobMessage, type JobMessage } from '../job-image/contract/messages.ts';
import type { Engine } from './engine/engine.ts';
import { linesOf } from './logs/line.ts';
import { LogTakenOverError, makeLogWriter } from './logs/log-writer.ts';
import type { Mask } from './logs/masker.ts';
import { nextBigger, type Profiles } from './profiles.ts';
import { classify, verdictOf, type Evidence } from './outcome.ts';

const PROGRESS_EVERY_MS = 250;
const REFOLLOW_MAX = 20;

export type SettleDeps = {
  pool: Pool;
  log: Logger;
  retryBaseSeconds: number;
  profiles: Profiles;
  onSettled: (outcome: Outcome) => void;
  onStaleWrite: () => void;
};
export type ObserveDeps = SettleDeps & { engine: Engine };
type End = Extract<JobMessage, { lading: 'end' }>;

/** Writes the outcome that the evidence shows. False when the attempt is not ours to settle any more. */
export async function settleAttempt(
  deps: SettleDeps,
  lease: Lease,
  evidence: Omit<Evidence, 'finalized' | 'stopReason'>,
): Promise<boolean> {
  const attempt = await lockAttempt(deps.pool, lease.attemptId);
  const job = attempt && (await findJob(deps.pool, attempt.job_id));
  if (!attempt || !job) throw new Error(`attempt ${lease.attemptId} has no row`);
  const finalized = attempt.finalized_at !== null;
  const result = classify({ ...evidence, finalized, stopReason: attempt.stop_reason });
  const verdict = finalized
    ? ({ job: 'stays' } as const)
    : verdictOf(
        result,
        {
          attemptsSpent: job.attempts_spent,
          losses: job.losses,
          biggerProfile: job.profile === null ? nextBigger(deps.profiles, attempt.profile) : undefined,
        },
        {
          retryBaseSeconds: deps.retryBaseSeconds,
          retryAfterSeconds: evidence.end?.retryAfterSeconds,
          random: Math.random(),
        },
      );
  const settled = await settle(
    deps.pool,
    lease,
    { ...result, exitCode: evidence.exitCode, oomKilled: evidence.oomKilled, endMessage: evidence.end },
    verdict,
  );
  const about = { job: job.id, attempt: attempt.id, n: attempt.n, outcome: result.outcome, detail: result.detail };
  if (!settled) {
    deps.onStaleWrite();
    deps.log.warn({ ...about, epoch: lease.epoch }, 'late settle refused');
    return false;
  }
  deps.onSettled(result.outcome);
  deps.log.info({ ...about, exitCode: evidence.exitCode, verdict: verdict.job }, 'attempt settled');
  return true;
}

/** Stores log lines until the container's output ends; answers the job's last words. */
async function followLog(
  deps: ObserveDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
): Promise<End | undefined> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const failed = new AbortController();
  let storeError: unknown;
  const writer = await makeLogWriter(deps.pool, lease, mask, (error) => {
    storeError = error;
    failed.abort();
  });
  let end: End | undefined;
  let progressAt = 0;
  try {
    const frames = deps.engine.logs(containerId, writer.since, AbortSignal.any([signal, failed.signal]));
    for await (const line of linesOf(frames)) {
      await writer.write(line);
      if (line.stream !== 'stdout') continue;
      const message = parseJobMessage(line.text);
      if (message?.lading === 'end') end = message;
      if (message?.lading === 'progress' && Date.now() - progressAt >= PROGRESS_EVERY_MS) {
        progressAt = Date.now();
        const { lading: _, ...progress } = message;
        await recordProgress(deps.pool, lease, progress);
      }
    }
    await writer.flush();
    return end;
  } catch (error) {
    throw storeError ?? error;
  } finally {
    writer.abandon();
  }
}

async function endLog(deps: ObserveDeps, lease: Lease, mask: Mask): Promise<void> {
  const writer = await makeLogWriter(deps.pool, lease, mask, () => undefined);
  await writer.end();
}

/**
 * Resolves when the attempt is settled and its container is gone, or when it turned out to be somebody else's.
 * Rejects when the engine or Postgres is away, and when `signal` aborts; the attempt then waits for its next observer.
 */
export async function observe(
  deps: ObserveDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
): Promise<void> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  let end: End | undefined;
  for (let follow = 0; (await deps.engine.inspect(containerId)) !== undefined; follow += 1) {
    try {
      end = (await followLog(deps, attempt, containerId, mask, signal)) ?? end;
    } catch (error) {
      if (error instanceof LogTakenOverError) {
        deps.onStaleWrite();
        return;
      }
      throw error;
    }
    const state = await deps.engine.inspect(containerId);
    if (state === undefined || state.status === 'exited' || state.status === 'dead') break;
    // The stream ended and the container did not: it closed its output, or the daemon rotated the file under us.
    if (follow >= REFOLLOW_MAX) await deps.engine.wait(containerId, signal);
    else if (await endsSoon(deps.engine, containerId, signal)) break;
  }
  signal.throwIfAborted();
  const state = await deps.engine.inspect(containerId);
  await endLog(deps, lease, mask);
  await settleAttempt(
    deps,
    lease,
    state === undefined
      ? { exitCode: null, oomKilled: false, end, failure: { outcome: 'engine_lost', detail: 'the container is gone' } }
      : { exitCode: state.exitCode, oomKilled: state.oomKilled, end },
  );
  await deps.engine.remove(containerId);
}

const END_GRACE_MS = 2_000;

/** True when the container ends within the grace. The log stream usually ends a moment before the state changes. */
async function endsSoon(engine: Engine, containerId: string, signal: AbortSignal): Promise<boolean> {
  const soon = AbortSignal.timeout(END_GRACE_MS);
  try {
    await engine.wait(containerId, AbortSignal.any([signal, soon]));
    return true;
  } catch (error) {
    if (soon.aborted && !signal.aborted) return false;
    throw error;
  }
}
