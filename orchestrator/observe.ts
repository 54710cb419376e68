/**
 * Follows one running container to its end: stores its log, keeps its progress, reads its exit, settles the attempt,
 * removes the container. May be cut at any point; whoever adopts the attempt goes on from what is stored.
 */
import type { AttemptRow, Lease } from '../sql/attempts.ts';
import { isLogEnded } from '../sql/logs.ts';
import type { ContainerState, Engine } from './engine/engine.ts';
import { followLog, lastWords, type End, type FollowDeps, type Followed } from './follow-log.ts';
import { LogTakenOverError, makeLogWriter } from './logs/log-writer.ts';
import type { Mask } from './logs/masker.ts';
import { settleAttempt, type Seen, type SettleDeps } from './settle-attempt.ts';

const END_GRACE_MS = 2_000;
/** Of a writer that only writes the end record. */
const NOBODY_LISTENS = { error: () => undefined, stored: () => undefined };

export type ObserveDeps = SettleDeps & FollowDeps;

/** Until the container has ended or the grace is over. The log stream usually ends a moment before the state changes. */
async function waitForEnd(engine: Engine, containerId: string, signal: AbortSignal): Promise<void> {
  const soon = AbortSignal.timeout(END_GRACE_MS);
  try {
    await engine.wait(containerId, AbortSignal.any([signal, soon]));
  } catch (error) {
    if (!soon.aborted || signal.aborted) throw error;
  }
}

/**
 * Follows until the log was read once more after the container had ended: only then it is complete. A stream that ends
 * while the container runs has other reasons; one that ends with it may have missed what was written last, or a file
 * that the daemon had just rotated. Undefined when the container is gone.
 */
async function followToTheEnd(
  deps: ObserveDeps,
  attempt: AttemptRow,
  containerId: string,
  mask: Mask,
  signal: AbortSignal,
  justStarted: boolean,
): Promise<(Followed & { state: ContainerState }) | undefined> {
  // What has just acknowledged its envelope need not be asked whether it runs.
  let followed = justStarted ? await followLog(deps, attempt, containerId, mask, signal, true) : undefined;
  // As long as the attempt may run; its deadline ends it, and END_GRACE_MS lies between two rounds.
  for (;;) {
    const state = await deps.engine.inspect(containerId);
    if (state === undefined) return undefined;
    const isOver = state.status === 'exited' || state.status === 'dead';
    // A flood is not read again for what is not kept anyway.
    if (!isOver || !followed?.writer.isFull()) {
      const before = followed?.end;
      followed = await followLog(deps, attempt, containerId, mask, signal, false);
      followed.end ??= before;
    }
    if (isOver) {
      const end = followed.writer.isFull() ? await lastWords(deps, attempt, containerId, mask, signal) : undefined;
      return { ...followed, end: end ?? followed.end, state };
    }
    await waitForEnd(deps.engine, containerId, signal);
  }
}

const evidenceOf = ({ exitCode, oomKilled }: ContainerState, end: End | undefined): Seen => ({
  exitCode,
  oomKilled,
  end,
});
/** Of a container that nobody can ask any more: its log ends with a gap. */
export async function settleWithoutContainer(deps: SettleDeps, lease: Lease, detail: string): Promise<void> {
  if (!(await isLogEnded(deps.pool, lease.attemptId))) {
    const writer = await makeLogWriter(deps.pool, lease, (text) => text, NOBODY_LISTENS);
    writer.tailLost();
    await writer.end();
  }
  const failure = { outcome: 'engine_lost', detail } as const;
  await settleAttempt(deps, lease, { exitCode: null, oomKilled: false, end: undefined, failure });
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
  justStarted = false,
): Promise<void> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  try {
    const followed = await followToTheEnd(deps, attempt, containerId, mask, signal, justStarted);
    signal.throwIfAborted();
    if (!followed) {
      await settleWithoutContainer(deps, lease, 'the container is gone');
      return;
    }
    await followed.writer.end();
    // Who is refused leaves the container to its holder, who has perhaps not read its exit yet.
    if (!(await settleAttempt(deps, lease, evidenceOf(followed.state, followed.end)))) return;
  } catch (error) {
    if (!(error instanceof LogTakenOverError)) throw error;
    deps.onStaleWrite();
    return;
  }
  await deps.engine.remove(containerId);
}
