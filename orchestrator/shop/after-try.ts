/** What follows from a try to tell the shop. Pure. */
import { parseRetryAfter } from '../../job-image/contract/retry-after.ts';
import type { AfterTry, ShopTry } from '../../sql/shop.ts';

/** With the delays below, about a day of an absent shop. */
export const TRIES_MAX = 12;
const DELAY_MAX_SECONDS = 6 * 60 * 60;
const GONE = 410;
const ERROR_MAX_CHARS = 200;

export type Answered = { status: number; retryAfter: string | undefined; body: string };
export type NotAnswered = { error: string };
export type Verdict = { after: AfterTry; one: Omit<ShopTry, 'durationMs'>; disable: boolean };

/** Full jitter: anywhere between nothing and twice as much as the time before. */
export const delaySeconds = (baseSeconds: number, failures: number, random: number): number =>
  Math.min(DELAY_MAX_SECONDS, baseSeconds * 2 ** Math.min(failures, 30)) * random;

/** `failures`: tries before this one, since the event was written or sent again. `random` from 0 to 1. */
export function afterTry(
  result: Answered | NotAnswered,
  at: { failures: number; retryBaseSeconds: number; nowMs: number; random: number },
): Verdict {
  const answered = 'status' in result;
  const one = {
    status: answered ? result.status : undefined,
    error: answered ? undefined : result.error.slice(0, ERROR_MAX_CHARS) || 'unknown',
    answer: answered ? result.body : undefined,
  };
  if (answered && result.status >= 200 && result.status < 300)
    return { after: { state: 'delivered' }, one, disable: false };
  // Whoever is gone is not asked again; what waits for him waits until somebody enables him.
  const disable = answered && result.status === GONE;
  if (at.failures + 1 >= TRIES_MAX && !disable) return { after: { state: 'dead' }, one, disable };
  const wanted = answered ? parseRetryAfter(result.retryAfter, at.nowMs) : undefined;
  const delay = Math.max(delaySeconds(at.retryBaseSeconds, at.failures, at.random), wanted ?? 0);
  return { after: { state: 'waiting', delaySeconds: delay }, one, disable };
}
