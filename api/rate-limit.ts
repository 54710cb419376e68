import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { Pool } from '../sql/pool.ts';
import { forgetExpiredLimits } from '../sql/rate-limits.ts';
import { Problem } from './problem.ts';

/** After so many requests one of them also removes what has expired; a timer would ask Postgres when nobody calls. */
const CLEARED_EVERY_REQUESTS = 1_000;

/** Counts one request of `whom`. Throws `rate_limited` with Retry-After when there were too many. */
export type Limit = (whom: string) => Promise<void>;

/**
 * A limit that all API processes of a database keep together. Who is over it is remembered here until he may come
 * again, so that a flood does not reach Postgres; while Postgres is away each process counts for itself.
 */
export function makeLimit(
  pool: Pool,
  limit: { name: string; requests: number; perSeconds: number; clearedEvery?: number },
): Limit {
  const { name: keyPrefix, requests: points, perSeconds: duration, clearedEvery = CLEARED_EVERY_REQUESTS } = limit;
  const limiter = new RateLimiterPostgres({
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix,
    points,
    duration,
    inMemoryBlockOnConsumed: points + 1,
    insuranceLimiter: new RateLimiterMemory({ keyPrefix, points, duration }),
  });
  let counted = 0;
  return async (whom) => {
    counted += 1;
    // Not worth an answer: what stays is removed the next time.
    if (counted % clearedEvery === 0) await forgetExpiredLimits(pool, Date.now()).catch(() => undefined);
    try {
      await limiter.consume(whom);
    } catch (rejected) {
      if (!(rejected instanceof RateLimiterRes)) throw rejected;
      const seconds = Math.max(1, Math.ceil(rejected.msBeforeNext / 1_000));
      throw new Problem('rate_limited', `Try again in ${seconds} s.`, { headers: { 'Retry-After': String(seconds) } });
    }
  };
}
