/**
 * The containers this process follows, each with the lease under which it does. In memory only: the truth is in
 * Postgres and on the engine, and reconcile restores it.
 */
import type { AttemptRow } from '../sql/attempts.ts';
import type { Mask } from './logs/masker.ts';
import { observe, type ObserveDeps } from './observe.ts';
import type { Sampler } from './samples/sampler.ts';

export type Following = {
  /** Starts to follow; a second call for the same attempt and epoch does nothing. */
  follow: (attempt: AttemptRow, containerId: string, mask: Mask, options?: { justStarted: boolean }) => void;
  has: (attemptId: string, epoch: number) => boolean;
  /** Stops to follow what is not among `held` any more: somebody else has it. */
  keepOnly: (held: readonly AttemptRow[]) => void;
  count: () => number;
  /** Lets go of everything and waits until nothing is written any more. Containers run on. */
  stop: () => Promise<void>;
};

export function makeFollowing(deps: ObserveDeps & { watchUsage: Sampler['watch'] }, onEnd: () => void): Following {
  const followed = new Map<string, { epoch: number; cut: AbortController; done: Promise<void> }>();

  async function run(
    attempt: AttemptRow,
    containerId: string,
    mask: Mask,
    cut: AbortController,
    justStarted: boolean,
  ): Promise<void> {
    const lookAway = deps.watchUsage(attempt, containerId);
    try {
      await observe(deps, attempt, containerId, mask, cut.signal, justStarted);
    } catch (error) {
      if (!cut.signal.aborted) deps.log.warn({ err: error, attempt: attempt.id }, 'lost sight of a container');
    } finally {
      lookAway();
      if (followed.get(attempt.id)?.cut === cut) followed.delete(attempt.id);
      onEnd();
    }
  }

  return {
    follow: (attempt, containerId, mask, { justStarted } = { justStarted: false }) => {
      const known = followed.get(attempt.id);
      if (known?.epoch === attempt.lease_epoch) return;
      known?.cut.abort();
      const cut = new AbortController();
      const entry = { epoch: attempt.lease_epoch, cut, done: Promise.resolve() };
      followed.set(attempt.id, entry);
      entry.done = run(attempt, containerId, mask, cut, justStarted);
    },
    has: (attemptId, epoch) => followed.get(attemptId)?.epoch === epoch,
    keepOnly: (held) => {
      const epochs = new Map(held.map((attempt) => [attempt.id, attempt.lease_epoch]));
      for (const [id, entry] of followed) if (epochs.get(id) !== entry.epoch) entry.cut.abort();
    },
    count: () => followed.size,
    stop: async () => {
      const all = [...followed.values()];
      for (const entry of all) entry.cut.abort();
      await Promise.all(all.map((entry) => entry.done));
    },
  };
}
