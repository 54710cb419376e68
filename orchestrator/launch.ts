/**
 * From an attempt's row to a container that has acknowledged its envelope: a standby where one waits, else a new one.
 * The container's id is written before anything else is done with it, so that whoever comes after us finds it.
 */
import { secretsOf, type Envelope } from '../job-image/contract/envelope.ts';
import { beginRunning, recordContainer, recordStop, type Lease, type RunningAttempt } from '../sql/attempts.ts';
import type { BegunAttempt } from '../sql/queue.ts';
import type { Pool } from '../sql/pool.ts';
import { containerSpec, type ContainerSpec } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import type { Following } from './following.ts';
import { handOver, openContainer, type Refusal, type WaitingContainer } from './handshake.ts';
import { makeMasker } from './logs/masker.ts';
import type { Limits } from './profiles.ts';
import type { StandbyPool } from './standby.ts';

export type LaunchStage = 'open' | 'hand_over';
export type LaunchDeps = {
  pool: Pool;
  engine: Engine;
  engineName: string;
  installation: string;
  image: string;
  egressDir: string;
  standby: StandbyPool;
  following: Following;
  onStage: (stage: LaunchStage, from: 'standby' | 'cold', seconds: number) => void;
};

export type Launched =
  | { ended: 'running'; attempt: RunningAttempt; from: 'standby' | 'cold' }
  /** Somebody else holds the attempt now; what we made is gone. */
  | { ended: 'lost_lease' }
  | { ended: 'refused'; detail: string };

type Opened = { ok: true; waiting: WaitingContainer; from: 'standby' | 'cold' } | Refusal | 'lost_lease';

const specOf = (deps: LaunchDeps, attempt: BegunAttempt, limits: Limits): ContainerSpec =>
  containerSpec({
    installation: deps.installation,
    engine: deps.engineName,
    use: { jobId: attempt.job_id, attemptId: attempt.id, attemptNumber: attempt.n },
    profile: attempt.profile,
    limits,
    image: deps.image,
    egressDir: deps.egressDir,
  });

async function open(deps: LaunchDeps, lease: Lease, attempt: BegunAttempt, limits: Limits): Promise<Opened> {
  const ahead = deps.standby.take(attempt.profile);
  const spec = specOf(deps, attempt, limits);
  const id = ahead?.id ?? (await deps.engine.create(spec));
  const recorded = await recordContainer(deps.pool, lease, id);
  if (!recorded) {
    ahead?.stdio.destroy();
    await deps.engine.remove(id);
    return 'lost_lease';
  }
  if (recorded.stop_reason) {
    ahead?.stdio.destroy();
    return { ok: false, reason: 'handshake_failed', detail: 'stopped before it had its envelope' };
  }
  if (ahead) return { ok: true, waiting: ahead, from: 'standby' };
  const opened = await openContainer(deps.engine, spec, id);
  return opened.ok ? { ...opened, from: 'cold' } : opened;
}

const secondsSince = (start: number): number => (performance.now() - start) / 1000;

/** Throws EngineError when the engine refuses or does not answer, and what `envelope` throws. */
export async function launch(
  deps: LaunchDeps,
  lease: Lease,
  attempt: BegunAttempt,
  limits: Limits,
  envelope: () => Promise<Envelope>,
): Promise<Launched> {
  const begunAt = performance.now();
  const opened = await open(deps, lease, attempt, limits);
  if (opened === 'lost_lease') return { ended: 'lost_lease' };
  let content: Envelope | undefined;
  let refusal: Refusal | undefined = opened.ok ? undefined : opened;
  if (opened.ok) {
    const openedAt = performance.now();
    deps.onStage('open', opened.from, (openedAt - begunAt) / 1000);
    try {
      content = await envelope();
    } catch (error) {
      opened.waiting.stdio.destroy();
      throw error;
    }
    const handed = await handOver(opened.waiting, content);
    deps.onStage('hand_over', opened.from, secondsSince(openedAt));
    if (!handed.ok) refusal = handed;
  }
  if (refusal || !opened.ok || !content) {
    const reason = refusal?.reason ?? 'handshake_failed';
    await recordStop(deps.pool, lease, reason);
    // The container's own words, perhaps said after it had its secrets.
    const mask = makeMasker(content ? secretsOf(content) : []);
    return { ended: 'refused', detail: mask(refusal?.detail ?? '') };
  }
  const running = await beginRunning(deps.pool, lease);
  if (!running) return { ended: 'lost_lease' };
  // For whoever looks at `docker ps`; a standby was made before its attempt had a name.
  if (opened.from === 'standby')
    deps.engine.rename(opened.waiting.id, specOf(deps, attempt, limits).name).catch(() => undefined);
  deps.following.follow(running, opened.waiting.id, makeMasker(secretsOf(content)), { justStarted: true });
  return { ended: 'running', attempt: running, from: opened.from };
}
