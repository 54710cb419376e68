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
  // Followed, its row is older than what we know: it was launched since the row was read.
  if (attempt.state === 'creating') return here.followed ? 'none' : 'give_up';
  if (!here.followed) return 'follow';
  return (attempt.overdue || attempt.stop_reason !== null) && !here.stopping ? 'stop' : 'none';
}

type Found = { id: string; createdAtSeconds: number; state: string; attempt: string | undefined; standby: boolean };
type Owners = { open: ReadonlySet<string>; settled: ReadonlySet<string> };

function isStray(one: Found, owners: Owners, ageSeconds: number, minAgeSeconds: number): boolean {
  const belongsTo = (ids: ReadonlySet<string>): boolean =>
    ids.has(one.id) || (one.attempt !== undefined && ids.has(one.attempt));
  if (belongsTo(owners.open)) return false;
  if (belongsTo(owners.settled)) return true;
  // A standby that runs is its orchestrator's: it would have ended with it. One that ended is never used.
  if (one.standby && one.state === 'running') return false;
  if (one.standby && one.state === 'exited') return true;
  return ageSeconds >= minAgeSeconds;
}

/**
 * Containers of ours that the database proves unowned: their attempt is settled; or they are remains of a standby; or
 * no attempt knows them and they are too old to be just being made.
 */
export const strays = (found: readonly Found[], owners: Owners, nowSeconds: number, minAgeSeconds: number): string[] =>
  found.filter((one) => isStray(one, owners, nowSeconds - one.createdAtSeconds, minAgeSeconds)).map(({ id }) => id);
