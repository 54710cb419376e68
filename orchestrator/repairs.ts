/** What to do about an attempt that this process holds and perhaps does not look after. Pure. */
import type { AttemptRow } from '../sql/attempts.ts';

export type Repair =
  | 'none'
  /** The container runs, or ended unseen: follow it to its end. */
  | 'follow'
  /** Nobody knows whether the container got its envelope: it is removed and the attempt counted as our loss. */
  | 'give_up'
  /** The deadline has passed: the reason is recorded, then the container is stopped. */
  | 'stop';

export function repairOf(
  attempt: Pick<AttemptRow, 'state' | 'container_id'> & { overdue: boolean },
  here: { followed: boolean; launching: boolean; stopping: boolean },
): Repair {
  if (attempt.state === 'settled' || here.launching) return 'none';
  if (attempt.state === 'creating') return 'give_up';
  if (!here.followed) return 'follow';
  return attempt.overdue && !here.stopping ? 'stop' : 'none';
}

/** Containers of ours whose attempt is settled or unknown, and that are too old to be just being made. */
export function strays(
  containers: readonly { id: string; createdAtSeconds: number; attempt: string | undefined }[],
  open: ReadonlySet<string>,
  nowSeconds: number,
  minAgeSeconds: number,
): string[] {
  return containers
    .filter(
      ({ attempt, createdAtSeconds }) =>
        !(attempt && open.has(attempt)) && nowSeconds - createdAtSeconds >= minAgeSeconds,
    )
    .map(({ id }) => id);
}
