/**
 * From evidence to outcome, and from outcome to what happens next. Pure; the retry table is sql/outcomes.ts.
 *
 * Order of trust: an accepted manifest, our own recorded stop reason, the engine's word (OOM, start errors), the exit
 * code, and last the job's own words.
 */
import { EXIT, type EndReason } from '../job-image/contract/exit-codes.ts';
import { RETRY_AFTER_MAX_SECONDS } from '../job-image/contract/retry-after.ts';
import type { StopReason, Verdict } from '../sql/attempts.ts';
import {
  ATTEMPTS_MAX,
  LOSS_DELAY_SHARE,
  LOSSES_MAX,
  OUTCOMES,
  RETRY_DELAY_MAX_SECONDS,
  type Outcome,
  type Policy,
} from '../sql/outcomes.ts';

/** What is known once a container has ended, or could not be started. */
export type Evidence = {
  exitCode: number | null;
  oomKilled: boolean;
  stopReason: StopReason | null;
  /** The attempt's manifest was accepted by the API. */
  finalized: boolean;
  end: { reason: EndReason; detail: string; retryAfterSeconds?: number | undefined } | undefined;
  /** Set when there is no exit to read: the engine refused, or the container is gone. */
  failure?: { outcome: 'start_failed' | 'image_missing' | 'engine_lost' | 'orchestrator_lost'; detail: string };
};

/** V8 aborts when its heap is full, which is half of the memory limit: the kernel never hears of it. */
const SIGABRT_EXIT = 134;
const SIGKILL_EXIT = 137;
const SIGTERM_EXIT = 143;

function outcomeOfExit(exitCode: number, end: Evidence['end']): Outcome {
  switch (exitCode) {
    case EXIT.ok:
      return 'no_manifest';
    case EXIT.usage:
      return 'handshake_failed';
    case EXIT.badInput:
      return end?.reason === 'protected_content' ? 'protected_content' : 'bad_input';
    case EXIT.unavailable:
    case EXIT.ioError:
    case EXIT.temporary:
      return 'app_temporary';
    case EXIT.servicesLost:
      return 'services_lost';
    case EXIT.software:
      return 'bug';
    case EXIT.notEntitled:
      return 'not_entitled';
    case SIGABRT_EXIT:
      return 'oom';
    case SIGKILL_EXIT:
    case SIGTERM_EXIT:
      return 'killed_outside';
    default:
      return exitCode >= 125 && exitCode <= 127 ? 'start_failed' : 'unknown_exit';
  }
}

/** Never throws: whatever the evidence, an attempt ends with one of the outcomes. */
export function classify(evidence: Evidence): { outcome: Outcome; detail: string } {
  const { exitCode, end } = evidence;
  const said = end && end.reason !== 'ok' ? `${end.reason}: ${end.detail}` : '';
  const exited = exitCode === null ? 'no exit code' : `exit ${exitCode}`;
  if (exitCode === EXIT.ok && evidence.finalized) return { outcome: 'succeeded', detail: '' };
  if (evidence.stopReason) return { outcome: evidence.stopReason, detail: said || evidence.failure?.detail || exited };
  if (evidence.failure) return evidence.failure;
  if (exitCode === null) return { outcome: 'engine_lost', detail: exited };
  const outcome = outcomeOfExit(exitCode, end);
  // A child can run out of memory while the main process ends in its own way, even with 0.
  const explained = outcome === 'protected_content' || outcome === 'bad_input' || outcome === 'not_entitled';
  if (evidence.oomKilled && !explained) return { outcome: 'oom', detail: said || exited };
  return { outcome, detail: said || exited };
}

/** Exponential with full jitter: a random moment between now and base × 2^n, cut at `maxSeconds`. `random` is in [0, 1). */
export const backoffSeconds = (baseSeconds: number, n: number, maxSeconds: number, random: number): number =>
  random * Math.min(maxSeconds, baseSeconds * 2 ** n);

/** What becomes of the job after this outcome. `biggerProfile` is set while a bigger one is there and was not tried. */
export function verdictOf(
  result: { outcome: Outcome; detail: string },
  job: { attemptsSpent: number; losses: number; biggerProfile?: string | undefined },
  options: { retryBaseSeconds: number; retryAfterSeconds: number | undefined; random: number },
): Verdict {
  const { charge, needsBiggerProfile }: Policy = OUTCOMES[result.outcome];
  const lastWords = result.detail ? `${result.outcome}: ${result.detail}` : result.outcome;
  if (charge === 'none') return { job: 'stays' };
  const why = result.detail || result.outcome;
  if (charge === 'permanent') return { job: 'dies', spendsAttempt: true, reason: result.outcome, detail: why };
  // More memory helps once; a job that needs more than that needs an operator.
  if (needsBiggerProfile && !job.biggerProfile)
    return { job: 'dies', spendsAttempt: true, reason: result.outcome, detail: why };
  if (charge === 'attempt') {
    const spent = job.attemptsSpent + 1;
    if (spent >= ATTEMPTS_MAX)
      return {
        job: 'dies',
        spendsAttempt: true,
        reason: 'attempts_exhausted',
        detail: `after ${spent} attempts; the last: ${lastWords}`,
      };
    const delay = backoffSeconds(options.retryBaseSeconds, job.attemptsSpent, RETRY_DELAY_MAX_SECONDS, options.random);
    return {
      job: 'retries',
      spendsAttempt: true,
      ...(needsBiggerProfile && job.biggerProfile ? { profile: job.biggerProfile } : {}),
      delaySeconds: Math.max(delay, Math.min(options.retryAfterSeconds ?? 0, RETRY_AFTER_MAX_SECONDS)),
    };
  }
  const lost = job.losses + 1;
  if (lost >= LOSSES_MAX)
    return {
      job: 'dies',
      spendsAttempt: false,
      reason: 'infrastructure',
      detail: `after ${lost} losses of ours; the last: ${lastWords}`,
    };
  const delay = backoffSeconds(
    options.retryBaseSeconds * LOSS_DELAY_SHARE,
    job.losses,
    RETRY_DELAY_MAX_SECONDS,
    options.random,
  );
  return { job: 'retries', spendsAttempt: false, delaySeconds: delay };
}
