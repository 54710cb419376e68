/** How long a customer waits, from what was measured. Where that does not suffice nothing is said. */
import type { WaitFigures } from '../../sql/order-queue.ts';
import { AHEAD_MAX } from '../../sql/order-queue.ts';

/** Seconds from now, whole; null where it cannot be known. */
export type Estimate = { startSeconds: number | null; doneSeconds: number | null };

const UNKNOWN: Estimate = { startSeconds: null, doneSeconds: null };

/**
 * Slots become free one after the other, evenly over the time that a download takes; who stands in front takes them first.
 * With a slot to spare it starts at once, also where nothing was measured yet.
 */
export function estimate(figures: WaitFigures): Estimate {
  const { ahead, slots, slots_used: used, paused, back_off_seconds: backOff, attempt_seconds: each } = figures;
  if (paused || slots <= 0 || ahead >= AHEAD_MAX) return UNKNOWN;
  const spare = Math.max(0, slots - used);
  const freed = Math.max(0, ahead - spare + 1);
  if (freed > 0 && each === null) return UNKNOWN;
  const wait = Math.max(backOff, (freed * (each ?? 0)) / slots);
  return { startSeconds: Math.ceil(wait), doneSeconds: each === null ? null : Math.ceil(wait + each) };
}
