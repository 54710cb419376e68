import type { Middleware } from 'koa';
import { callerOf } from '../caller.ts';
import type { State } from '../context.ts';
import type { Limit } from '../rate-limit.ts';

/** Pages ask Postgres as operations do, and count together with them. */
export const limitCaller =
  ({ limits }: { limits: { caller: Limit } }): Middleware<State> =>
  async (ctx, next) => {
    await limits.caller(callerOf(ctx.ip));
    await next();
  };
