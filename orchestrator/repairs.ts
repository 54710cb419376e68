/** What to do about an attempt that this process holds and perhaps does not look after. Pure. */
import type { AttemptRow } from '../sql/attempts.ts';

export type Repair =
  | 'none'
  /** The container runs, or ended unseen: follow it to its end. */
  | 'follow'
  /** Nobody knows whether the container got its envelope: it is removed and the attempt counted as our loss. */
  | 'give_up'
  /** The deadline has passed, or it was cancelled: the reason is recorded, then the container is stopped. */
  | 'stop';

export function repairOf(
  attempt: Pick<AttemptRow, 'state' | 'container_id' | 'stop_reason'> & { overdue: boolean },
  here: { followed: boolean; launching: boolean; stopping: boolean },
): Repair {
  if (attempt.state === 'settled' || here.launching) return 'none';
  if (attempt.state === 'creating') return 'give_up';
  if (!here.followed) return 'follow';
  return (attempt.overdue || attempt.stop_reason !== null) && !here.stopping ? 'stop' : 'none';
}

type Found = { id: string; createdAtSeconds: number; state: string; attempt: string | undefined; standby: boolean };

/**
 * Containers of ours that the database proves unowned, and that are too old to be just being made or removed. A
 * standby that runs is its orchestrator's: it would have ended with it; one that ended is never used, however young.
 */
export function strays(
  found: readonly Found[],
  open: { attempts: ReadonlySet<string>; containers: ReadonlySet<string> },
  nowSeconds: number,
  minAgeSeconds: number,
): string[] {
  const isRemains = (one: Found): boolean => one.standby && one.state === 'exited';
  return found
    .filter((one) => isRemains(one) || nowSeconds - one.createdAtSeconds >= minAgeSeconds)
    .filter((one) => !open.containers.has(one.id) && !(one.attempt && open.attempts.has(one.attempt)))
    .filter((one) => !(one.standby && one.state === 'running'))
    .map(({ id }) => id);
}
