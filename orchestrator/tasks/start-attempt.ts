import { randomUUID } from 'node:crypto';
import type { Envelope } from '../../job-image/contract/envelope.ts';
import { beginNextAttempt, type BegunAttempt } from '../../sql/queue.ts';
import { containerOf, type RunningAttempt } from '../../sql/attempts.ts';
import { EngineError } from '../engine/engine.ts';
import { envelopeFor, type EnvelopeSettings } from '../envelope-for.ts';
import { launch, type LaunchDeps } from '../launch.ts';
import { settleAttempt, type SettleDeps } from '../settle-attempt.ts';
import type { Evidence } from '../outcome.ts';
import type { Limits, Profiles } from '../profiles.ts';

export type StartDeps = SettleDeps &
  LaunchDeps &
  EnvelopeSettings & {
    holder: string;
    leaseSeconds: number;
    profiles: Profiles;
    takeToken: () => Promise<string>;
    /** Attempts this process is starting right now: reconcile leaves them alone. */
    launching: Set<string>;
    onRunning: (attempt: RunningAttempt, from: 'standby' | 'cold') => void;
    onChange: () => void;
  };

type Failure = NonNullable<Evidence['failure']>;
const neverRan = (failure: Failure) => ({ exitCode: null, oomKilled: false, end: undefined, failure });

function failureOf(error: unknown): Failure {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof EngineError)) return { outcome: 'start_failed', detail };
  if (error.failure === 'image_missing') return { outcome: 'image_missing', detail };
  return { outcome: error.failure === 'away' ? 'engine_lost' : 'start_failed', detail };
}

/**
 * A failed start is settled, and its container removed. One that may have its envelope goes first, since the next attempt
 * must not run beside it; if it cannot be removed now, the attempt stays open and reconcile tries again. Of any other the
 * remains are nobody's once the attempt is settled, and the sweep takes what we cannot.
 */
async function settleNotStarted(
  deps: StartDeps,
  attempt: BegunAttempt,
  failure: Failure,
  mayHaveEnvelope: boolean,
): Promise<void> {
  const container = await containerOf(deps.pool, attempt.id);
  if (container && mayHaveEnvelope) await deps.engine.remove(container);
  await settleAttempt(deps, { attemptId: attempt.id, epoch: attempt.lease_epoch }, neverRan(failure));
  if (container && !mayHaveEnvelope) await deps.engine.remove(container);
}

/** True when it runs. */
async function start(deps: StartDeps, attempt: BegunAttempt, limits: Limits): Promise<boolean> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const ids = { job: attempt.job_id, attempt: attempt.id, n: attempt.n };
  const token = deps.takeToken();
  // Awaited when the container is ready for it.
  token.catch(() => undefined);
  let mayHaveEnvelope = false;
  const envelope = async (): Promise<Envelope> => {
    const made = envelopeFor(deps, attempt, limits, await token);
    mayHaveEnvelope = true;
    return made;
  };
  try {
    const launched = await launch(deps, lease, attempt, limits, envelope);
    if (launched.ended === 'running') {
      deps.onRunning(launched.attempt, launched.from);
      deps.log.info({ ...ids, container: launched.attempt.container_id, from: launched.from }, 'attempt running');
      return true;
    }
    if (launched.ended === 'lost_lease') deps.onStaleWrite();
    else {
      const failure = { outcome: 'start_failed', detail: launched.detail } as const;
      await settleNotStarted(deps, attempt, failure, mayHaveEnvelope);
    }
  } catch (error) {
    deps.log.error({ ...ids, err: error }, 'attempt could not start');
    await settleNotStarted(deps, attempt, failureOf(error), mayHaveEnvelope);
  }
  return false;
}

/**
 * Begins the next attempt in the queue's order, which is not always that of the job the call was made for: calls say how
 * many to begin, the queue says which. True when a container has its envelope; it outlives the call. False when nothing
 * waits, there is no room, or it could not start.
 */
export const makeStartNext = (deps: StartDeps) => {
  const { engineName: engine, holder, leaseSeconds, image } = deps;
  const profiles = Object.fromEntries(deps.profiles);
  return async (): Promise<boolean> => {
    const id = randomUUID();
    deps.launching.add(id);
    try {
      const attempt = await beginNextAttempt(deps.pool, { id, engine, holder, leaseSeconds, profiles, image });
      const limits = attempt && profiles[attempt.profile];
      if (!attempt || !limits) return false;
      const runs = await start(deps, attempt, limits);
      deps.onChange();
      return runs;
    } finally {
      deps.launching.delete(id);
    }
  };
};
