import { setTimeout as sleep } from 'node:timers/promises';

export type RetryLimits = {
  /** Tries in all, the first included. */
  readonly tries: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** A `Retry-After` above this is not waited for here: the attempt ends and hands the wish on. */
  readonly retryAfterMaxSeconds: number;
};

/** How long a job waits for a service of ours that is away: a restart, or a host that boots, fits in. */
export const AWAY_MAX_MS = 90_000;

/** The outside world did not do it this time. `cause` is shown to operators and holds no secrets. */
export type Again = {
  readonly again: string;
  readonly retryAfterSeconds?: number | undefined;
  /** What did not do it is a service of ours that is away: waited for by the clock, not by tries. */
  readonly isOursAway?: true;
};
export type Tried<T> = { readonly done: T } | Again;

/** Full jitter: anything up to the exponential bound, so that many jobs do not come back together. */
export const backoffMs = (limits: RetryLimits, failures: number, random: number): number =>
  Math.round(random * Math.min(limits.capMs, limits.baseMs * 2 ** (failures - 1)));

/** Whether and how long to wait after `failures` failures in a row; undefined means: give up now. */
export function waitMs(limits: RetryLimits, failures: number, last: Again, random: number): number | undefined {
  const wishedSeconds = last.retryAfterSeconds ?? 0;
  if (failures >= limits.tries || wishedSeconds > limits.retryAfterMaxSeconds) return undefined;
  return Math.max(wishedSeconds * 1_000, backoffMs(limits, failures, random));
}

/** Sleeps before the next try and says true, or says false when there is none. Rejects when `signal` aborts. */
export async function pause(limits: RetryLimits, failures: number, last: Again, signal: AbortSignal): Promise<boolean> {
  const ms = waitMs(limits, failures, last, Math.random());
  if (ms === undefined) return false;
  await sleep(ms, undefined, { signal });
  return true;
}

/**
 * Acts until it is done; throws `exhausted(last)` when the limits are reached, and what `act` throws at once. A service of
 * ours may be away for `awayMaxMs` in a row, however many tries that makes.
 */
export async function withRetries<T>(
  limits: RetryLimits,
  signal: AbortSignal,
  act: () => Promise<Tried<T>>,
  exhausted: (last: Again) => Error,
  awayMaxMs = AWAY_MAX_MS,
): Promise<T> {
  let awayTries = 0;
  let awaySinceMs: number | undefined;
  for (let failures = 0; ;) {
    const tried = await act();
    if ('done' in tried) return tried.done;
    if (tried.isOursAway) {
      awaySinceMs ??= performance.now();
      awayTries += 1;
      const leftMs = awaySinceMs + awayMaxMs - performance.now();
      if (leftMs <= 0) throw exhausted(tried);
      const wishedMs = Math.min(tried.retryAfterSeconds ?? 0, limits.retryAfterMaxSeconds) * 1_000;
      const ms = Math.max(wishedMs, backoffMs(limits, awayTries, Math.random()));
      await sleep(Math.min(ms, leftMs), undefined, { signal });
      continue;
    }
    awayTries = 0;
    awaySinceMs = undefined;
    failures += 1;
    if (!(await pause(limits, failures, tried, signal))) throw exhausted(tried);
  }
}
