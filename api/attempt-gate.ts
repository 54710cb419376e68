import type { Middleware } from 'koa';
import { attemptExists } from '../sql/attempt-gate.ts';
import type { Pool } from '../sql/pool.ts';
import type { State } from './context.ts';
import { Problem } from './problem.ts';

const CALL = /^\/v1\/attempts\/([^/]*)(?:\/|$)/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CALLS_AT_ONCE_MAX = 16;
const RETRY_AFTER_SECONDS = 1;

/**
 * Stands before every signed call of an attempt, whose bodies may be megabytes: only for an attempt that exists is one
 * read at all, and only a few at once. Its id is as good as a secret to strangers, and an attempt can fill nobody's
 * memory with more than sixteen bodies.
 */
export function attemptGate(pool: Pool): Middleware<State> {
  const callsOf = new Map<string, number>();
  return async (ctx, next) => {
    const id = CALL.exec(ctx.path)?.[1];
    if (id === undefined) {
      await next();
      return;
    }
    if (!UUID.test(id) || !(await attemptExists(pool, id))) throw new Problem('attempt_call_not_authentic');
    const calls = callsOf.get(id) ?? 0;
    if (calls >= CALLS_AT_ONCE_MAX)
      throw new Problem('rate_limited', `At most ${CALLS_AT_ONCE_MAX} calls of an attempt at once.`, {
        headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
      });
    callsOf.set(id, calls + 1);
    try {
      await next();
    } finally {
      const left = (callsOf.get(id) ?? 1) - 1;
      if (left === 0) callsOf.delete(id);
      else callsOf.set(id, left);
    }
  };
}
